"""An export that refuses to read some blobs, or does not answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

from defender_assets.core.errors import ExportError, UnreadableError
from defender_assets.core.export import Blob, Export, UnreadablePart
from defender_assets.core.export.blobs import Entry
from defender_assets.core.export.forwarding import ForwardingExport

Problem = Callable[[str, str], Exception | None]
"""(container, path or prefix) -> what is raised; None for nothing."""


def archived(path: str) -> UnreadableError:
    """The error of a blob that says itself that it cannot be read."""
    return UnreadableError(f"cannot read {path}: BlobArchived: it is archived; rehydrate it")


def no_answer(path: str) -> ExportError:
    """The error of an account that does not answer."""
    return ExportError(f"cannot read {path}: the connection broke")


@dataclass
class RefusingExport(ForwardingExport):
    """A real export with problems of reads, of listings of a tenant's day, and of listings of a container's tenants.

    `reads` has the paths of all reads, in order.
    """

    export: Export
    of_read: Problem = lambda _container, _path: None
    of_listing: Problem = lambda _container, _tenant: None
    of_container: Callable[[str], Exception | None] = lambda _container: None
    reads: list[str] = field(default_factory=list)

    def tenants(self, container: str) -> list[str]:
        _raise(self.of_container(container))
        return self.export.tenants(container)

    def blobs_of_tenant(self, container: str, tenant: str, day: date) -> Iterator[Blob | UnreadablePart]:
        _raise(self.of_listing(container, tenant))
        return self.export.blobs_of_tenant(container, tenant, day)

    def all_entries(self, container: str) -> Iterator[Entry]:
        _raise(self.of_container(container))
        return self.export.all_entries(container)

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        self.reads.append(blob.path)
        _raise(self.of_read(container, blob.path))
        return self.export.read(container, blob, start, end)


def _raise(problem: Exception | None) -> None:
    if problem is not None:
        raise problem
