"""Which days are behind, in bytes or in tables: a pure function of a listing and the lake."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.errors import ExportError
from defender_assets.core.export.blobs import Blob, Export, UnreadablePart, generation
from defender_assets.core.export.listing import list_day
from defender_assets.core.lake.damage import naming_damage
from defender_assets.core.lake.data_files import HeldPartition, held_partitions
from defender_assets.core.lake.fences import NOTHING, Versions
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.pipeline.derived_table import staleness_of, upstream_state
from defender_assets.core.raw.cursors import Cursors, cursors_of, digest_bytes, read_ranges
from defender_assets.core.raw.tails import tail_name
from defender_assets.core.schemas import QUARANTINE, TABLES, Table
from defender_assets.core.tables.agreement import disagreement
from defender_assets.core.text import first_few, pluralize

Listing = Mapping[date, list[tuple[Table, Blob | UnreadablePart]]]
"""Day -> the blobs of each table, and the parts of the day that could not be listed."""

NAMED = 3


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
    """A partition that is behind its upstream, or was built from something else: why, and from what it is to be built.

    `inputs` identifies the upstream's state, so that another state is another digest.
    """

    table: str
    version: int
    upstream: int
    why: str
    inputs: int = 0


@dataclass(frozen=True)
class StaleDay:
    """A day that is behind: the bytes that raw lacks, the partitions that are stale, and what cannot be listed."""

    day: date
    missing: tuple[Missing, ...]
    stale: tuple[Stale, ...]
    unreadable: tuple[UnreadablePart, ...] = ()

    @property
    def missing_bytes(self) -> int:
        """Return the number of bytes that raw lacks."""
        return sum(part.size - part.cursor for part in self.missing)

    @property
    def digest(self) -> str:
        """Return a hash of everything that is missing or stale; it changes when any of it changes."""
        what = (self.day, self.missing, self.stale, *sorted({part.where for part in self.unreadable}))
        return hashlib.blake2b(repr(what).encode(), digest_size=8).hexdigest()

    def describe(self) -> str:
        """Return one line of text for logs and metadata."""
        blobs = pluralize(len(self.missing), "blob")
        parts = [f"{pluralize(self.missing_bytes, 'new byte')} in {blobs}"] if self.missing else []
        parts += [f"{stale.table} {stale.why}" for stale in self.stale]
        parts += first_few([f"{part.where} cannot be listed" for part in self.unreadable], NAMED)
        return f"{self.day}: " + ", ".join(parts)


@dataclass(frozen=True)
class _OpenedLake:
    """What the logs of the opened tables tell of the days; other tables count as empty."""

    versions: Mapping[str, Versions]
    held: Mapping[str, Mapping[tuple[str, date], HeldPartition]] = field(default_factory=dict)
    ranges: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def version(self, name: str, fence: str, day: date) -> int:
        return self.versions.get(name, NOTHING)(fence, day)

    def partition(self, name: str, fence: str, day: date) -> HeldPartition:
        return self.held.get(name, {}).get((fence, day), HeldPartition())

    @cached_property
    def digests(self) -> Mapping[str, Mapping[date, str]]:
        return {name: digest_bytes(ranges) for name, ranges in self.ranges.items()}

    def is_empty(self, day: date, listing: Listing) -> bool:
        """Return whether a day has no blobs, and neither raw nor what is parsed from it ever had any."""
        return not listing.get(day) and not any(
            self.version(name, fence, day)
            for table in TABLES
            for name, fence in ((table.raw, table.raw), (table.name, table.name), (QUARANTINE, table.name))
        )


def _stale(tables: Iterable[TableSpec], day: date, lake: _OpenedLake) -> list[Stale]:
    stale = []
    for table in TABLES:
        raw = lake.version(table.raw, table.raw, day)
        digest = lake.digests.get(table.raw, {}).get(day)
        for opened in (QUARANTINE, table.name):
            versions = lake.versions.get(opened, NOTHING)
            version = versions(table.name, day)
            why = f"at version {version} of {raw}" if version < raw else None
            why = why or disagreement(table, day, versions, lake.partition(opened, table.name, day), raw, digest)
            if why:
                shown = opened if opened == table.name else f"{QUARANTINE} of {table.name}"
                stale.append(Stale(shown, version, raw, why))
    for derived in (table for table in tables if table.upstreams):
        upstream = upstream_state(derived, day, lake.versions)
        versions = lake.versions.get(derived.name, NOTHING)
        why = staleness_of(derived, day, versions, lake.partition(derived.name, derived.name, day), upstream)
        if why:
            stale.append(Stale(derived.name, versions(derived.name, day), upstream.version, why, upstream.inputs))
    return stale


def list_days(export: Export, days: Iterable[date]) -> Listing:
    """Return the listing of the days, by prefix: one list call per day, table and tenant.

    Raises:
        ExportError: when nothing can be listed for a day.
    """
    listing: dict[date, list[tuple[Table, Blob | UnreadablePart]]] = {}
    for day in days:
        listed = [(table, list_day(export, table.container, day)) for table in TABLES]
        if not any(of_table.answered for _, of_table in listed):
            raise ExportError(listed[0][1].unreadable[0].reason)
        listing[day] = [(table, entry) for table, found in listed for entry in found.entries]
    return listing


def list_all(export: Export) -> tuple[Listing, list[UnreadablePart]]:
    """Return every blob of the export by day, and the parts that cannot be listed and may have blobs of any day.

    Raises:
        ExportError: when no container can be listed.
    """
    listing: dict[date, list[tuple[Table, Blob | UnreadablePart]]] = defaultdict(list)
    of_any_day: list[UnreadablePart] = []
    failed: list[ExportError] = []
    for table in TABLES:
        try:
            for entry in export.all_entries(table.container):
                if isinstance(entry, Blob | UnreadablePart) and entry.day:
                    listing[entry.day].append((table, entry))
                elif isinstance(entry, UnreadablePart):
                    of_any_day.append(entry)
        except ExportError as error:
            failed.append(error)
            of_any_day.append(UnreadablePart(table.container, "", str(error)))
    if len(failed) == len(TABLES):
        raise failed[0]
    return listing, of_any_day


def days_without_blobs(lake: Lake, listing: Listing, first: date, last: date) -> list[date]:
    """Return the retained days from `first` to `last` that have neither blobs nor raw bytes.

    Days before the first blob of the listing are left out: the export may have started later, or the account may have
    deleted their blobs. So are days from its last blob on: the account shows no sign of life since, so the export may
    have stopped.
    """
    seen = (day for day, entries in listing.items() if any(isinstance(entry, Blob) for _, entry in entries))
    last = min(last, max((day for day in seen if day <= last + timedelta(days=1)), default=date.min))
    names = [*(name for table in TABLES for name in (table.raw, table.name)), QUARANTINE]
    opened = _OpenedLake({name: lake.versions(lake.snapshot(name, create=True)) for name in names})
    start = max(first, lake.first_day(), min(listing, default=date.max))
    days = (start + timedelta(days=number) for number in range((last - start).days + 1))
    return [day for day in days if opened.is_empty(day, listing)]


def _opened(lake: Lake, tables: Mapping[str, DeltaTable], days: Collection[date]) -> _OpenedLake:
    raw = {table.raw for table in TABLES}
    return _OpenedLake(
        {name: lake.versions(table) for name, table in tables.items()},
        {name: held_partitions(table, lake.spec(name), days) for name, table in tables.items() if name not in raw},
        {name: read_ranges(table, days) for name, table in tables.items() if name in raw},
    )


def find_stale_days(
    lake: Lake,
    export: Export,
    days: Iterable[date],
    listing: Listing | None = None,
    *,
    existing: Collection[str] | None = None,
) -> list[StaleDay]:
    """Return which of the days are behind, oldest first. The lake is opened after the listing, so it is never older.

    Days past retention, days without blobs and raw bytes, and tails that a run has looked through are never behind.

    By default, missing tables are created. If `existing` is given, only those tables are opened, for reading only, and
    the others count as empty.
    """
    first = lake.first_day()
    retained = sorted({day for day in days if day >= first})
    if listing is None:
        listing = list_days(export, retained)
    # downstream first: beside a run, no table looks newer than its upstream
    daily = [table.name for table in reversed(lake.tables) if table.daily]
    if existing is None:
        opened = {name: lake.snapshot(name, create=True) for name in daily}
    else:
        opened = {name: lake.snapshot(name) for name in daily if name in existing}
    with naming_damage(lake, {table.raw: (min(retained, default=first), date.max) for table in TABLES}):
        state = _opened(lake, opened, retained)
        cursors: dict[str, Cursors] = {name: cursors_of(ranges, retained) for name, ranges in state.ranges.items()}
    behind = []
    for day in retained:
        if state.is_empty(day, listing):
            continue
        entries = listing.get(day, [])
        missing = [
            Missing(table.raw, blob.path, created_at, cursor, blob.size)
            for table, blob in entries
            if isinstance(blob, Blob)
            for known in [cursors.get(table.raw, {}).get(day, {}).get(blob.path, {})]
            for created_at, cursor in [generation(blob, known, fixed_creation=export.fixed_creation)]
            if blob.size > cursor
            and state.version(table.raw, tail_name(table, blob, created_at, cursor), day) != blob.size
        ]
        missing.sort(key=lambda part: (part.table, part.blob, part.created_at))
        stale = _stale(lake.tables, day, state)
        unreadable = sorted(part for _, part in entries if isinstance(part, UnreadablePart))
        if missing or stale or unreadable:
            behind.append(StaleDay(day, tuple(missing), tuple(stale), tuple(unreadable)))
    return behind
