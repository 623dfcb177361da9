"""An export that fails, or in which something happens, at chosen calls. It wraps any export, real ones only."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from threading import Lock

from defender_assets.core.export import Blob, BlobChangedError, Export
from defender_assets.core.failures import ExportError

Event = Callable[[], object]
"""What happens at a call: a change of the export, another run, or an exception."""


def refused() -> None:
    """The account does not answer."""
    raise ExportError("the account does not answer (on purpose)")


def changed() -> None:
    """The blob is not the one that was listed."""
    raise BlobChangedError("changed (on purpose)")


@dataclass
class FaultyExport:
    """An export with events before or after its n-th listing of a day, or its n-th range read (1, 2, …)."""

    export: Export
    before_list: Mapping[int, Event] = field(default_factory=dict)
    after_list: Mapping[int, Event] = field(default_factory=dict)
    before_read: Mapping[int, Event] = field(default_factory=dict)
    after_read: Mapping[int, Event] = field(default_factory=dict)
    lists: int = 0
    reads: int = 0
    met: int = 0
    _lock: Lock = field(default_factory=Lock)

    @property
    def fixed_creation(self) -> bool:
        return self.export.fixed_creation

    def describe(self) -> str:
        return self.export.describe()

    def containers(self) -> list[str]:
        return self.export.containers()

    def tenants(self, container: str) -> list[str]:
        return self.export.tenants(container)

    def blobs_of_day(self, container: str, day: date) -> list[Blob]:
        with self._lock:
            self.lists += 1
            number = self.lists
        self._meet(self.before_list, number)
        listed = self.export.blobs_of_day(container, day)
        self._meet(self.after_list, number)
        return listed

    def all_blobs(self, container: str) -> Iterator[Blob]:
        return self.export.all_blobs(container)

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        with self._lock:
            self.reads += 1
            number = self.reads
        self._meet(self.before_read, number)
        content = self.export.read(container, blob, start, end)
        self._meet(self.after_read, number)
        return content

    def _meet(self, events: Mapping[int, Event], number: int) -> None:
        if number in events:
            self.met += 1
            events[number]()
