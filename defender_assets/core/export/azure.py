"""An export in an Azure Storage account: listing by prefix, and ranges of bounded size in one request each.

`download_blob` pins the ETag after its first chunk and then fails on a blob that is being appended to
(Azure/azure-sdk-for-python#39817). A range that fits its first request avoids that.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

from azure.core.exceptions import AzureError, DeserializationError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.azure.container import adding_date_to
from defender_assets.core.azure.errors import describe_error, is_container_missing, is_refusal, no_blob_service
from defender_assets.core.errors import ExportError, UnreadableError
from defender_assets.core.export.blobs import (
    MOST_IGNORED,
    TENANT_PREFIX,
    Blob,
    BlobChangedError,
    Entry,
    IgnoredFile,
    UnreadablePart,
    blob_at,
    day_prefix,
    ignored,
    is_tenant_folder,
    whole_milliseconds,
)
from defender_assets.core.schemas import TABLES
from defender_assets.core.schemas.column import CONTAINER_PREFIX

LARGEST_RANGE = 16 * 1024 * 1024


@dataclass(frozen=True)
class AzureExport:
    """The account that Microsoft's streaming API writes to. It needs read and list permissions."""

    account: AzureAccount
    fixed_creation: bool = True

    def describe(self) -> str:
        return f"{self.account.endpoint} ({self.account.auth_method})"

    def _container(self, container: str) -> ContainerClient:
        return self.account.open_service.get_container_client(container)

    def containers(self) -> list[str]:
        with self._translate_errors("list the containers"):
            found = self.account.open_service.list_containers(name_starts_with=CONTAINER_PREFIX)
            return sorted(str(item.name) for item in found)

    def tenants(self, container: str) -> list[str]:
        names: list[str] = []
        with self._translate_errors(f"list {container}"), _empty_if_missing():
            folders = self._container(container).walk_blobs(name_starts_with=TENANT_PREFIX, delimiter="/")
            names += (str(item.name) for item in folders)
        folders_of_tenants = (name for name in names if name.endswith("/") and is_tenant_folder(name))
        return sorted(name.removeprefix(TENANT_PREFIX).rstrip("/") for name in folders_of_tenants)

    def service_time(self) -> datetime | None:
        times: list[datetime] = []
        # a missing container answers too
        with suppress(ExportError), self._translate_errors("read the clock"):
            blobs = self._container(TABLES[0].container).list_blobs(
                name_starts_with=TENANT_PREFIX, results_per_page=1, raw_response_hook=adding_date_to(times)
            )
            next(iter(blobs), None)
        return times[0] if times else None

    def blobs_of_tenant(self, container: str, tenant: str, day: date) -> Iterator[Blob | UnreadablePart]:
        entries = self._list(container, day_prefix(tenant, day))
        return (entry for entry in entries if not isinstance(entry, IgnoredFile))

    def all_entries(self, container: str) -> Iterator[Entry]:
        """Yield everything in the tenants' folders, from one flat listing; if it fails, from one for each tenant."""
        try:
            # completely before anything is yielded, so that no blob comes twice
            entries = list(self._list(container, TENANT_PREFIX))
        except ExportError:
            for tenant in self.tenants(container):
                prefix = f"{TENANT_PREFIX}{tenant}/"
                try:
                    yield from self._list(container, prefix)
                except ExportError as error:
                    yield UnreadablePart(container, prefix, str(error))
        else:
            yield from entries

    def outside(self, container: str) -> Iterator[IgnoredFile]:
        with self._translate_errors(f"list {container}"), _empty_if_missing():
            client = self._container(container)
            for item in islice(client.walk_blobs(delimiter="/"), MOST_IGNORED):
                name = str(item.name)
                if not name.endswith("/"):
                    yield ignored(name)
                elif not is_tenant_folder(name):
                    blobs = islice(client.list_blobs(name_starts_with=name), MOST_IGNORED)
                    yield from (ignored(str(blob.name)) for blob in blobs if blob.size)

    def _list(self, container: str, prefix: str) -> Iterator[Entry]:
        with self._translate_errors(f"list {container}/{prefix}"), _empty_if_missing():
            for item in self._container(container).list_blobs(name_starts_with=prefix):
                name, size = str(item.name), int(item.size)
                blob = blob_at(name, size, item.creation_time, item.last_modified)
                if blob is not None:
                    yield blob
                elif size:
                    # an account with a hierarchical namespace lists folders as empty blobs
                    yield ignored(name)

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        if not 0 <= start < end <= start + LARGEST_RANGE:
            raise ValueError(f"a range of 1 to {LARGEST_RANGE} bytes, not [{start}, {end})")
        with self._translate_errors(f"read {container}/{blob.path}"):
            try:
                answer = self._container(container).download_blob(
                    blob.path, offset=start, length=end - start, max_concurrency=1
                )
                content = answer.readall()
            except ResourceNotFoundError:
                raise BlobChangedError(blob.path) from None
            except HttpResponseError as error:
                # 416: the blob ends before `start`; 412: it changed between two requests
                if error.status_code in {412, 416}:
                    raise BlobChangedError(blob.path) from None
                raise
        if _creation(answer.properties.creation_time) != blob.created_at or len(content) != end - start:
            raise BlobChangedError(blob.path)
        return content

    @contextmanager
    def _translate_errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except AzureError as error:
            kind = UnreadableError if is_refusal(error) else ExportError
            raise kind(describe_error(self.account, action, error)) from None
        except (DeserializationError, UnicodeDecodeError):
            raise ExportError(no_blob_service(self.account, action)) from None


@contextmanager
def _empty_if_missing() -> Iterator[None]:
    try:
        yield
    except ResourceNotFoundError as error:
        if not is_container_missing(error):
            raise


def _creation(answered: datetime | None) -> datetime | None:
    return whole_milliseconds(answered) if answered else None
