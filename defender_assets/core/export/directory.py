"""An export in a directory with one folder per container. Files are only appended to or replaced.

Only regular files below the root are read: no link is followed, except the root itself.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from defender_assets.core.errors import UnreadableError
from defender_assets.core.export.blobs import (
    MOST_IGNORED,
    TENANT_PREFIX,
    Blob,
    BlobChangedError,
    Entry,
    IgnoredFile,
    Kind,
    UnreadablePart,
    blob_at,
    day_prefix,
    ignored,
    is_tenant_folder,
)
from defender_assets.core.text import escape_control_chars

NO_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
"""Creation time of a file whose time of the last write is impossible."""
_LAST_YEAR = 2999


@dataclass(frozen=True)
class DirectoryExport:
    """An export whose containers are folders of `root`."""

    root: Path
    fixed_creation: bool = False

    def describe(self) -> str:
        return f"directory {self.root}"

    def service_time(self) -> None:
        return None

    def containers(self) -> list[str]:
        """Return the folders that contain a tenant's folder, or cannot be read."""
        return sorted(name for name in _folders(self.root) if self._may_be_container(name))

    def tenants(self, container: str) -> list[str]:
        names = [] if _has_link(self.root, container) else _folders(self.root / container)
        return sorted(name.removeprefix(TENANT_PREFIX) for name in names if is_tenant_folder(name))

    def blobs_of_tenant(self, container: str, tenant: str, day: date) -> Iterator[Blob | UnreadablePart]:
        entries = self._entries(container, day_prefix(tenant, day))
        return (entry for entry in entries if not isinstance(entry, IgnoredFile))

    def all_entries(self, container: str) -> Iterator[Entry]:
        for tenant in self.tenants(container):
            yield from self._entries(container, f"{TENANT_PREFIX}{tenant}/")

    def outside(self, container: str) -> Iterator[IgnoredFile]:
        if _has_link(self.root, container):
            yield IgnoredFile("", Kind.LINK)
            return
        for entry in _scan(self.root / container):
            if entry.is_symlink() or not entry.is_dir(follow_symlinks=False):
                yield IgnoredFile(entry.name, Kind.LINK) if entry.is_symlink() else ignored(entry.name)
            elif not is_tenant_folder(entry.name):
                found = self._entries(container, f"{entry.name}/")
                yield from islice((item for item in found if isinstance(item, IgnoredFile)), MOST_IGNORED)

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        path = f"{container}/{blob.path}"
        try:
            with _open_below(self.root, path) as file:
                file.seek(start)
                content = file.read(end - start)
        except FileNotFoundError:
            raise BlobChangedError(blob.path) from None
        except OSError as error:
            # ELOOP and ENOTDIR: a part of the path has become a link, or a file
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                raise BlobChangedError(blob.path) from None
            raise _unreadable(self.root / path, error) from None
        if len(content) != end - start:
            raise BlobChangedError(blob.path)
        return content

    def _may_be_container(self, name: str) -> bool:
        try:
            return bool(self.tenants(name))
        except UnreadableError:
            return True

    def _entries(self, container: str, prefix: str) -> Iterator[Entry]:
        """Yield the files below a prefix, in the place of each folder or file that cannot be read the reason."""
        if _has_link(self.root, f"{container}/{prefix}"):
            yield IgnoredFile(prefix, Kind.LINK)
            return
        waiting = [prefix]
        while waiting:
            folder = waiting.pop()
            try:
                found = _scan(self.root / container / folder)
            except UnreadableError as error:
                yield UnreadablePart(container, escape_control_chars(folder), str(error))
                continue
            for entry in found:
                path = f"{folder}{entry.name}"
                try:
                    state = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    problem = _unreadable(self.root / container / path, error)
                    yield UnreadablePart(container, escape_control_chars(path), str(problem))
                    continue
                if stat.S_ISDIR(state.st_mode):
                    waiting.append(f"{path}/")
                else:
                    yield _entry(path, state)


def moment_of(nanoseconds: int) -> datetime | None:
    """Return a file's time in whole milliseconds, UTC; None if it is before 1970 or after 2999.

    A file system may store any number, and damaged or foreign ones do.
    """
    try:
        moment = datetime.fromtimestamp(nanoseconds // 1_000_000 / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return moment if moment >= NO_MOMENT and moment.year <= _LAST_YEAR else None


def _entry(path: str, state: os.stat_result) -> Entry:
    if not stat.S_ISREG(state.st_mode):
        return IgnoredFile(path, Kind.LINK if stat.S_ISLNK(state.st_mode) else Kind.OTHER)
    changed_at = moment_of(state.st_mtime_ns)
    return blob_at(path, state.st_size, changed_at or NO_MOMENT, changed_at) or ignored(path)


def _folders(folder: Path) -> list[str]:
    return [entry.name for entry in _scan(folder) if entry.is_dir(follow_symlinks=False)]


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(folder, error) from None


def _has_link(root: Path, path: str) -> bool:
    """Return whether a part of a path below the root is a link."""
    below = root
    for name in filter(None, path.split("/")):
        below /= name
        try:
            if below.is_symlink():
                return True
        except OSError:
            # the parts after it cannot be read either, which the listing reports
            return False
    return False


def _open_below(root: Path, path: str) -> BinaryIO:
    """Open a regular file, part by part of its path, so that a link that appears after the listing is not followed.

    Raises:
        OSError: when it cannot be opened; `FileNotFoundError` also when it is no regular file.
    """
    if os.open not in os.supports_dir_fd:  # Windows
        if _has_link(root, path):
            raise FileNotFoundError(path)
        return (root / path).open("rb")
    *folders, name = path.split("/")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for below in folders:
            inner = os.open(below, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        # without O_NONBLOCK, a named pipe without a writer would never open
        opened = os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), "rb")
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        opened.close()
        raise FileNotFoundError(path)
    return opened


def _unreadable(path: Path, error: OSError) -> UnreadableError:
    shown = escape_control_chars(str(path))
    denied = error.errno in {errno.EACCES, errno.EPERM}
    advice = "give this user read permission for the export" if denied else "repair it"
    return UnreadableError(f"{shown} cannot be read ({error.strerror}): {advice}")
