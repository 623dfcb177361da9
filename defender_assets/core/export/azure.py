"""An export in an Azure Storage account: listing by prefix, ranges of bounded size, one request each.

`download_blob` pins the ETag after its first chunk and fails on a blob that is appended to meanwhile
(Azure/azure-sdk-for-python#39817); a range that fits its first request never meets that.
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
    blob_at,
    day_prefix,
    whole_milliseconds,
)

CONTAINER_PREFIX = "insights-logs-advancedhunting-"
LARGEST_RANGE = 16 * 1024 * 1024


@dataclass(frozen=True)
class AzureExport:
    """The account that Microsoft's streaming API writes to. Read and list permission is all that is needed."""

    account: AzureAccount
    fixed_creation: bool = True

    def describe(self) -> str:
        """Return the account's endpoint and the way in."""
        return f"{self.account.endpoint} ({self.account.auth_method})"

    @cached_property
    def _service(self) -> BlobServiceClient:
        return self.account.service()

    def _container(self, container: str) -> ContainerClient:
        return self._service.get_container_client(container)

    def containers(self) -> list[str]:
        """Return the containers of advanced-hunting tables."""
        with self._explained("list the containers"):
            return sorted(str(found.name) for found in self._service.list_containers(name_starts_with=CONTAINER_PREFIX))

    def tenants(self, container: str) -> list[str]:
        """Return the tenants' folder names after `tenantId=`."""
        with self._explained(f"list {container}"):
            try:
                names = [
                    str(found.name)
                    for found in self._container(container).walk_blobs(name_starts_with=TENANT_PREFIX, delimiter="/")
                ]
            except ResourceNotFoundError as error:
                if not is_container_missing(error):
                    raise
                return []
        return sorted(name.removeprefix(TENANT_PREFIX).rstrip("/") for name in names if name.endswith("/"))

    def service_time(self, container: str) -> datetime | None:
        """Return what time it is for the service; None where it does not say."""
        told: list[datetime] = []

        def hook(response: PipelineResponse[Any, Any]) -> None:
            if date_header := response.http_response.headers.get("Date"):
                told.append(parsedate_to_datetime(date_header))

        with self._explained(f"list {container}"), suppress(ResourceNotFoundError):
            found = self._container(container).list_blobs(
                name_starts_with=TENANT_PREFIX, results_per_page=1, raw_response_hook=hook
            )
            next(iter(found), None)
        return told[0] if told else None

    def blobs_of_day(self, container: str, day: date) -> list[Blob]:
        """Return the blobs of one day of all tenants: one listing a tenant."""
        found: list[Blob] = []
        for tenant in self.tenants(container):
            found += self._listed(container, day_prefix(tenant, day))
        return sorted(found)

    def all_blobs(self, container: str) -> Iterator[Blob]:
        """Yield every blob of the container, page by page."""
        return self._listed(container, TENANT_PREFIX)

    def _listed(self, container: str, prefix: str) -> Iterator[Blob]:
        with self._explained(f"list {container}"):
            try:
                for found in self._container(container).list_blobs(name_starts_with=prefix):
                    blob = blob_at(str(found.name), int(found.size), found.creation_time, found.last_modified)
                    if blob is not None:
                        yield blob
            except ResourceNotFoundError as error:
                if not is_container_missing(error):
                    raise

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        """Return the bytes `[start, end)`; BlobChangedError when the answer is of another blob or shorter."""
        if not 0 <= start < end <= start + LARGEST_RANGE:
            raise ValueError(f"a range of 1 to {LARGEST_RANGE} bytes, not [{start}, {end})")
        with self._explained(f"read {container}"):
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
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except AzureError as error:
            raise ExportError(describe_error(self.account, what, error)) from None
        except (DeserializationError, UnicodeDecodeError):
            raise ExportError(no_blob_service(self.account, what)) from None


def _creation(answered: datetime | None) -> datetime | None:
    return whole_milliseconds(answered) if answered else None
