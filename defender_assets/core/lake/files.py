"""The files of a table as bytes: list, read, write, delete, sync. What they mean is in `damage` and `log_files`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.azure.container import container_client
from defender_assets.core.azure.errors import as_lake_error
from defender_assets.core.errors import GRANT_LAKE, LakeError, system_refusal

LOG = "_delta_log"

FileIdentity = tuple[str | int, ...]
"""What changes when a file is written or replaced: number, size and time on a disk, the ETag in Azure."""


@dataclass(frozen=True)
class TableFiles:
    """The files below `uri`: a directory, or a folder of a container of `account`. Paths are relative to it.

    Every method raises `LakeError` when the storage cannot be reached or refuses, so that this never looks like damage.
    """

    uri: str
    account: AzureAccount | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what no text may show: the secrets of the account, if there is one."""
        return self.account.secrets if self.account else ()

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Return the size in bytes of each file below a folder, by path; empty if the folder is missing."""
        with self._errors("list files"):
            if self.account is None:
                return dict(_local_sizes(Path(self.uri), folder))
            prefix = f"{self._folder()}/{folder}".rstrip("/") + "/"
            container = container_client(self.account, self.uri)
            with _unless_missing():
                cut = len(self._folder()) + 1
                return {blob.name[cut:]: blob.size for blob in container.list_blobs(name_starts_with=prefix)}
            return {}

    def read(self, path: str) -> bytes | None:
        """Return the content of a file; None if it is missing."""
        with self._errors(f"read {path}"):
            if self.account is None:
                try:
                    return (Path(self.uri) / path).read_bytes()
                except FileNotFoundError:
                    return None
            container = container_client(self.account, self.uri)
            with _unless_missing():
                return container.download_blob(f"{self._folder()}/{path}").readall()
            return None

    def identity(self, path: str) -> FileIdentity | None:
        """Return what changes when a file is written or replaced; None if it is missing."""
        with self._errors(f"look at {path}"):
            if self.account is None:
                try:
                    found = (Path(self.uri) / path).stat()
                except FileNotFoundError:
                    return None
                return found.st_ino, found.st_size, found.st_mtime_ns
            container = container_client(self.account, self.uri)
            with _unless_missing():
                return (str(container.get_blob_client(f"{self._folder()}/{path}").get_blob_properties().etag),)
            return None

    def may_write(self, path: str) -> bool:
        """Return whether this identity may write beside a file that exists. Nothing is written.

        The account is asked to replace the file on the condition of an ETag that it never has. It answers 412 to an
        identity that may write, and 401 or 403 to any other.
        """
        if self.account is None:
            effective = os.access in os.supports_effective_ids
            return os.access((Path(self.uri) / path).parent, os.W_OK, effective_ids=effective)
        from azure.core import MatchConditions  # noqa: PLC0415 (loaded with the first account)
        from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 (as above)

        with self._errors(f"look at {path}"):
            blob = container_client(self.account, self.uri).get_blob_client(f"{self._folder()}/{path}")
            try:
                blob.upload_blob(b"", overwrite=True, etag='"0x0"', match_condition=MatchConditions.IfNotModified)
            except HttpResponseError as error:
                if error.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                    return False
                if error.status_code != HTTPStatus.PRECONDITION_FAILED:
                    raise
            return True

    def write(self, path: str, content: bytes) -> None:
        """Write a new file and the directories above it. No part of it remains if the disk refuses it."""
        with self._errors(f"write {path}", "check DEFENDER_LAKE_URI, free space and write permission"):
            if self.account is None:
                file = Path(self.uri) / path
                file.parent.mkdir(parents=True, exist_ok=True)
                opened = file.open("xb")
                try:
                    with opened:
                        opened.write(content)
                except OSError:
                    file.unlink()
                    raise
                return
            blob = container_client(self.account, self.uri).get_blob_client(f"{self._folder()}/{path}")
            # a repeated request must not fail because the first one arrived: nobody else writes a file of this name
            blob.upload_blob(content, overwrite=True)

    def delete(self, path: str) -> None:
        """Delete a file, unless it is missing."""
        with self._errors(f"delete {path}"):
            if self.account is None:
                (Path(self.uri) / path).unlink(missing_ok=True)
                return
            container = container_client(self.account, self.uri)
            with _unless_missing():
                container.delete_blob(f"{self._folder()}/{path}")

    def describe(self, path: str) -> str:
        """Return the full address of a file."""
        return f"{self.uri}/{path}" if self.account else str(Path(self.uri) / path)

    def sync(self, *paths: str) -> None:
        """Make files and their directories durable on a local disk. Azure acknowledges only durable writes."""
        if self.account is not None:
            return
        with self._errors("make files durable"):
            files = [Path(self.uri) / path for path in paths]
            for path in [*files, *dict.fromkeys(folder for file in files for folder in self._folders(file))]:
                _sync(path)

    def _folders(self, file: Path) -> Iterator[Path]:
        """Yield the directories from the file up to the table: each may be new."""
        for folder in file.parents:
            yield folder
            if folder == Path(self.uri):
                return

    def _folder(self) -> str:
        return urlsplit(self.uri).path.strip("/")

    @contextmanager
    def _errors(self, action: str, advice: str = "check the disk and its permissions") -> Iterator[None]:
        try:
            with as_lake_error(self.account, f"{action} of the lake"):
                yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            if isinstance(error, FileExistsError | NotADirectoryError):
                advice = "a file is where a folder belongs: move it away"
            elif system_refusal(reason):
                advice = GRANT_LAKE
            raise LakeError(f"cannot {action} in {self.uri}: {reason}; {advice}") from None


def _unless_missing() -> suppress:
    """Return a context that ends without an error if the account has no such file or container."""
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 (loaded with the first account)

    return suppress(ResourceNotFoundError)


def _local_sizes(root: Path, folder: str) -> Iterator[tuple[str, int]]:
    try:
        entries = list(os.scandir(root / folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _local_sizes(root, path)
        else:
            with suppress(FileNotFoundError):
                yield path, entry.stat().st_size


def _sync(path: Path) -> None:
    # Windows has no directory handles to flush
    if path.is_dir() and os.name == "nt":
        return
    try:
        handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    except FileNotFoundError:
        # another process has replaced or deleted it
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
