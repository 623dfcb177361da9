"""Which days are behind, in bytes or in tables: a pure function of a listing and the lake."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from deltalake import DeltaTable

from defender_assets.core.export.blobs import Blob, Export, generation
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.raw.cursors import Cursors, read_cursors
from defender_assets.core.schemas import QUARANTINE, TABLES, Table
from defender_assets.core.text import pluralize

Listing = Mapping[date, list[tuple[Table, Blob]]]
VersionLookup = Callable[[str, str, date], int]
"""Version of (opened table, fence's table, day); 0 if it was never written."""


@dataclass(frozen=True)
class Missing:
    """The bytes of one blob generation that raw lacks, from `cursor` to `size`."""

    table: str
    blob: str
    created_at: datetime
    cursor: int
    size: int


@dataclass(frozen=True)
class Stale:
    """A partition whose version is lower than its upstream's."""

    table: str
    version: int
    upstream: int


@dataclass(frozen=True)
class StaleDay:
    """A day that is behind: the bytes that raw lacks and the partitions that are stale."""

    day: date
    missing: tuple[Missing, ...]
    stale: tuple[Stale, ...]

    @property
    def missing_bytes(self) -> int:
        """Return the number of bytes that raw lacks."""
        return sum(part.size - part.cursor for part in self.missing)

    @property
    def digest(self) -> str:
        """Return a hash of everything that is missing or stale; it changes when any of it changes."""
        return hashlib.blake2b(repr((self.day, self.missing, self.stale)).encode(), digest_size=8).hexdigest()

    def describe(self) -> str:
        """Return one line of text for logs and metadata."""
        blobs = pluralize(len(self.missing), "blob")
        parts = [f"{pluralize(self.missing_bytes, 'new byte')} in {blobs}"] if self.missing else []
        parts += [f"{stale.table} at version {stale.version} of {stale.upstream}" for stale in self.stale]
        return f"{self.day}: " + ", ".join(parts)


def _is_empty(day: date, listing: Listing, versions: VersionLookup) -> bool:
    return not listing.get(day) and not any(versions(table.raw, table.raw, day) for table in TABLES)


def _stale(tables: Iterable[TableSpec], day: date, versions: VersionLookup) -> list[Stale]:
    stale = []
    for table in TABLES:
        raw = versions(table.raw, table.raw, day)
        for opened in (QUARANTINE, table.name):
            version = versions(opened, table.name, day)
            if version < raw:
                stale.append(Stale(opened if opened == table.name else f"{QUARANTINE} of {table.name}", version, raw))
    for derived in (table for table in tables if table.upstreams):
        upstream = derived.upstream_version(day, lambda name, day: versions(name, name, day))
        version = versions(derived.name, derived.name, day)
        if version < upstream:
            stale.append(Stale(derived.name, version, upstream))
    return stale


def list_days(export: Export, days: Iterable[date]) -> dict[date, list[tuple[Table, Blob]]]:
    """Return the blobs of the days, listed by prefix: one list call per day, table and tenant."""
    return {
        day: [(table, blob) for table in TABLES for blob in export.blobs_of_day(table.container, day)] for day in days
    }


def list_all(export: Export) -> Listing:
    """Return every blob of the export by day."""
    listing: dict[date, list[tuple[Table, Blob]]] = defaultdict(list)
    for table in TABLES:
        for blob in export.all_blobs(table.container):
            listing[blob.day].append((table, blob))
    return listing


def days_without_blobs(lake: Lake, listing: Listing, first: date, last: date) -> list[date]:
    """Return the retained days from `first` to `last` that have neither blobs nor raw bytes.

    Days before the first blob of the listing are left out: the export may have started later, or the account may have
    deleted their blobs. So are days from its last blob on: the account shows no sign of life since, so the export may
    have stopped.
    """
    shown = (day for day in listing if day <= last + timedelta(days=1))
    last = min(last, max(shown, default=date.min))
    versions = _versions(lake, {table.raw: lake.open(table.raw) for table in TABLES})
    start = max(first, lake.first_day(), min(listing, default=date.max))
    days = (start + timedelta(days=number) for number in range((last - start).days + 1))
    return [day for day in days if _is_empty(day, listing, versions)]


def _versions(lake: Lake, opened: Mapping[str, DeltaTable]) -> VersionLookup:
    """Return the version lookup of the opened tables; other tables count as empty."""
    versions = {name: lake.versions(table) for name, table in opened.items()}
    return lambda name, fence, day: versions[name](fence, day) if name in versions else 0


def find_stale_days(
    lake: Lake,
    export: Export,
    days: Iterable[date],
    listing: Listing | None = None,
    *,
    existing: Collection[str] | None = None,
) -> list[StaleDay]:
    """Return which of the days are behind, oldest first. The lake is opened after the listing, so it is never older.

    Days past retention, and days without blobs and raw bytes, are never behind. By default, missing tables are created.
    If `existing` is given, only those tables are opened, for reading only, and the others count as empty.
    """
    first = lake.first_day()
    retained = sorted({day for day in days if day >= first})
    if listing is None:
        listing = list_days(export, retained)
    daily = [table.name for table in lake.tables if table.daily]
    if existing is None:
        opened = {name: lake.open(name) for name in daily}
    else:
        opened = {name: lake.snapshot(name) for name in daily if name in existing}
    versions = _versions(lake, opened)
    cursors: dict[str, Cursors] = {
        table.raw: read_cursors(opened[table.raw], retained) if table.raw in opened else {} for table in TABLES
    }
    behind = []
    for day in retained:
        if _is_empty(day, listing, versions):
            continue
        missing = [
            Missing(table.raw, blob.path, created_at, cursor, blob.size)
            for table, blob in listing.get(day, [])
            for known in [cursors[table.raw].get(day, {}).get(blob.path, {})]
            for created_at, cursor in [generation(blob, known, fixed_creation=export.fixed_creation)]
            if blob.size > cursor
        ]
        missing.sort(key=lambda part: (part.table, part.blob, part.created_at))
        stale = _stale(lake.tables, day, versions)
        if missing or stale:
            behind.append(StaleDay(day, tuple(missing), tuple(stale)))
    return behind
