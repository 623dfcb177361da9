"""The input of the simulator (`Scenario`), its output (`Append`), and its random numbers (`seeded_rng`).

How a tenant looks or what happens in it does not belong here.
"""

from dataclasses import dataclass
from datetime import date, datetime
from random import Random
from typing import NamedTuple

LEAST_DEVICES = 4


@dataclass(frozen=True, slots=True)
class Scenario:
    """The export to simulate. Equal scenarios give equal bytes.

    What happens on a day depends on the seed, the tenant and the day alone. So a scenario with more `days`, or a later
    `until`, only appends to what a shorter one wrote, and one with more `tenants` adds theirs beside it. A difference
    in any other field makes another export, which must not be written over the first.

    Raises:
        ValueError: a field is out of its range; the message names it.
    """

    start: date
    """First day (UTC) that has blobs."""
    days: int
    """How many days of blobs. What arrives late for the last of them is written too, unless `until` forbids it."""
    devices: int = 40
    """Devices in each tenant. DeviceInfo has devices * 1440 / heartbeat_minutes rows a day, of 1.5 KB each."""
    tenants: int = 2
    alerts_per_day: float = 8.0
    """Unrelated alerts in each tenant and day, on average. Above a third of `devices` they share devices in a day."""
    campaigns_per_tenant: int = 3
    """Attacks across products. The first begins on the first day, and one more on each day that follows."""
    heartbeat_minutes: int = 60
    seed: int = 7
    faults: bool = True
    """Re-deliveries, blank lines, appends that end inside a record, empty blobs and growth of closed hours."""
    bad_lines: int = 1
    """Malformed lines in each table, tenant and day; their kinds take turns. 0 turns them off."""
    append_bytes: int = 35_000
    """The largest append, in bytes (a longer record still goes in one)."""
    busy: bool = False
    """Unrelated alerts as a real tenant has them (`everyday`) in place of tidy ones; campaigns are not spared them."""
    until: datetime | None = None
    """Nothing that reaches the account after this instant is written (the running day). Must carry a time zone."""

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated."""
        least = {
            "days": 1,
            "devices": LEAST_DEVICES,
            "tenants": 1,
            "alerts_per_day": 0,
            "campaigns_per_tenant": 0,
            "heartbeat_minutes": 1,
            "bad_lines": 0,
            "append_bytes": 1,
        }
        for name, bound in least.items():
            if getattr(self, name) < bound:
                message = f"{name} is {getattr(self, name)}: it must be {bound} or more"
                raise ValueError(message)
        if self.until is not None and self.until.tzinfo is None:
            message = f"until is {self.until}, without a time zone: write for example {self.until}+00:00"
            raise ValueError(message)


class Append(NamedTuple):
    """One append to one blob. Empty `data` only creates the blob."""

    at: datetime
    """When the bytes reach the account (UTC)."""
    container: str
    blob: str
    """Path in the container."""
    data: bytes


def seeded_rng(*parts: object) -> Random:
    """A source of chance that depends on `parts` alone, so that no part of an export depends on another."""
    return Random("/".join(map(str, parts)))
