"""Exports that tests write to: a directory or the emulator's account, behind one protocol.

`Meanwhile` is an export in which something happens between the listing and the reading.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.export import Blob, DirectoryExport, Export
from defender_assets.core.export.azure import AzureExport
from defender_assets.core.export.forwarding import ForwardingExport
from defender_assets_tests.support.emulator import Emulator


class ExportStorage(Protocol):
    """An export that tests write to, blob by blob."""

    @property
    def export(self) -> Export: ...

    def create(self, container: str, path: str) -> None:
        """Create an empty blob, and its container if it is missing."""

    def append(self, container: str, path: str, content: bytes) -> None:
        """Append to a blob; create it if it is missing."""

    def delete(self, container: str, path: str) -> None:
        """Delete a blob."""

    def delete_container(self, container: str) -> None:
        """Delete a container and all of its blobs."""


@dataclass(frozen=True)
class Directory:
    """An export in a directory."""

    root: Path

    @property
    def export(self) -> Export:
        return DirectoryExport(self.root)

    def create(self, container: str, path: str) -> None:
        file = self.root / container / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    def append(self, container: str, path: str, content: bytes) -> None:
        self.create(container, path)
        with (self.root / container / path).open("ab") as file:
            file.write(content)

    def delete(self, container: str, path: str) -> None:
        (self.root / container / path).unlink()

    def delete_container(self, container: str) -> None:
        (self.root / container).rename(self.root.parent / f"deleted-{container}")


@dataclass(frozen=True)
class Account:
    """An export in the emulator's account, as append blobs; `connection_string` is for reading it."""

    service: BlobServiceClient
    connection_string: str

    @property
    def export(self) -> AzureExport:
        return AzureExport(from_connection_string("AZURE_STORAGE_CONNECTION_STRING", self.connection_string))

    def create(self, container: str, path: str) -> None:
        with suppress(ResourceExistsError):
            self.service.create_container(container)
        blob = self.service.get_blob_client(container, path)
        if not blob.exists():
            blob.create_append_blob()

    def append(self, container: str, path: str, content: bytes) -> None:
        self.create(container, path)
        blob = self.service.get_blob_client(container, path)
        for start in range(0, len(content), 4 * 1024 * 1024):
            blob.append_block(content[start : start + 4 * 1024 * 1024])

    def delete(self, container: str, path: str) -> None:
        self.service.get_blob_client(container, path).delete_blob()

    def delete_container(self, container: str) -> None:
        self.service.delete_container(container)


def account_storage(emulator: Emulator, service: BlobServiceClient, permissions: str | None = None) -> Account:
    """The emulator's account, read with its key or with a SAS that has these permissions."""
    string = emulator.connection_string if permissions is None else emulator.sas_connection_string(permissions)
    return Account(service, string)


@dataclass
class Meanwhile(ForwardingExport):
    """An export in which `event` happens once, between the listing and the first reading."""

    export: Export
    event: Callable[[], object]
    happened: bool = False

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        if not self.happened:
            self.happened = True
            self.event()
        return self.export.read(container, blob, start, end)
