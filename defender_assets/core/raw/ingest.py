"""Ingestion of a day's new bytes into its raw table: compare with the cursors, fetch, commit chunks and cursors."""

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import chain

import polars as pl

from defender_assets.core.errors import ExportError, UnreadableError
from defender_assets.core.export.blobs import Blob, Export, UnreadablePart, generation
from defender_assets.core.export.listing import DayListing, list_table_day
from defender_assets.core.lake.arrow import binary_column
from defender_assets.core.lake.compaction import compact_if_fragmented
from defender_assets.core.lake.damage import naming_damage
from defender_assets.core.lake.data_files import data_files, files_of_day
from defender_assets.core.lake.fences import version_of
from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.core.memory import share_arenas
from defender_assets.core.raw.cursors import read_cursors
from defender_assets.core.raw.given_up import GivenUp
from defender_assets.core.raw.hours import Generation, LostRange, find_damage_in_hour, read_hour
from defender_assets.core.raw.numbering import add_empty_batch, parsed_batch
from defender_assets.core.raw.range_reader import SLICE, Chunk, RangeReader, UnreadRange
from defender_assets.core.raw.tails import remember_tails, tail_name
from defender_assets.core.raw.unanswered import Unanswered
from defender_assets.core.retries import retry_on_conflict
from defender_assets.core.schemas import RAW_SCHEMA, TABLES, Table
from defender_assets.core.text import MEBIBYTE, format_bytes
from defender_assets.core.timings import StageTimings

logger = logging.getLogger(__name__)

COMMIT_BYTES = 64 * MEBIBYTE
RESUMED_ABOVE = SLICE
"""Shorter unread parts are read from their start: a look into the log would cost as much."""


@dataclass
class RawReport:
    """What a run did for a day of a raw table. Sizes in bytes; `listed` and `pending` are from its last listing.

    `unreadable` are the parts of the export that were not read, or not completely: the day stays behind for them.
    `kept` is False for a day past retention, for which nothing was read. The stages are list, read, commit and
    compact; `refresh` counts the replacement of an hour as commit. `lost` are bytes of damaged files that the account
    no longer has.
    """

    new_bytes: int = 0
    chunks: int = 0
    batch: int = 0
    replaced_blobs: int = 0
    lost: list[LostRange] = field(default_factory=list)
    kept: bool = True
    timings: StageTimings = field(default_factory=StageTimings, repr=False)
    listed: list[Blob] = field(default_factory=list, repr=False)
    pending: dict[str, int] = field(default_factory=dict, repr=False)
    unreadable: list[UnreadablePart] = field(default_factory=list, repr=False)

    @property
    def pending_bytes(self) -> int:
        return sum(self.pending.values())


def unread_parts(
    blobs: list[Blob], cursors: dict[str, dict[datetime, int]], *, fixed_creation: bool
) -> list[UnreadRange]:
    """Return the ranges of the listed blobs that are not in raw, in the same order."""
    parts = (
        UnreadRange(blob, *generation(blob, cursors.get(blob.path, {}), fixed_creation=fixed_creation))
        for blob in blobs
    )
    return [part for part in parts if part.blob.size > part.start]


def ingest(lake: Lake, export: Export, table: Table, day: date, *, commit_bytes: int = COMMIT_BYTES) -> RawReport:
    """Store the new bytes of a day: every byte up to the last newline of each blob, exactly once.

    Each commit has about `commit_bytes` and ends at a line end; after a killed run, the next one continues behind the
    last commit.

    A blob, tenant or container that cannot be read is in the report; everything else is stored.

    Raises:
        ExportError: when the account does not answer at all; what could be read has been committed.
        DamagedFilesError: when a file of raw that has to be opened is damaged; it names the file and the remedy.
    """
    report = RawReport(kept=lake.is_retained(day))
    if not report.kept:
        return report
    share_arenas()
    parsed, given_up = parsed_batch(lake, table, day), GivenUp(table.container)
    while True:
        with naming_damage(lake, {table.raw: (day, day)}):
            listing, reader = retry_on_conflict(
                _one_commit, lake, export, table, day, commit_bytes, report, parsed, given_up
            )
        if reader.gave_up:
            raise reader.gave_up
        if not given_up.wants_another_pass(reader) and not reader.cut_short:
            report.pending = reader.pending
            report.unreadable = sorted({*listing.unreadable, *given_up.parts.values()})
            retry_on_conflict(remember_tails, lake, table, day, reader.tails)
            if report.batch < parsed:
                retry_on_conflict(add_empty_batch, lake, table, day, parsed + 1)
                report.batch = parsed + 1
            return report


def _one_commit(
    lake: Lake,
    export: Export,
    table: Table,
    day: date,
    commit_bytes: int,
    report: RawReport,
    parsed: int,
    given_up: GivenUp,
) -> tuple[DayListing, RangeReader]:
    timings = report.timings
    with timings.stage("list"):
        target = lake.fenced(table.raw, day)
        listing = list_table_day(export, table, day)
        blobs = listing.blobs
        cursors = read_cursors(target.table, [day])[day]
    parts = [
        _resumed(table, target, part)
        for part in unread_parts(blobs, cursors, fixed_creation=export.fixed_creation)
        if part.blob.path not in given_up.parts
    ]
    unread = sum(part.blob.size - part.start for part in parts)
    reader = RangeReader(export, table.container)
    report.listed, report.batch = blobs, target.version
    counted = RawReport()
    before = timings.total
    batch = max(target.version, parsed) + 1
    rows = _rows(timings.each("read", reader.up_to(commit_bytes, parts)), batch, counted)
    first = next(rows, None)
    if first is not None:
        with timings.stage("commit"):
            lake.commit(target, Commit(chain([first], rows), batch))
        report.batch = batch
        report.new_bytes += counted.new_bytes
        report.chunks += counted.chunks
        speed, remaining = counted.new_bytes / (timings.total - before), unread - counted.new_bytes
        size = f"{format_bytes(counted.new_bytes)} in {counted.chunks} chunks, {format_bytes(speed)}/s"
        logger.info("%s %s: batch %d, %s; %s to go", table.raw, day, report.batch, size, format_bytes(remaining))
        with timings.stage("compact"):
            compact_if_fragmented(lake, target.table, table.raw, day)
    return listing, reader


def _resumed(table: Table, target: FencedTable, part: UnreadRange) -> UnreadRange:
    """Return the part with the end of what an earlier run has looked through, if it is long enough to matter."""
    if part.blob.size - part.start <= RESUMED_ABOVE:
        return part
    looked_at = version_of(target.table, tail_name(table, part.blob, part.created_at, part.start), target.day)
    return replace(part, looked_at=looked_at) if looked_at <= part.blob.size else part


def tenants_in_raw(lake: Lake) -> set[str]:
    """Return the tenants in the raw tables' logs; a missing table is not created.

    Raises:
        LakeError: when a table cannot be read.
    """
    existing = [table.raw for table in TABLES if lake.exists(table.raw)]
    return {tenant for raw in existing for tenant in data_files(lake.snapshot(raw))["tenant_id"]}


def refresh(lake: Lake, export: Export, table: Table, day: date) -> RawReport:
    """Read a day's blobs again and replace their chunks, then ingest what is new.

    One commit replaces an hour of a tenant, as a batch with the next number: the chunks of the current generations with
    those just read. Chunks of vanished blobs and of older generations stay, and those of blobs that cannot be read. A
    damaged file is left out by the log, and what the account no longer has of it is reported as `lost`.

    Raises:
        ExportError: when the account does not answer at all.
    """
    replaced = RawReport(kept=lake.is_retained(day))
    if not replaced.kept:
        return replaced
    parsed = parsed_batch(lake, table, day)
    blobs: dict[tuple[str, int], list[Blob]] = defaultdict(list)
    for listed in list_table_day(export, table, day).blobs:
        blobs[listed.tenant_id, listed.hour].append(listed)
    hours = (
        files_of_day(lake.snapshot(table.raw, create=True), day)
        .select("tenant_id", "hour")
        .unique()
        .sort("tenant_id", "hour")
    )
    unanswered = Unanswered(export, table.container)
    for hour in hours.iter_rows():
        while True:
            try:
                retry_on_conflict(_replace_hour, lake, export, table, day, hour, blobs[hour], replaced, parsed)
                # an hour without blobs asks the account for nothing
                if blobs[hour]:
                    unanswered.answered()
                break
            except _UnreadBlobError as unread:
                if silent := unanswered.failed(unread.error):
                    raise silent from None
                replaced.unreadable.append(UnreadablePart(table.container, unread.blob.path, str(unread.error)))
                blobs[hour].remove(unread.blob)
    report = ingest(lake, export, table, day)
    report.unreadable = sorted({part.path: part for part in (*replaced.unreadable, *report.unreadable)}.values())
    report.new_bytes += replaced.new_bytes
    report.chunks += replaced.chunks
    report.replaced_blobs = replaced.replaced_blobs
    report.lost = replaced.lost
    report.timings.add(replaced.timings)
    return report


class _UnreadBlobError(Exception):
    """A blob of the hour cannot be read again; nothing was committed."""

    def __init__(self, blob: Blob, error: ExportError) -> None:
        super().__init__(str(error))
        self.blob, self.error = blob, error


def _replace_hour(
    lake: Lake,
    export: Export,
    table: Table,
    day: date,
    tenant_and_hour: tuple[str, int],
    blobs: list[Blob],
    report: RawReport,
    parsed: int,
) -> None:
    tenant_id, hour = tenant_and_hour
    target = lake.fenced(table.raw, day)
    held = read_hour(lake, target.table, table.raw, day, tenant_id, hour)
    parts: dict[Generation, tuple[UnreadRange, int]] = {}
    for blob in blobs:
        created_at, cursor = generation(blob, held.cursors.get(blob.path, {}), fixed_creation=export.fixed_creation)
        if cursor:
            parts[blob.path, created_at] = UnreadRange(blob, created_at, 0), cursor
    find_damage_in_hour(held, parts)
    if not parts and not held.damaged:
        return
    batch, counted = max(target.version, parsed) + 1, RawReport()

    def rows() -> Iterator[pl.DataFrame]:
        yield from held.kept(parts)
        for part, cursor in parts.values():
            reader = RangeReader(export, table.container)
            try:
                yield from _whole(_rows(reader.chunks([part]), batch, counted), reader, part.blob, cursor)
            except ExportError as error:
                raise _UnreadBlobError(part.blob, error) from error

    # a predicate on partitions alone: delta-rs opens none of the files that it removes
    predicate = f"tenant_id = '{tenant_id}' AND hour = {hour}"
    with report.timings.stage("commit"):
        lake.commit(target, Commit(rows(), batch, replaces=predicate))
    for path, problem in held.damaged.items():
        logger.warning("%s %s: %s %s and was left out", table.raw, day, path, problem)
    for lost in held.lost(parts):
        logger.warning("%s %s: lost, for the account no longer has it: %s", table.raw, day, lost.describe())
        report.lost.append(lost)
    report.new_bytes += counted.new_bytes
    report.chunks += counted.chunks
    report.replaced_blobs += len(parts)


def _whole(rows: Iterator[pl.DataFrame], reader: RangeReader, blob: Blob, cursor: int) -> Iterator[pl.DataFrame]:
    """Yield the rows; at the end, before the commit, raise if they contain fewer bytes than raw already has."""
    reached = 0
    for row in rows:
        reached = row["byte_end"][0]
        yield row
    for error in reader.failures.values():
        raise error
    if reader.changed or reached < cursor:
        raise UnreadableError(f"{blob.path} changed while it was read again; its bytes in raw are unchanged, try again")


def _rows(chunks: Iterator[Chunk], batch: int, counted: RawReport) -> Iterator[pl.DataFrame]:
    for chunk in chunks:
        counted.new_bytes += len(chunk.content)
        counted.chunks += 1
        blob = chunk.unread.blob
        yield pl.DataFrame(
            {
                "tenant_id": [blob.tenant_id],
                "export_date": [blob.day],
                "hour": [blob.hour],
                "blob": [blob.path],
                "blob_created_at": [chunk.unread.created_at],
                "byte_start": [chunk.start],
                "byte_end": [chunk.start + len(chunk.content)],
                "batch": [batch],
                "line_part": [chunk.line_part],
                "fetched_at": [datetime.now(UTC)],
                "content": binary_column(chunk.content),
            },
            schema=RAW_SCHEMA,
        )
