"""An export that fails on purpose."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from defender_assets.core.errors import ExportError
from defender_assets.core.export import Blob, DirectoryExport, UnreadablePart
from defender_assets_tests.support.days import yesterday

OUT_OF_ORDER = ExportError("out of order")


@dataclass(frozen=True)
class FailingExport(DirectoryExport):
    """A directory export whose listing fails for one day, or for every day."""

    fixed_creation: bool = False
    failing_day: date | None = field(default_factory=yesterday)
    error: Exception = OUT_OF_ORDER

    def blobs_of_tenant(self, container: str, tenant: str, day: date) -> Iterator[Blob | UnreadablePart]:
        if self.failing_day in {None, day}:
            raise self.error
        return super().blobs_of_tenant(container, tenant, day)
