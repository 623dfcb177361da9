"""Builds a day of a typed table and its quarantine from raw batches. Quarantine is committed first."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import polars as pl

from defender_assets.core.errors import ReconciliationError
from defender_assets.core.lake.compaction import compact_if_fragmented
from defender_assets.core.lake.damage import drop_damaged, naming_damage
from defender_assets.core.lake.data_files import row_count
from defender_assets.core.lake.fences import fence_of, version_of
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.memory import share_arenas
from defender_assets.core.raw.batches import RawBatches
from defender_assets.core.retries import retry_on_conflict
from defender_assets.core.schemas import QUARANTINE, QUARANTINE_SCHEMA, Table
from defender_assets.core.tables.deduplication import SeenRecordIds
from defender_assets.core.tables.parsing.typed_rows import Parsed, Tally
from defender_assets.core.tables.prefetch import ParsePrefetcher, read_batches
from defender_assets.core.text import MEBIBYTE
from defender_assets.core.timings import StageTimings

logger = logging.getLogger(__name__)

PORTION_BYTES = 64 * MEBIBYTE

# identifies a line without its batch, because a full refresh stores it in a new batch
_LINE = ("table_name", "tenant_id", "blob", "blob_created_at", "byte_offset")


@dataclass
class TypedReport:
    """What a run did for a day of a typed table.

    `rows` are the new rows, `landed` is the growth of the row count in the Delta log. The stages are look, parse,
    commit and compact.
    """

    tally: Tally = field(default_factory=Tally)
    rows: int = 0
    duplicates: int = 0
    landed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    batch: int = 0
    timings: StageTimings = field(default_factory=StageTimings)

    @property
    def balanced(self) -> bool:
        """Return whether every line and every record of this run is accounted for, in the table as well."""
        tally = self.tally
        return (
            tally.lines == tally.good + tally.quarantined + tally.blank
            and tally.records == self.rows + self.duplicates
            and self.landed == self.rows
        )


class _Portion(NamedTuple):
    rows: pl.DataFrame
    quarantined: pl.DataFrame
    tally: Tally
    copies: int


def build_table_day(
    lake: Lake, table: Table, day: date, *, rebuild: bool = False, portion_bytes: int = PORTION_BYTES
) -> TypedReport:
    """Bring quarantine and the typed table of a day up to date with raw.

    An incremental run reads only the batches that are not parsed yet, in portions of about `portion_bytes`, each with
    its own commit. A `rebuild` reads all batches and replaces the day in one streamed commit. It first adds an empty
    raw batch, which raises the version, so that everything downstream becomes stale. Damaged files of quarantine and of
    the typed table are left out before.

    Raises:
        DamagedFilesError: when a file that has to be read is damaged; it names the file and the remedy.
    """
    report = TypedReport()
    if not lake.is_retained(day):
        return report
    with naming_damage(lake, dict.fromkeys((table.raw, QUARANTINE, table.name), (day, day))):
        if rebuild:
            retry_on_conflict(_empty_batch, lake, table, day)
            drop_damaged(lake, QUARANTINE, day, fence_of(table.name, day))
            drop_damaged(lake, table.name, day)
            return retry_on_conflict(_rebuild, lake, table, day, portion_bytes)
        share_arenas()
        _parse_new_batches(lake, table, day, report, portion_bytes)
    return report


def _parse_new_batches(lake: Lake, table: Table, day: date, report: TypedReport, portion_bytes: int) -> None:
    seen = SeenRecordIds(day)
    with ParsePrefetcher(table) as prefetcher:
        while retry_on_conflict(_one_portion, lake, table, day, report, portion_bytes, prefetcher, seen):
            pass


def _one_portion(
    lake: Lake,
    table: Table,
    day: date,
    report: TypedReport,
    portion_bytes: int,
    prefetcher: ParsePrefetcher,
    seen: SeenRecordIds,
) -> bool:
    """Parse and commit the next portion of batches; return whether there may be more."""
    timings = report.timings
    with timings.stage("look"):
        quarantine = lake.fenced(QUARANTINE, day, fence_of(table.name, day))
        target = lake.fenced(table.name, day)
        raw = lake.open(table.raw)
        newest = version_of(raw, table.raw, day)
        parsed = min(quarantine.version, target.version)
        report.batch = target.version
        if newest <= parsed:
            return False
        batches, *later = RawBatches(raw, day, parsed, newest).split(portion_bytes)
    with timings.stage("parse"):
        pieces = prefetcher.take(batches)
        if later:
            prefetcher.begin(later[0])
        known = seen.lookup(target.table, _ids_of(pieces), keep=bool(later))
        lines = scan_days(quarantine.table, day, day).filter(pl.col("table_name") == table.name)
        portion = _distinct(table, day, pieces, known, lines.select(_LINE).collect())
    fresh = portion.quarantined.filter(pl.col("batch") > quarantine.version)
    with timings.stage("commit"):
        if batches.upto > quarantine.version:
            lake.commit(quarantine, Commit([fresh], batches.upto))
        before = row_count(target.table, day)
        if batches.upto > target.version:
            lake.commit(target, Commit([portion.rows], batches.upto))
            seen.add(target.table, portion.rows)
    _account(report, portion, batches.upto)
    report.landed += row_count(target.table, day) - before
    progress = f"up to batch {batches.upto} of {newest}, {portion.rows.height} rows"
    logger.info("%s %s: %s, %.1f s", table.name, day, progress, timings.total)
    with timings.stage("compact"):
        compact_if_fragmented(lake, target.table, table.name, day)
    return batches.upto < newest


def _empty_batch(lake: Lake, table: Table, day: date) -> None:
    target = lake.fenced(table.raw, day)
    if target.version:
        lake.commit(target, Commit([], target.version + 1))


def _rebuild(lake: Lake, table: Table, day: date, portion_bytes: int) -> TypedReport:
    quarantine = lake.fenced(QUARANTINE, day, fence_of(table.name, day))
    target = lake.fenced(table.name, day)
    raw = lake.open(table.raw)
    newest = version_of(raw, table.raw, day)
    portions = RawBatches(raw, day, 0, newest).split(portion_bytes)
    report = TypedReport()
    no_ids = _ids_of([])
    no_lines = pl.DataFrame(schema={name: QUARANTINE_SCHEMA[name] for name in _LINE})

    def rows() -> Iterator[pl.DataFrame]:
        known = no_ids
        for batches in portions:
            portion = _distinct(table, day, read_batches(table, batches), known, no_lines)
            known = pl.concat([known, portion.rows.select("record_id")])
            _account(report, portion, batches.upto)
            yield portion.rows

    # quarantine is committed first, so collecting its lines is a separate pass
    with report.timings.stage("parse"):
        bad = [
            _distinct(table, day, read_batches(table, batches), no_ids, no_lines).quarantined for batches in portions
        ]
    lines = pl.concat(bad).unique(_LINE, keep="first")
    with report.timings.stage("commit"):
        lake.commit(quarantine, Commit([lines], newest, replaces=f"table_name = '{table.name}'"))
        lake.commit(target, Commit(report.timings.each("parse", rows()), newest, replaces=""))
    report.landed = row_count(target.table, day)
    return report


def _distinct(
    table: Table, day: date, parsed: list[Parsed], known: pl.DataFrame, known_lines: pl.DataFrame
) -> _Portion:
    """Return the parsed records and bad lines that are not known yet, each once. Rows are sorted as leads read them."""
    tally = Tally()
    for piece in parsed:
        tally.add(piece.tally)
    # contiguous, because selecting rows from many chunks is several times slower
    rows = pl.concat([pl.DataFrame(schema=table.schema), *(piece.rows for piece in parsed)]).rechunk()
    # sort and deduplicate a few columns, so that whole rows are copied only once
    order = (table.key, "Timestamp", "record_id")
    ids = rows.select(order).with_row_index("row")
    fresh_ids = ids.unique("record_id", keep="first").join(known, on="record_id", how="anti").sort(order)
    distinct = rows[fresh_ids["row"]]
    lines = pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *(piece.quarantined for piece in parsed)])
    fresh = lines.unique(_LINE, keep="first").join(known_lines, on=_LINE, how="anti")
    portion = _Portion(distinct, fresh, tally, rows.height - distinct.height)
    if tally.lines != tally.good + tally.quarantined + tally.blank or tally.records != distinct.height + portion.copies:
        # raise before the commit, because a later run would find nothing new and pass its check
        raise ReconciliationError(
            f"{table.name} {day}: {tally.lines} lines are not {tally.good} good + {tally.quarantined} "
            f"quarantined + {tally.blank} blank, or {tally.records} records not {distinct.height} rows + "
            f"{portion.copies} copies; nothing was committed, raw holds every byte: report this as a bug"
        )
    return portion


def _account(report: TypedReport, portion: _Portion, batch: int) -> None:
    report.tally.add(portion.tally)
    report.rows += portion.rows.height
    report.duplicates += portion.copies
    report.reasons.update(portion.quarantined["reason"].to_list())
    report.batch = batch


def _ids_of(parsed: list[Parsed]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema={"record_id": pl.String}), *(p.rows.select("record_id") for p in parsed)])
