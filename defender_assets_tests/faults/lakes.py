"""A lake in which an event happens at the n-th commit: before it, while its rows stream, or after it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import polars as pl
from deltalake.exceptions import CommitFailedError

from defender_assets.core.errors import LakeError
from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets_tests.faults.exports import in_another_thread

Moment = Literal["before", "during", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "during", "after")


class DiedError(Exception):
    """Simulates the end of the process: nothing in the project catches it."""


class OnPurposeError(LakeError):
    """A storage failure that a test injects."""


def died() -> None:
    """The process ends here."""
    raise DiedError


def conflicted() -> None:
    """delta-rs reports that another writer was first, whether or not that is true."""
    raise CommitFailedError("a conflict (on purpose)")


def broken() -> None:
    """The lake's storage fails."""
    raise OnPurposeError("the lake does not answer")


@dataclass
class AtCommit:
    """The event at a commit; `hits` counts it, and `seen` lists the tables of all commits."""

    number: int
    moment: Moment
    event: Callable[[], object]
    seen: list[str] = field(default_factory=list)
    hits: int = 0


@dataclass(frozen=True)
class FaultyLake(Lake):
    """A lake in which `fault` happens once."""

    fault: AtCommit = field(default_factory=lambda: AtCommit(0, "before", died))

    @classmethod
    def over(cls, lake: Lake, number: int, moment: Moment, event: Callable[[], object]) -> "FaultyLake":
        """The given lake, with the event at its n-th commit."""
        return cls(lake.uri, lake.tables, lake.account, lake.keep_days, fault=AtCommit(number, moment, event))

    def commit(self, target: FencedTable, commit: Commit) -> None:
        fault = self.fault
        fault.seen.append(target.spec.name)
        if len(fault.seen) != fault.number:
            super().commit(target, commit)
            return
        fault.hits += 1
        if fault.moment == "before":
            fault.event()
        frames = _then(commit.frames, fault.event) if fault.moment == "during" else commit.frames
        super().commit(target, replace(commit, frames=frames))
        if fault.moment == "after":
            fault.event()


@dataclass(frozen=True)
class OvertakenLake(Lake):
    """A lake in which the event happens once, after a table is first opened for a commit."""

    events: list[Callable[[], object]] = field(default_factory=list)

    @classmethod
    def of(cls, lake: Lake, event: Callable[[], object]) -> "OvertakenLake":
        """The given lake, with the event."""
        return cls(lake.uri, lake.tables, lake.account, lake.keep_days, [event])

    def fenced(self, name: str, day: date | None, fence: str | None = None) -> FencedTable:
        target = super().fenced(name, day, fence)
        if self.events:
            self.events.pop()()
        return target


def _then(frames: Iterable[pl.DataFrame], event: Callable[[], object]) -> Iterator[pl.DataFrame]:
    yield from frames
    in_another_thread(event)
