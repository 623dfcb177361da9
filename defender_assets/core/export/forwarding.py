"""A view of another export: the base of exports that change a part of what another one shows."""

from collections.abc import Iterator
from datetime import date, datetime

from defender_assets.core.export.blobs import Blob, Entry, Export, IgnoredFile, UnreadablePart


class ForwardingExport:
    """Answers every call of `Export` from the attribute `export`; subclasses override what they change."""

    export: Export

    @property
    def fixed_creation(self) -> bool:
        return self.export.fixed_creation

    def describe(self) -> str:
        return self.export.describe()

    def service_time(self) -> datetime | None:
        return self.export.service_time()

    def containers(self) -> list[str]:
        return self.export.containers()

    def tenants(self, container: str) -> list[str]:
        return self.export.tenants(container)

    def blobs_of_tenant(self, container: str, tenant: str, day: date) -> Iterator[Blob | UnreadablePart]:
        return self.export.blobs_of_tenant(container, tenant, day)

    def all_entries(self, container: str) -> Iterator[Entry]:
        return self.export.all_entries(container)

    def outside(self, container: str) -> Iterator[IgnoredFile]:
        return self.export.outside(container)

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        return self.export.read(container, blob, start, end)
