"""The input of the simulator (`Scenario`), its output (`Append`), and its random numbers (`seeded_rng`)."""

from dataclasses import dataclass
from datetime import date, datetime
from random import Random
from typing import NamedTuple

from defender_assets.simulator.worlds import WORLDS

LEAST_DEVICES = 4


@dataclass(frozen=True, slots=True)
class Scenario:
    """The export to simulate. Equal scenarios give equal bytes.

    The events of a day depend only on the seed, the tenant and the day. So more `days` or a later `until` only append
    to a shorter export, and more `tenants` only add theirs. A change of any other field gives another export, which
    must not be written over the first.

    Raises:
        ValueError: a field is out of its range; the message names it.
    """

    start: date
    """First day (UTC) that has blobs."""
    days: int
    """Number of days with blobs. Late arrivals for the last day are also written, unless they come after `until`."""
    devices: int = 40
    """Devices in each tenant. DeviceInfo has devices * 1440 / heartbeat_minutes rows a day, of 1.5 KB each."""
    tenants: int = 2
    alerts_per_day: float = 8.0
    """Unrelated alerts in each tenant and day, on average. Above a third of `devices`, they share devices in a day."""
    campaigns_per_tenant: int = 3
    """Attacks across products. One begins on each day, from the first day on."""
    heartbeat_minutes: int = 60
    seed: int = 7
    faults: bool = True
    """Re-deliveries, blank lines, appends that end inside a record, empty blobs and growth of closed hours."""
    bad_lines: int = 1
    """Malformed lines in each table, tenant and day, of alternating kinds; 0 for none."""
    append_bytes: int = 35_000
    """The largest append, in bytes; a longer record is still one append."""
    world: str = ""
    """A realistic tenant (`worlds.WORLDS`): unrelated alerts share entities, and attacks are like published ones."""
    until: datetime | None = None
    """Only what reaches the account up to this instant is written, for a day in progress. Must have a time zone."""

    def __post_init__(self) -> None:
        minima = {
            "days": 1,
            "devices": LEAST_DEVICES,
            "tenants": 1,
            "alerts_per_day": 0,
            "campaigns_per_tenant": 0,
            "heartbeat_minutes": 1,
            "bad_lines": 0,
            "append_bytes": 1,
        }
        for name, minimum in minima.items():
            if getattr(self, name) < minimum:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be {minimum} or more")
        if self.world and self.world not in WORLDS:
            raise ValueError(f"world is {self.world}: it must be one of {', '.join(WORLDS)}, or empty")
        if self.until is not None and self.until.tzinfo is None:
            raise ValueError(f"until is {self.until}, without a time zone: write for example {self.until}+00:00")


class Append(NamedTuple):
    """One append to one blob. Empty `data` only creates the blob."""

    at: datetime
    """When the bytes reach the account (UTC)."""
    container: str
    blob: str
    """Path in the container."""
    data: bytes


def seeded_rng(*parts: object) -> Random:
    """A random generator that depends only on `parts`, so that no part of an export depends on another."""
    return Random("/".join(map(str, parts)))
