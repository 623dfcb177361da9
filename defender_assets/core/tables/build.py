"""Builds a day of a typed table and its quarantine from raw batches. Quarantine is committed first."""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import NamedTuple

import polars as pl

from defender_assets.core.errors import ReconciliationError
from defender_assets.core.lake.compaction import compact_if_fragmented
from defender_assets.core.lake.damage import drop_damaged, naming_damage
from defender_assets.core.lake.data_files import HeldPartition, files_of_day, held_partitions, row_count
from defender_assets.core.lake.fences import fence_of, version_of
from defender_assets.core.lake.lake import Built, Commit, FencedTable, Lake
from defender_assets.core.lake.snapshots import Snapshot
from defender_assets.core.memory import share_arenas
from defender_assets.core.raw.batches import RawBatches
from defender_assets.core.raw.cursors import digest_bytes, read_ranges
from defender_assets.core.raw.numbering import add_empty_batch, next_batch, parsed_batch
from defender_assets.core.retries import retry_on_conflict
from defender_assets.core.schemas import QUARANTINE, QUARANTINE_SCHEMA, Table
from defender_assets.core.tables.agreement import digest_upto, disagreement, parsed_inputs
from defender_assets.core.tables.bad_lines import BadLines, in_groups, missing_lines
from defender_assets.core.tables.deduplication import SeenRecordIds, distinct_order
from defender_assets.core.tables.keeping import (
    PLACE,
    keep_lines,
    keep_records,
    line_keys,
    lines_of,
    unknown_lines,
)
from defender_assets.core.tables.parsing.coded_rows import CodedRows, concat
from defender_assets.core.tables.parsing.typed_rows import Parsed, Tally
from defender_assets.core.tables.prefetch import ParsePrefetcher, read_batches
from defender_assets.core.text import MEBIBYTE, pluralize
from defender_assets.core.timings import StageTimings

logger = logging.getLogger(__name__)

PORTION_BYTES = 64 * MEBIBYTE

# identifies a line without its batch, because a full refresh stores it in a new batch
_LINE = ("table_name", *PLACE)


@dataclass
class TypedReport:
    """What a run did for a day of a typed table.

    `rows` are the new rows, `landed` is the growth of the row count in the Delta log. `kept` counts the records and
    bad lines of the day whose bytes raw did not hold when it was last rebuilt. If this run rebuilt the day, `kept_rows`
    is how many records it kept, and `kept_sources` where a few of them were: blob and offset. The stages are look,
    parse, commit and compact.
    """

    tally: Tally = field(default_factory=Tally)
    rows: int = 0
    duplicates: int = 0
    landed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    batch: int = 0
    kept: int = 0
    kept_rows: int = 0
    kept_sources: list[tuple[str, int]] = field(default_factory=list)
    timings: StageTimings = field(default_factory=StageTimings)

    @property
    def balanced(self) -> bool:
        """Return whether every line and every record of this run is accounted for, in the table as well."""
        tally = self.tally
        return (
            tally.lines == tally.good + tally.quarantined + tally.blank
            and tally.records == self.rows + self.duplicates
            and self.landed == self.rows + self.kept_rows
        )


class _Portion(NamedTuple):
    """Parsed records, `order` being the positions of those to commit, and bad lines to commit."""

    records: CodedRows
    order: pl.Series
    quarantined: pl.DataFrame
    tally: Tally

    @property
    def height(self) -> int:
        return len(self.order)

    @property
    def ids(self) -> pl.DataFrame:
        return self.records.ids[self.order]

    def rows(self, *, categories: bool = False) -> pl.DataFrame:
        return self.records.frame(self.order, categories=categories)


def build_table_day(
    lake: Lake, table: Table, day: date, *, rebuild: bool = False, portion_bytes: int = PORTION_BYTES
) -> TypedReport:
    """Bring quarantine and the typed table of a day up to date with raw.

    An incremental run reads only the batches that are not parsed yet, in portions of about `portion_bytes`, each with
    its own commit. A `rebuild` reads all batches and replaces the day in one streamed commit, except rows whose bytes
    raw does not hold: these stay. It first adds an empty raw batch, which raises the version, so that everything
    downstream becomes stale. A day that disagrees with raw, because a table was restored or damaged, is rebuilt too.
    Damaged files of quarantine and of the typed table are left out before a rebuild.

    Raises:
        DamagedFilesError: when a file that has to be read is damaged; it names the file and the remedy.
    """
    report = TypedReport()
    if not lake.is_retained(day):
        return report
    with naming_damage(lake, dict.fromkeys((table.raw, QUARANTINE, table.name), (day, day))):
        share_arenas()
        if rebuild:
            return _replace_day(lake, table, day, next_batch(lake, table, day), portion_bytes)
        try:
            _parse_new_batches(lake, table, day, report, portion_bytes)
        except _FellBackError as error:
            logger.warning("%s %s: %s; it is rebuilt from raw", table.name, day, error)
            return _replace_day(lake, table, day, parsed_batch(lake, table, day) + 1, portion_bytes)
    return report


def _parse_new_batches(lake: Lake, table: Table, day: date, report: TypedReport, portion_bytes: int) -> None:
    with ParsePrefetcher(table) as prefetcher:
        run = _Run(lake, table, day, report, portion_bytes, prefetcher, SeenRecordIds(day))
        while retry_on_conflict(_one_portion, run):
            pass


def _replace_day(lake: Lake, table: Table, day: date, number: int, portion_bytes: int) -> TypedReport:
    """Rebuild the day as of a batch with at least this number; the first one is never empty."""
    if number > 1:
        retry_on_conflict(add_empty_batch, lake, table, day, number)
    drop_damaged(lake, QUARANTINE, day, fence_of(table.name, day))
    drop_damaged(lake, table.name, day)
    return retry_on_conflict(_rebuild, lake, table, day, portion_bytes)


class _FellBackError(Exception):
    """The day disagrees with raw."""


@dataclass
class _Look:
    """What a run saw: the day's quarantine and typed table, raw, and the portions that they lack.

    It holds for the next portion as well, unless somebody else has written to one of the three.
    """

    quarantine: FencedTable
    target: FencedTable
    raw: Snapshot
    newest: int
    files: pl.DataFrame
    bad_lines: int
    portions: list[RawBatches]

    def holds(self, lake: Lake, table: Table) -> bool:
        written = (self.quarantine, self.target)
        return all(map(lake.is_as_left, written)) and lake.snapshot(table.raw, create=True) is self.raw


@dataclass
class _Run:
    """An incremental run for a day of a table."""

    lake: Lake
    table: Table
    day: date
    report: TypedReport
    portion_bytes: int
    prefetcher: ParsePrefetcher
    seen: SeenRecordIds
    look: _Look | None = None

    def looked(self) -> _Look:
        """Return the look of the portion before if it still holds, else a new one; an error leaves none."""
        look, self.look = self.look, None
        return look if look is not None and look.holds(self.lake, self.table) else _look(self)


def _look(run: _Run) -> _Look:
    """Look at the day, and check that quarantine and the typed table agree with raw.

    Raises:
        _FellBackError: they do not.
    """
    lake, table, day = run.lake, run.table, run.day
    quarantine = lake.fenced(QUARANTINE, day, fence_of(table.name, day))
    target = lake.fenced(table.name, day)
    raw = lake.snapshot(table.raw, create=True)
    newest = version_of(raw, table.raw, day)
    files = files_of_day(raw, day)
    run.report.kept, rows = 0, {}
    for opened in (quarantine, target):
        versions = lake.versions(opened.table)
        held = held_partitions(opened.table, opened.spec, [day]).get((table.name, day), HeldPartition())
        digest = digest_upto(raw, day, min(opened.version, newest), files)
        problem = disagreement(table, day, versions, held, newest, digest or None)
        if problem:
            raise _FellBackError(f"{opened.spec.name} is {problem}")
        run.report.kept += versions.kept(table.name, day)
        rows[opened.spec.name] = held.rows
    parsed = min(quarantine.version, target.version)
    portions = RawBatches(raw, day, parsed, newest).split(run.portion_bytes) if newest > parsed else []
    return _Look(quarantine, target, raw, newest, files, rows[QUARANTINE], portions)


def _one_portion(run: _Run) -> bool:
    """Parse and commit the next portion of batches; return whether there may be more."""
    lake, table, day, report, timings = run.lake, run.table, run.day, run.report, run.report.timings
    with timings.stage("look"):
        look = run.looked()
        quarantine, target, raw, files = look.quarantine, look.target, look.raw, look.files
        report.batch = target.version
        if not look.portions:
            return False
        batches, *later = look.portions
    with timings.stage("parse"):
        pieces = run.prefetcher.take(batches)
        if later:
            run.prefetcher.begin(later[0])
        records = concat(table, (piece.records for piece in pieces))
        known = run.seen.lookup(target.table, records.ids, keep=bool(later))
        lines = lines_of(quarantine.table, table, day)
        portion = _distinct(table, day, pieces, records, known, lines.select(_LINE))
        fresh = portion.quarantined.filter(pl.col("batch") > quarantine.version)
        if fresh.height:
            fresh = unknown_lines(fresh, lines, read_ranges(raw, [day], files=files))
    with timings.stage("commit"):
        inputs = parsed_inputs(table, day, batches.upto, digest_upto(raw, day, batches.upto, files))
        goes_on = bool(later)
        if batches.upto > quarantine.version:
            look.bad_lines += fresh.height
            built = Built(inputs, look.bad_lines)
            lake.commit(quarantine, Commit([fresh], batches.upto, built=built, goes_on=goes_on))
        before = row_count(target.table, day)
        if batches.upto > target.version:
            built = Built(inputs, before + portion.height)
            lake.commit(target, Commit([portion.rows(categories=True)], batches.upto, built=built, goes_on=goes_on))
            run.seen.add(target.table, portion.ids)
    _account(report, portion, batches.upto)
    report.landed += row_count(target.table, day) - before
    progress = f"up to batch {batches.upto} of {look.newest}, {portion.height} rows"
    logger.info("%s %s: %s, %.1f s", table.name, day, progress, timings.total)
    with timings.stage("compact"):
        compact_if_fragmented(lake, target.table, table.name, day)
    look.portions, run.look = later, look
    return bool(later)


def _rebuild(lake: Lake, table: Table, day: date, portion_bytes: int) -> TypedReport:
    quarantine = lake.fenced(QUARANTINE, day, fence_of(table.name, day))
    target = lake.fenced(table.name, day)
    raw = lake.snapshot(table.raw, create=True)
    newest = version_of(raw, table.raw, day)
    portions = RawBatches(raw, day, 0, newest).split(portion_bytes)
    report = TypedReport()
    no_ids = concat(table, []).ids
    no_lines = QUARANTINE_SCHEMA.to_frame(eager=False).select(_LINE)

    def rows() -> Iterator[pl.DataFrame]:
        known = no_ids
        for batches in portions:
            portion = _parse_again(table, day, batches, known, no_lines)
            known = pl.concat([known, portion.ids])
            _account(report, portion, batches.upto)
            yield portion.rows()
        if known.height != ids.height:
            raise ReconciliationError(
                f"{table.name} {day}: {known.height} records when parsed again, {ids.height} before; nothing was "
                "committed, raw holds every byte: report this as a bug"
            )
        yield from kept_rows.frames(table.schema)

    # Quarantine is committed first, so finding its lines is a separate pass. Their content may be as large as the day:
    # it is read once more for the commit, a portion at a time.
    bad = BadLines(table)
    ids = no_ids
    with report.timings.stage("parse"):
        for batches in portions:
            portion = _parse_again(table, day, batches, no_ids, no_lines)
            ids = pl.concat([ids, portion.ids]).unique()
            if portion.quarantined.height:
                bad.portions.append((batches, line_keys(portion.quarantined)))
    found = bad.keys()
    with report.timings.stage("look"):
        ranges = read_ranges(raw, [day])
        kept_rows = keep_records(target.table, day, ids, ranges)
        lines = lines_of(quarantine.table, table, day)
        held = line_keys(lines).collect(engine="streaming")
        kept_lines = keep_lines(lines, held, found, ranges)
        missing = missing_lines(held, found, kept_lines.height)
    inputs = parsed_inputs(table, day, newest, digest_bytes(ranges).get(day, ""))
    with report.timings.stage("commit"):
        built = Built(inputs, found.height + kept_lines.height, kept_lines.height)
        frames = report.timings.each("parse", bad.frames(found if missing is None else missing))
        if missing is None:
            frames = chain(frames, kept_lines.frames(QUARANTINE_SCHEMA))
            lake.commit(quarantine, Commit(frames, newest, replaces=f"table_name = '{table.name}'", built=built))
        else:
            # delta-rs has 8,192 rows of a commit in memory; the day is stale until it has as many rows as recorded
            for group in in_groups(frames, portion_bytes):
                lake.commit(quarantine, Commit(group, newest, built=built))
        built = Built(inputs, ids.height + kept_rows.height, kept_rows.height)
        lake.commit(target, Commit(report.timings.each("parse", rows()), newest, replaces="", built=built))
    report.landed = row_count(target.table, day)
    report.kept, report.kept_rows = kept_rows.height + kept_lines.height, kept_rows.height
    report.kept_sources = kept_rows.sources() + kept_lines.sources()
    if report.kept:
        logger.warning(
            "%s %s: %s stay although raw does not hold their bytes",
            table.name,
            day,
            pluralize(report.kept, "row"),
        )
    return report


def _parse_again(
    table: Table, day: date, batches: RawBatches, known: pl.DataFrame, known_lines: pl.LazyFrame
) -> _Portion:
    parsed = read_batches(table, batches)
    return _distinct(table, day, parsed, concat(table, (piece.records for piece in parsed)), known, known_lines)


def _distinct(
    table: Table,
    day: date,
    parsed: list[Parsed],
    records: CodedRows,
    known: pl.DataFrame,
    known_lines: pl.LazyFrame,
) -> _Portion:
    """Return the parsed records and bad lines that are not known yet, each once. Rows are sorted as leads read them."""
    tally = Tally()
    for piece in parsed:
        tally.add(piece.tally)
    lines = pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *(piece.quarantined for piece in parsed)])
    fresh = lines.unique(_LINE, keep="first")
    if fresh.height:
        fresh = fresh.join(known_lines.collect(), on=_LINE, how="anti")
    portion = _Portion(records, distinct_order(records, known), fresh, tally)
    if tally.lines != tally.good + tally.quarantined + tally.blank or tally.records != records.height:
        # raise before the commit, because a later run would find nothing new and pass its check
        raise ReconciliationError(
            f"{table.name} {day}: {tally.lines} lines are not {tally.good} good + {tally.quarantined} "
            f"quarantined + {tally.blank} blank, or {tally.records} records not {records.height} rows; "
            f"nothing was committed, raw holds every byte: report this as a bug"
        )
    return portion


def _account(report: TypedReport, portion: _Portion, batch: int) -> None:
    report.tally.add(portion.tally)
    report.rows += portion.height
    report.duplicates += portion.records.height - portion.height
    report.reasons.update(portion.quarantined["reason"].to_list())
    report.batch = batch
