"""The kinds of tenant: how large they are, how busy, and which attacks they meet."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """A kind of tenant. `attacks`: kind -> (an attack begins every so many days, the first on this day)."""

    meaning: str
    attacks: Mapping[str, tuple[int, int]]
    devices: int = 150
    alerts_per_day: float = 50
    days: int = 8
    warm_up: int = 2
    """First days whose alerts a measurement leaves out: what is everyday is not known yet."""


WORLDS: Mapping[str, World] = {
    "campaigns": World("attacks across products, hours between their steps", {"campaign": (1, 0)}),
    "bursts": World("operators at work: 4 to 70 alerts, seconds apart", {"hands-on": (2, 2), "spray": (9, 5)}),
    "slow": World("patient operators: steps hours to days apart", {"slow": (1, 0)}),
    "outbreaks": World("one new file on many devices", {"outbreak": (3, 2)}),
    "quiet": World(
        "a small tenant with few alerts",
        {"campaign": (6, 2), "hands-on": (9, 4)},
        devices=25,
        alerts_per_day=3,
        days=12,
    ),
    "mixed": World(
        "all kinds of attack in one tenant",
        {"campaign": (3, 0), "hands-on": (4, 3), "slow": (4, 1), "outbreak": (9, 5)},
        alerts_per_day=70,
    ),
    "first-days": World(
        "the first two days of a lake: nothing is known of the tenant",
        {"campaign": (1, 0), "hands-on": (2, 0), "outbreak": (2, 1)},
        days=2,
        warm_up=0,
    ),
}
"""Name -> kind of tenant. `Scenario.world` takes the name."""
