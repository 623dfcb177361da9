"""Which days are behind, in bytes or in derived tables. A total function of a listing and the lake; it changes nothing.

Asking for runs, and how often, is the sensor's business.
"""

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
Held = Callable[[str, str, date], int]
"""Version of (table opened, fence's table, day)."""


@dataclass(frozen=True)
class Missing:
    """Bytes that a container holds and raw lacks: of one blob generation, from `cursor` to `size`."""

    table: str
    blob: str
    created_at: datetime
    cursor: int
    size: int


@dataclass(frozen=True)
class Stale:
    """A derived partition whose version is below what its upstream holds."""

    table: str
    version: int
    upstream: int


@dataclass(frozen=True)
class StaleDay:
    """A day that is behind, and in what."""

    day: date
    missing: tuple[Missing, ...]
    stale: tuple[Stale, ...]

    @property
    def missing_bytes(self) -> int:
        """Return how many bytes raw lacks."""
        return sum(part.size - part.cursor for part in self.missing)

    @property
    def digest(self) -> str:
        """Return a hash of all that is missing: the same until any of it changes."""
        return hashlib.blake2b(repr((self.day, self.missing, self.stale)).encode(), digest_size=8).hexdigest()

    def describe(self) -> str:
        """Return one line for the log of the sensor."""
        blobs = pluralize(len(self.missing), "blob")
        parts = [f"{pluralize(self.missing_bytes, 'new byte')} in {blobs}"] if self.missing else []
        parts += [f"{stale.table} at version {stale.version} of {stale.upstream}" for stale in self.stale]
        return f"{self.day}: " + ", ".join(parts)


def stale_days_in(
    lake: Lake,
    days: Iterable[date],
    listing: Listing,
    cursors: Mapping[str, Cursors],
    held: Held,
    *,
    fixed_creation: bool,
) -> list[StaleDay]:
    """Return which of the days are behind, oldest first. Days without blobs and without raw bytes never are."""
    behind = []
    for day in sorted(days):
        if _is_empty(day, listing, held):
            continue
        missing = [
            Missing(table.raw, blob.path, created_at, cursor, blob.size)
            for table, blob in listing.get(day, [])
            for created_at, cursor in [
                generation(blob, cursors[table.raw][day].get(blob.path, {}), fixed_creation=fixed_creation)
            ]
            if blob.size > cursor
        ]
        stale = _stale(lake.tables, day, held)
        if missing or stale:
            order = sorted(missing, key=lambda part: (part.table, part.blob, part.created_at))
            behind.append(StaleDay(day, tuple(order), tuple(stale)))
    return behind


def _is_empty(day: date, listing: Listing, held: Held) -> bool:
    """Return whether a day has neither blobs nor raw bytes."""
    return not listing.get(day) and not any(held(table.raw, table.raw, day) for table in TABLES)


def _stale(tables: Iterable[TableSpec], day: date, held: Held) -> list[Stale]:
    stale = []
    for table in TABLES:
        raw = held(table.raw, table.raw, day)
        for opened in (QUARANTINE, table.name):
            version = held(opened, table.name, day)
            if version < raw:
                stale.append(Stale(opened if opened == table.name else f"{QUARANTINE} of {table.name}", version, raw))
    for derived in (table for table in tables if table.upstreams):
        upstream = derived.upstream_version(day, lambda name, of: held(name, name, of))
        version = held(derived.name, derived.name, day)
        if version < upstream:
            stale.append(Stale(derived.name, version, upstream))
    return stale


def list_days(export: Export, days: Iterable[date]) -> dict[date, list[tuple[Table, Blob]]]:
    """Return the blobs of the days, listed by prefix: as many list calls as there are days, tables and tenants."""
    return {
        day: [(table, blob) for table in TABLES for blob in export.blobs_of_day(table.container, day)] for day in days
    }


def list_all(export: Export) -> Listing:
    """Return every blob of the export by day: for the daily sweep."""
    listing: dict[date, list[tuple[Table, Blob]]] = defaultdict(list)
    for table in TABLES:
        for blob in export.all_blobs(table.container):
            listing[blob.day].append((table, blob))
    return listing


def days_without_blobs(lake: Lake, listing: Listing, first: date, last: date) -> list[date]:
    """Return which days from `first` to `last` hold no blobs, of those that the lake keeps and holds nothing of.

    Of days before the first blob nothing can be said: the export may have begun later, or the account deleted them.
    Nor is a day among them whose blobs the account has deleted since they were read.
    """
    held = _held(lake, {table.raw: lake.open(table.raw) for table in TABLES})
    start = max(first, lake.first_day(), min(listing, default=date.max))
    days = (start + timedelta(days=number) for number in range((last - start).days + 1))
    return [day for day in days if _is_empty(day, listing, held)]


def _held(lake: Lake, opened: Mapping[str, DeltaTable]) -> Held:
    """Return what answers with the versions of the opened tables; another table counts as empty."""
    versions = {name: lake.versions(table) for name, table in opened.items()}
    return lambda name, fence, day: versions[name](fence, day) if name in versions else 0


def find_stale_days(
    lake: Lake,
    export: Export,
    days: Iterable[date],
    listing: Listing | None = None,
    *,
    there: Collection[str] | None = None,
) -> list[StaleDay]:
    """Return which of the days are behind now. The lake is opened after the listing, so it can only be further.

    Days that are older than the lake keeps are never behind, though their blobs may still be there. A table that is
    not `there` (by default all are) counts as empty; of the others, one that the lake lacks is created.
    """
    first = lake.first_day()
    wanted = sorted({day for day in days if day >= first})
    listed = list_days(export, wanted) if listing is None else listing
    daily = [table.name for table in lake.tables if table.daily]
    opened = {name: lake.open(name) for name in daily if there is None or name in there}
    cursors: dict[str, Cursors] = {
        table.raw: read_cursors(opened[table.raw], wanted) if table.raw in opened else {day: {} for day in wanted}
        for table in TABLES
    }
    return stale_days_in(lake, wanted, listed, cursors, _held(lake, opened), fixed_creation=export.fixed_creation)
