"""What a blob of the export is: its path's grammar, its generation, and the protocol that both kinds of export keep.

The reading itself stands in `azure` and `directory`; which bytes are new is `raw`'s question.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

TENANT_PREFIX = "tenantId="
# m= stands twice, month and minute (source facts, section 1); a day is spelt as `day_prefix` lists it
_PATH = re.compile(
    r"tenantId=(?P<tenant>[A-Za-z0-9-]{1,64})/y=(?P<y>[0-9]{4})/m=(?P<m>[0-9]{2})/d=(?P<d>[0-9]{2})"
    r"/h=(?P<h>[0-9]{1,2})/m=[0-9]{1,2}/[A-Za-z0-9_.-]{1,128}\.json"
)
GENERATION_STEP = timedelta(milliseconds=1)


class BlobChangedError(Exception):
    """The blob is not the one that was listed: gone, recreated or shorter. Drop the bytes and list again."""


@dataclass(frozen=True, order=True)
class Blob:
    """One hourly blob as listed. `size` in bytes; `created_at` in whole milliseconds, UTC; `tenant_id` lower case.

    `changed_at` is the time of the last write.
    """

    tenant_id: str
    path: str
    day: date
    hour: int
    size: int
    created_at: datetime
    changed_at: datetime | None = field(default=None, compare=False)


class Export(Protocol):
    """An export account or a directory in the same layout. A container that does not exist yet holds no blobs.

    `fixed_creation` says whether `created_at` is the blob's own for good (Azure) or merely the time of the last write
    (a directory). Every method raises `ExportError` when the export cannot be reached.
    """

    @property
    def fixed_creation(self) -> bool:
        """Return whether `created_at` is the blob's own."""
        ...

    def describe(self) -> str:
        """Return where the export is and how it is reached, without a secret."""
        ...

    def containers(self) -> list[str]:
        """Return the names of the containers of advanced-hunting tables that exist."""
        ...

    def tenants(self, container: str) -> list[str]:
        """Return the tenants' folder names after `tenantId=`, as spelt."""
        ...

    def blobs_of_day(self, container: str, day: date) -> list[Blob]:
        """Return the blobs of one day of all tenants, listed by prefix."""
        ...

    def all_blobs(self, container: str) -> Iterator[Blob]:
        """Yield every blob of the container: for the daily sweep, never for a tick."""
        ...

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        """Return the bytes `[start, end)` in one request.

        Raises:
            BlobChangedError: when the blob is no longer the listed one, or ends before `end`.
        """
        ...


def blob_at(path: str, size: int, created_at: datetime, changed_at: datetime) -> Blob | None:
    """Return the blob at a path of the export's layout, or None for any other path."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    try:
        day = date(int(match["y"]), int(match["m"]), int(match["d"]))
    except ValueError:
        return None
    hour = int(match["h"])
    if hour not in range(24):
        return None
    return Blob(match["tenant"].lower(), path, day, hour, size, whole_milliseconds(created_at), changed_at)


def day_prefix(tenant: str, day: date) -> str:
    """Return the prefix under which a tenant's blobs of a day stand."""
    return f"{TENANT_PREFIX}{tenant}/y={day:%Y}/m={day:%m}/d={day:%d}/"


def whole_milliseconds(moment: datetime) -> datetime:
    """Return the moment cut to milliseconds: the precision of the Delta log's statistics, which answer the cursor."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def generation(blob: Blob, known: Mapping[datetime, int], *, fixed_creation: bool) -> tuple[datetime, int]:
    """Return the generation that the listed blob's bytes belong to, and the cursor in it.

    `known` maps the generations that raw holds of this blob to their cursors. Where the listing tells the creation
    time, only generations of that time (Azure's has whole seconds) can be meant; in a directory, the latest one. A
    blob that is shorter than its cursor has been written anew: a new generation, read from 0.
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
