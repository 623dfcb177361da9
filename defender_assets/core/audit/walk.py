"""The audit of a span of days, from the contents of export and lake: no cursor, version or log statistic decides."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from defender_assets.core.audit.counts import entries, ranges_of, read_content, unaccounted
from defender_assets.core.audit.findings import BlobEntry, Difference, Kind, TableAudit
from defender_assets.core.audit.keys import LINES, Places, line_keys, row_keys, set_hash
from defender_assets.core.audit.leads import ALERT_TABLES, AlertWindow, compare_leads
from defender_assets.core.audit.raw_content import ContentWalk, Generation, RawDay
from defender_assets.core.audit.rows import Held, compare_lines, compare_rows, differences
from defender_assets.core.errors import LakeError
from defender_assets.core.export.blobs import Blob, Export
from defender_assets.core.export.listing import list_day
from defender_assets.core.lake.damage import naming_damage
from defender_assets.core.lake.data_files import data_files
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import in_batches, scan_days
from defender_assets.core.leads import ALERT_LOOKBACK_DAYS
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.schemas import QUARANTINE, QUARANTINE_SCHEMA, TABLES, Table

ROWS_AT_ONCE = 50_000
ATTEMPTS = 3
"""How often a day is audited that differs while runs write to its tables."""


@dataclass(frozen=True)
class Audit:
    """One day: its three tables, and what differs between them and the day's leads."""

    day: date
    tables: tuple[TableAudit, ...]
    leads: tuple[Difference, ...] = ()
    lead_problems: tuple[str, ...] = ()

    @property
    def differences(self) -> list[Difference]:
        """Return all differences of the day."""
        return [*(each for table in self.tables for each in table.differences), *self.leads]

    @property
    def problems(self) -> list[str]:
        """Return what could not be compared."""
        return [*(each for table in self.tables for each in table.problems), *self.lead_problems]

    @property
    def pending(self) -> int:
        """Return the bytes that the export has and raw has not read yet: nothing can be said of them."""
        return sum(table.pending for table in self.tables)

    @property
    def entries(self) -> list[BlobEntry]:
        """Return the blob-hours of the day."""
        return [entry for table in self.tables for entry in table.entries]


def days_held(lake: Lake, export: Export | None) -> list[date]:
    """Return the retained days that the lake or the export has, in order.

    Raises:
        ExportError: when the export cannot be listed.
        LakeError: when the lake cannot be reached.
    """
    names = [name for table in TABLES for name in (table.raw, table.name)]
    days = {day for name in (*names, QUARANTINE, LEADS_TABLE) for day in _days_of(lake, name)}
    if export is not None:
        for table in TABLES:
            days |= {entry.day for entry in export.all_entries(table.container) if isinstance(entry, Blob)}
    return sorted(day for day in days if day >= lake.first_day())


def audit_days(lake: Lake, export: Export | None, days: Iterable[date]) -> Iterator[Audit]:
    """Yield the audit of each day, in order, and write nothing.

    In memory are 60 bytes per record: of one day of a table, and of 31 days of alerts.

    Without an export, raw is compared with the tables only. A part that cannot be read is a problem of its day.

    Raises:
        LakeError: when the lake cannot be reached.
    """
    days = sorted(set(days))
    held = [
        day
        for name in (*(table.raw for table in TABLES), *(table.name for table in TABLES))
        for day in _days_of(lake, name)
    ]
    held_from = max(min(held, default=date.max), lake.first_day())
    window, seen = AlertWindow(), set()
    for day in days:
        for back in range(ALERT_LOOKBACK_DAYS, 0, -1):
            before = day - timedelta(days=back)
            if before >= held_from and before not in seen and before not in days:
                _audited(lake, None, before, ALERT_TABLES, window, held_from, with_leads=False)
                seen.add(before)
        yield _audited(lake, export, day, TABLES, window, held_from, with_leads=True)


def _audited(
    lake: Lake,
    export: Export | None,
    day: date,
    tables: Collection[Table],
    window: AlertWindow,
    held_from: date,
    *,
    with_leads: bool,
) -> Audit:
    """Audit a day; once more if it differs and a run has changed one of its tables meanwhile."""
    for _ in range(ATTEMPTS):
        before = _versions(lake)
        places = Places()
        found = [_audit_table(lake, export, table, day, window, places) for table in tables]
        audit = Audit(day, tuple(found))
        if with_leads:
            audit = _with_leads(lake, audit, window, places, held_from)
        if not audit.differences or _versions(lake) == before:
            break
    return audit


def _with_leads(lake: Lake, audit: Audit, window: AlertWindow, places: Places, held_from: date) -> Audit:
    day = audit.day
    if failed := window.failed_before(day):
        unread = f"the leads of {day} were not compared: alerts of {', '.join(map(str, failed))} cannot be read"
        return replace(audit, lead_problems=(unread,))
    eve = day - timedelta(days=ALERT_LOOKBACK_DAYS)
    # retention may have removed the copy that made a record of the day an old one
    whole = lake.keep_days is None or eve >= held_from
    try:
        with naming_damage(lake, {LEADS_TABLE: (day, day)}):
            leads = lake.read(LEADS_TABLE)
            found = tuple(compare_leads(day, leads, window, places, held_from, whole_lookback=whole))
    except LakeError as error:
        return replace(audit, lead_problems=(str(error),))
    return replace(audit, leads=found)


def _audit_table(
    lake: Lake, export: Export | None, table: Table, day: date, window: AlertWindow, places: Places
) -> TableAudit:
    audit = TableAudit(table.name, day)
    try:
        with naming_damage(lake, dict.fromkeys((table.raw, table.name, QUARANTINE), (day, day))):
            records, typed = _compare_table(lake, export, table, day, places, audit)
    except LakeError as error:
        audit.problems.append(str(error))
        if table in ALERT_TABLES:
            window.failed.add(day)
        return audit
    if table in ALERT_TABLES:
        window.add(day, table.name, records, typed)
    return audit


def _compare_table(
    lake: Lake, export: Export | None, table: Table, day: date, places: Places, audit: TableAudit
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Fill the audit; return KEYS of the records in raw and of the typed rows."""
    # downstream first, so that beside a run no table looks newer than its upstream
    typed_rows = _rows_of(lake, table.name, day, table.schema)
    quarantine = lake.read(QUARANTINE).filter(pl.col("export_date") == day, pl.col("table_name") == table.name)
    lines = [line_keys(frame, places) for frame in in_batches(quarantine.select(QUARANTINE_SCHEMA.names()), 1000)]
    typed = row_keys(table, in_batches(typed_rows, ROWS_AT_ONCE), places)
    raw = RawDay.read(lake.snapshot(table.raw), day) if lake.exists(table.raw) else None
    listed, audit.unread, shown = _matched(export, table, day, raw, audit)
    if raw is None:
        walk = ContentWalk(table, day, iter(()))
    else:
        audit.differences += raw.misfiled(table)
        walk = ContentWalk(table, day, raw.chunks(), export, listed)
    records, bad, tally = read_content(table, walk, raw.size if raw else 0, places)
    held = Held(records, bad, ranges_of(walk), shown)
    of_lines = compare_lines(held, pl.concat([LINES.to_frame(), *lines]))
    found = compare_rows(held, typed, dict(of_lines)[Kind.READABLE_LINE]) + of_lines
    audit.differences += walk.differences
    audit.differences += differences(table, day, held, found, places)
    audit.problems += walk.problems
    if problem := unaccounted(walk, tally):
        audit.differences.append(Difference(Kind.LINES, table.name, day, None, detail=problem))
    audit.entries = entries(table, walk, records, bad, listed)
    audit.rows, audit.record_set, audit.typed_set = typed.height, set_hash(records), set_hash(typed)
    return records, typed


def _matched(
    export: Export | None, table: Table, day: date, raw: RawDay | None, audit: TableAudit
) -> tuple[dict[Generation, Blob], dict[str, int], set[str]]:
    """Return the listed blobs by generation, the sizes of those that raw lacks, and the paths of all."""
    if export is None:
        return {}, {}, set()
    listing = list_day(export, table.container, day)
    audit.problems += [f"{part.where} was not compared: {part.reason}" for part in listing.unreadable]
    shown = {blob.path for blob in listing.blobs}
    if raw is None:
        return {}, {blob.path: blob.size for blob in listing.blobs if blob.size}, shown
    return *raw.matched(listing.blobs, fixed_creation=export.fixed_creation), shown


def _rows_of(lake: Lake, name: str, day: date, schema: pl.Schema) -> pl.LazyFrame:
    if not lake.exists(name):
        return pl.LazyFrame(schema=schema)
    return scan_days(lake.snapshot(name), day, day).select(schema.names())


def _days_of(lake: Lake, name: str) -> list[date]:
    if not lake.exists(name):
        return []
    return data_files(lake.snapshot(name))["export_date"].drop_nulls().unique().to_list()


def _versions(lake: Lake) -> dict[str, int]:
    names = [name for table in TABLES for name in (table.raw, table.name)]
    return {name: lake.snapshot(name).version() for name in (*names, QUARANTINE, LEADS_TABLE) if lake.exists(name)}
