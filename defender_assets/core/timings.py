"""Durations of the stages of a run, for its report."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

Item = TypeVar("Item")


@dataclass
class StageTimings:
    """Seconds by stage, in the order in which the stages first ended; repeated stages add up."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the block's time to the stage, without the time of stages inside it."""
        inside_before, begun = sum(self.seconds.values()), time.perf_counter()
        try:
            yield
        finally:
            inside = sum(self.seconds.values()) - inside_before
            self._add(name, time.perf_counter() - begun - inside)

    def each(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, and add the time to get them to the stage."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def add(self, other: "StageTimings") -> None:
        for name, seconds in other.seconds.items():
            self._add(name, seconds)

    @property
    def total(self) -> float:
        return sum(self.seconds.values(), start=0.0)

    def _add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
