"""Blobs of the export: their paths, their generations, and the protocol of an export."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

TENANT_PREFIX = "tenantId="
# m= occurs twice, as month and minute (source facts, section 1); the day has the format of `day_prefix`
_PATH = re.compile(
    r"tenantId=(?P<tenant>[A-Za-z0-9-]{1,64})/y=(?P<y>[0-9]{4})/m=(?P<m>[0-9]{2})/d=(?P<d>[0-9]{2})"
    r"/h=(?P<h>[0-9]{1,2})/m=[0-9]{1,2}/[A-Za-z0-9_.-]{1,128}\.json"
)
GENERATION_STEP = timedelta(milliseconds=1)


class BlobChangedError(Exception):
    """The blob is not the listed one: deleted, recreated or shorter. Discard the bytes and list again."""


@dataclass(frozen=True, order=True)
class Blob:
    """One hourly blob as listed. `size` in bytes; `created_at` in whole milliseconds, UTC; `tenant_id` lower case."""

    tenant_id: str
    path: str
    day: date
    hour: int
    size: int
    created_at: datetime
    changed_at: datetime | None = field(default=None, compare=False)
    """Time of the last write."""


class Export(Protocol):
    """An export account, or a directory with the same layout. A container that does not exist yet has no blobs.

    Every method raises `ExportError` when the export cannot be read.
    """

    @property
    def fixed_creation(self) -> bool:
        """Return whether `created_at` never changes (Azure); in a directory it is the time of the last write."""

    def describe(self) -> str:
        """Return the location and the authentication method, without a secret."""

    def containers(self) -> list[str]:
        """Return the names of the existing containers of advanced-hunting tables."""

    def tenants(self, container: str) -> list[str]:
        """Return the tenants' folder names after `tenantId=`, in their original case."""

    def blobs_of_day(self, container: str, day: date) -> list[Blob]:
        """Return the blobs of one day of all tenants, with one listing per tenant."""

    def all_blobs(self, container: str) -> Iterator[Blob]:
        """Yield every blob of the container: for the daily sweep, never for a sensor tick."""

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        """Return the bytes `[start, end)` in one request.

        Raises:
            BlobChangedError: when the blob is no longer the listed one, or ends before `end`.
        """


def blob_at(path: str, size: int, created_at: datetime, changed_at: datetime) -> Blob | None:
    """Return the blob at a path of the export's layout, or None for any other path."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    try:
        hour = datetime(int(match["y"]), int(match["m"]), int(match["d"]), int(match["h"]), tzinfo=UTC)
    except ValueError:
        return None
    tenant = match["tenant"].lower()
    return Blob(tenant, path, hour.date(), hour.hour, size, whole_milliseconds(created_at), changed_at)


def day_prefix(tenant: str, day: date) -> str:
    """Return the path prefix of a tenant's blobs of a day."""
    return f"{TENANT_PREFIX}{tenant}/y={day:%Y}/m={day:%m}/d={day:%d}/"


def whole_milliseconds(moment: datetime) -> datetime:
    """Return the moment truncated to milliseconds, the precision of the Delta log statistics that cursors come from."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def generation(blob: Blob, known: Mapping[datetime, int], *, fixed_creation: bool) -> tuple[datetime, int]:
    """Return the generation that the listed blob belongs to, and its cursor.

    `known` maps the blob's generations in raw to their cursors. With a fixed creation time only generations of the
    same second match (Azure's precision); in a directory, the latest one. A blob shorter than its cursor has been
    rewritten: it is a new generation with cursor 0.
    """
    if fixed_creation:
        second = blob.created_at.replace(microsecond=0)
        candidates = [created for created in known if created.replace(microsecond=0) == second]
    else:
        candidates = list(known)
    if not candidates:
        return blob.created_at, 0
    latest = max(candidates)
    if blob.size >= known[latest]:
        return latest, known[latest]
    return max(blob.created_at, latest + GENERATION_STEP), 0
