"""An export in an Azure Storage account: listing by prefix, and ranges of bounded size in one request each.

`download_blob` pins the ETag after its first chunk and then fails on a blob that is being appended to
(Azure/azure-sdk-for-python#39817). A range that fits its first request avoids that.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from azure.core.exceptions import AzureError, DeserializationError, HttpResponseError, ResourceNotFoundError
from azure.core.pipeline import PipelineResponse
from azure.storage.blob import BlobServiceClient, ContainerClient

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.azure.errors import describe_error, is_container_missing, no_blob_service
from defender_assets.core.errors import ExportError
from defender_assets.core.export.blobs import (
    TENANT_PREFIX,
    Blob,
    BlobChangedError,
    Export,
    blob_at,
    day_prefix,
    whole_milliseconds,
)

CONTAINER_PREFIX = "insights-logs-advancedhunting-"
LARGEST_RANGE = 16 * 1024 * 1024


@dataclass(frozen=True)
class AzureExport:
    """The account that Microsoft's streaming API writes to. It needs read and list permissions."""

    account: AzureAccount
    fixed_creation: bool = True

    def describe(self) -> str:
        return f"{self.account.endpoint} ({self.account.auth_method})"

    @cached_property
    def _service(self) -> BlobServiceClient:
        return self.account.service()

    def _container(self, container: str) -> ContainerClient:
        return self._service.get_container_client(container)

    def containers(self) -> list[str]:
        with self._translate_errors("list the containers"):
            return sorted(str(item.name) for item in self._service.list_containers(name_starts_with=CONTAINER_PREFIX))

    def tenants(self, container: str) -> list[str]:
        names: list[str] = []
        with self._translate_errors(f"list {container}"), _empty_if_missing():
            folders = self._container(container).walk_blobs(name_starts_with=TENANT_PREFIX, delimiter="/")
            names += (str(item.name) for item in folders)
        return sorted(name.removeprefix(TENANT_PREFIX).rstrip("/") for name in names if name.endswith("/"))

    def service_time(self, container: str) -> datetime | None:
        """Return the service's clock; None when its response has no date."""
        times: list[datetime] = []

        def hook(response: PipelineResponse[Any, Any]) -> None:
            if date_header := response.http_response.headers.get("Date"):
                times.append(parsedate_to_datetime(date_header))

        with self._translate_errors(f"list {container}"), suppress(ResourceNotFoundError):
            blobs = self._container(container).list_blobs(
                name_starts_with=TENANT_PREFIX, results_per_page=1, raw_response_hook=hook
            )
            next(iter(blobs), None)
        return times[0] if times else None

    def blobs_of_day(self, container: str, day: date) -> list[Blob]:
        tenants = self.tenants(container)
        return sorted(blob for tenant in tenants for blob in self._list(container, day_prefix(tenant, day)))

    def all_blobs(self, container: str) -> Iterator[Blob]:
        return self._list(container, TENANT_PREFIX)

    def _list(self, container: str, prefix: str) -> Iterator[Blob]:
        with self._translate_errors(f"list {container}"), _empty_if_missing():
            for item in self._container(container).list_blobs(name_starts_with=prefix):
                blob = blob_at(str(item.name), int(item.size), item.creation_time, item.last_modified)
                if blob is not None:
                    yield blob

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        if not 0 <= start < end <= start + LARGEST_RANGE:
            raise ValueError(f"a range of 1 to {LARGEST_RANGE} bytes, not [{start}, {end})")
        with self._translate_errors(f"read {container}"):
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
            raise ExportError(describe_error(self.account, action, error)) from None
        except (DeserializationError, UnicodeDecodeError):
            raise ExportError(no_blob_service(self.account, action)) from None


def account_time(export: Export) -> datetime | None:
    """Return the clock of the export's account; None for a directory, or if the account does not answer."""
    if isinstance(export, AzureExport):
        with suppress(ExportError):
            return export.service_time(f"{CONTAINER_PREFIX}alertinfo")
    return None


@contextmanager
def _empty_if_missing() -> Iterator[None]:
    try:
        yield
    except ResourceNotFoundError as error:
        if not is_container_missing(error):
            raise


def _creation(answered: datetime | None) -> datetime | None:
    return whole_milliseconds(answered) if answered else None
