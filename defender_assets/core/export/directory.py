"""An export in a directory with one folder per container. Files are only appended to or replaced."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from defender_assets.core.errors import ExportError
from defender_assets.core.export.blobs import TENANT_PREFIX, Blob, BlobChangedError, blob_at, day_prefix


@dataclass(frozen=True)
class DirectoryExport:
    """An export whose containers are folders of `root`."""

    root: Path
    fixed_creation: bool = False

    def describe(self) -> str:
        return f"directory {self.root}"

    def containers(self) -> list[str]:
        """Return the folders that contain a tenant's folder."""
        return sorted(name for name in _folders(self.root) if self.tenants(name))

    def tenants(self, container: str) -> list[str]:
        names = _folders(self.root / container)
        return sorted(name.removeprefix(TENANT_PREFIX) for name in names if name.startswith(TENANT_PREFIX))

    def blobs_of_day(self, container: str, day: date) -> list[Blob]:
        folder, tenants = self.root / container, self.tenants(container)
        return sorted(blob for tenant in tenants for blob in _blobs_below(folder, day_prefix(tenant, day)))

    def all_blobs(self, container: str) -> Iterator[Blob]:
        for tenant in self.tenants(container):
            yield from _blobs_below(self.root / container, f"{TENANT_PREFIX}{tenant}/")

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        try:
            with (self.root / container / blob.path).open("rb") as file:
                file.seek(start)
                content = file.read(end - start)
        except FileNotFoundError:
            raise BlobChangedError(blob.path) from None
        except OSError as error:
            raise _unreadable(self.root / container / blob.path, error) from None
        if len(content) != end - start:
            raise BlobChangedError(blob.path)
        return content


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(folder, error) from None


def _blobs_below(container: Path, prefix: str) -> Iterator[Blob]:
    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise _unreadable(container / prefix, error)

    for folder, _, names in os.walk(container / prefix, onerror=refuse):
        for name in names:
            file = Path(folder, name)
            try:
                state = file.stat()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise _unreadable(file, error) from None
            changed_at = datetime.fromtimestamp(state.st_mtime_ns // 1_000_000 / 1000, UTC)
            blob = blob_at(file.relative_to(container).as_posix(), state.st_size, changed_at, changed_at)
            if blob is not None:
                yield blob


def _unreadable(path: Path, error: OSError) -> ExportError:
    return ExportError(f"{path} cannot be read ({error.strerror}): give this user read permission for the export")
