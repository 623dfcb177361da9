"""An export in which listings of some tenants do not answer until the test says so."""

from collections.abc import Iterator
from datetime import date
from threading import Event, Lock

from defender_assets.core.export import Blob, Export, UnreadablePart
from defender_assets_tests.support.refusing_export import RefusingExport
from defender_assets_tests.support.waiting import HANG_SECONDS


class SlowExport(RefusingExport):
    """A real export with silent tenants. `listed` has all listings, in order, `most_at_once` how many overlapped."""

    def __init__(self, export: Export, *silent: str) -> None:
        super().__init__(export)
        self.silent = silent
        self.released = Event()
        self.listed: list[tuple[str, str, date]] = []
        self.at_once = self.most_at_once = 0
        self._lock = Lock()

    def blobs_of_tenant(self, container: str, tenant: str, day: date) -> Iterator[Blob | UnreadablePart]:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.listed.append((container, tenant, day))
        try:
            if tenant in self.silent:
                assert self.released.wait(HANG_SECONDS)
            return iter(list(super().blobs_of_tenant(container, tenant, day)))
        finally:
            with self._lock:
                self.at_once -= 1
