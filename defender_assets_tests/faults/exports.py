"""An export that fails, or in which something happens, at chosen calls. It wraps a real export."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from threading import Lock
from typing import Literal

from defender_assets.core.errors import ExportError
from defender_assets.core.export import Blob, BlobChangedError, Export, UnreadablePart
from defender_assets.core.export.forwarding import ForwardingExport

Call = Literal["before_list", "after_list", "before_read", "after_read"]
CALLS: tuple[Call, ...] = ("before_list", "after_list", "before_read", "after_read")
Event = Callable[[], object]
"""What happens at a call: a change of the export, another run, or an exception."""


def refused() -> None:
    """The account does not answer."""
    raise ExportError("the account does not answer (on purpose)")


def changed() -> None:
    """The blob is not the one in the listing."""
    raise BlobChangedError("changed (on purpose)")


def in_another_thread(event: Event) -> None:
    """Run the event in a separate thread: delta-rs pulls rows in its runtime, which cannot open another table."""
    with ThreadPoolExecutor(1) as other:
        other.submit(event).result()


@dataclass
class FaultyExport(ForwardingExport):
    """An export in which `event` happens at the `number`-th listing of a tenant's day, or range read, counted from 1.

    With `lasting`, it also happens at each later call.
    """

    export: Export
    call: Call
    number: int
    event: Event
    lasting: bool = False
    lists: int = 0
    reads: int = 0
    hits: int = 0
    _lock: Lock = field(default_factory=Lock)

    def blobs_of_tenant(self, container: str, tenant: str, day: date) -> Iterator[Blob | UnreadablePart]:
        with self._lock:
            self.lists += 1
            number = self.lists
        self._trigger("before_list", number)
        listed = list(self.export.blobs_of_tenant(container, tenant, day))
        self._trigger("after_list", number)
        return iter(listed)

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        with self._lock:
            self.reads += 1
            number = self.reads
        self._trigger("before_read", number)
        content = self.export.read(container, blob, start, end)
        self._trigger("after_read", number)
        return content

    def _trigger(self, call: Call, number: int) -> None:
        if call == self.call and (number == self.number or (self.lasting and number > self.number)):
            self.hits += 1
            in_another_thread(self.event)
