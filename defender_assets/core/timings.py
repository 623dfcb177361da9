"""How long each phase of a run took: measured where the work is done, told by its report.

What the phases are called is the business of who does them.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")


@dataclass
class StageTimings:
    """Seconds by phase, in the order in which the phases first ended; a phase that comes again adds up."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block's time as the phase's; less what phases inside of it count themselves."""
        inside_before, begun = sum(self.seconds.values()), time.perf_counter()
        try:
            yield
        finally:
            inside = sum(self.seconds.values()) - inside_before
            self._add(name, time.perf_counter() - begun - inside)

    def each(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items; the time that it takes to get them is the phase's."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def add(self, other: "StageTimings") -> None:
        """Add the phases of another report."""
        for name, seconds in other.seconds.items():
            self._add(name, seconds)

    @property
    def total(self) -> float:
        """Return the seconds of all phases."""
        return sum(self.seconds.values(), start=0.0)

    def _add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
