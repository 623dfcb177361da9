"""Blobs of the export: their paths, their generations, what is no blob, and the protocol of an export."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

TENANT_PREFIX = "tenantId="
_TENANT = r"tenantId=(?P<tenant>[A-Za-z0-9-]{1,64})/"
_DAY = r"y=(?P<y>[0-9]{4})/m=(?P<m>[0-9]{2})/d=(?P<d>[0-9]{2})/"
# m= occurs twice, as month and minute (source facts, section 1); the day has the format of `day_prefix`; a name with a
# dot in front is a temporary file of AzCopy or rsync, or metadata of macOS
_PATH = re.compile(_TENANT + _DAY + r"h=(?P<h>[0-9]{1,2})/m=[0-9]{1,2}/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}\.json")
_TENANT_FOLDER, _IN_DAY = re.compile(_TENANT), re.compile(_TENANT + _DAY)
_COMPRESSED = (".7z", ".bz2", ".gz", ".lz4", ".snappy", ".tar", ".tgz", ".xz", ".zip", ".zst")
# the layout of Azure Monitor's generic documentation, which the Streaming API does not use
RESOURCE_PREFIX = "resourceid="
MOST_IGNORED = 1000
GENERATION_STEP = timedelta(milliseconds=1)
HOURS = 24


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


@dataclass(frozen=True, order=True)
class UnreadablePart:
    """A part of a container that cannot be read; everything else may be readable.

    `path` is a blob, a folder (with `/` at its end), or empty for the whole container. `reason` is one line without
    secrets that says what failed and what to do.
    """

    container: str
    path: str
    reason: str

    @property
    def day(self) -> date | None:
        """Return the day that contains the part; None if the part has several days."""
        match = _IN_DAY.match(self.path)
        return _day_of(match) if match else None

    @property
    def where(self) -> str:
        """Return the container and the path."""
        return f"{self.container}/{self.path}"


class Kind(StrEnum):
    """Why a file is not one of the export's blobs."""

    LINK = "link"
    HIDDEN = "name with a dot in front"
    COMPRESSED = "compressed"
    RESOURCE = "resourceId= folder"
    OTHER = "other name"


@dataclass(frozen=True)
class IgnoredFile:
    """A file, or a link, that is not read. Its path may contain any character."""

    path: str
    kind: Kind


Entry = Blob | UnreadablePart | IgnoredFile


class Export(Protocol):
    """An export account, or a directory with the same layout. A container that does not exist yet has no blobs.

    Every method raises `ExportError` when the export cannot be read, and `UnreadableError`, which is one, when only the
    requested part of it is refused.
    """

    @property
    def fixed_creation(self) -> bool:
        """Return whether `created_at` never changes (Azure); in a directory it is the time of the last write."""

    def describe(self) -> str:
        """Return the location and the authentication method, without a secret."""

    def service_time(self) -> datetime | None:
        """Return the account's clock; None for a directory, and if the account does not answer. It never raises."""

    def containers(self) -> list[str]:
        """Return the names of the existing containers of advanced-hunting tables."""

    def tenants(self, container: str) -> list[str]:
        """Return the tenants' folder names after `tenantId=`, in their original case, without names of other forms."""

    def blobs_of_tenant(self, container: str, tenant: str, day: date) -> Iterator[Blob | UnreadablePart]:
        """Yield the blobs of one day of a tenant, and the parts of that day that cannot be listed."""

    def all_entries(self, container: str) -> Iterator[Entry]:
        """Yield everything in the tenants' folders: for the daily sweep, never for a sensor tick."""

    def outside(self, container: str) -> Iterator[IgnoredFile]:
        """Yield what the container has outside of the tenants' folders, at most MOST_IGNORED of each folder."""

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        """Return the bytes `[start, end)` in one request.

        Raises:
            BlobChangedError: when the blob is no longer the listed one, or ends before `end`.
            UnreadableError: when the export refuses this blob.
        """


def blob_at(path: str, size: int, created_at: datetime, changed_at: datetime | None) -> Blob | None:
    """Return the blob at a path of the export's layout, or None for any other path."""
    match = _PATH.fullmatch(path)
    day, hour = (_day_of(match), int(match["h"])) if match else (None, 0)
    if match is None or day is None or hour >= HOURS:
        return None
    return Blob(match["tenant"].lower(), path, day, hour, size, whole_milliseconds(created_at), changed_at)


def ignored(path: str) -> IgnoredFile:
    """Return the file at a path that is no blob's, with the reason."""
    name = path.rpartition("/")[2].lower()
    if any(part.startswith(".") for part in path.split("/")):
        return IgnoredFile(path, Kind.HIDDEN)
    if name.endswith(_COMPRESSED):
        return IgnoredFile(path, Kind.COMPRESSED)
    return IgnoredFile(path, Kind.RESOURCE if path.lower().startswith(RESOURCE_PREFIX) else Kind.OTHER)


def is_tenant_folder(name: str) -> bool:
    """Return whether a top-level folder, with or without `/` at its end, is a tenant's."""
    return _TENANT_FOLDER.fullmatch(f"{name.removesuffix('/')}/") is not None


def _day_of(match: re.Match[str]) -> date | None:
    try:
        return date(int(match["y"]), int(match["m"]), int(match["d"]))
    except ValueError:
        return None


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
