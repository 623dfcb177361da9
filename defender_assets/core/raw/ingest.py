"""Ingestion of a day's new bytes into its raw table: compare with the cursors, fetch, commit chunks and cursors."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import chain

import polars as pl

from defender_assets.core.errors import ExportError, UnreadableError
from defender_assets.core.export.blobs import Blob, Export, UnreadablePart, generation
from defender_assets.core.export.listing import DayListing, list_table_day
from defender_assets.core.lake.compaction import compact_if_fragmented
from defender_assets.core.lake.data_files import data_files
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.memory import share_arenas
from defender_assets.core.raw.cursors import read_cursors
from defender_assets.core.raw.given_up import GivenUp
from defender_assets.core.raw.range_reader import GIVE_UP_AFTER, Chunk, RangeReader, UnreadRange
from defender_assets.core.retries import retry_on_conflict
from defender_assets.core.schemas import RAW_SCHEMA, TABLES, Table
from defender_assets.core.text import MEBIBYTE, format_bytes
from defender_assets.core.timings import StageTimings

logger = logging.getLogger(__name__)

COMMIT_BYTES = 64 * MEBIBYTE


@dataclass
class RawReport:
    """What a run did for a day of a raw table. Sizes in bytes; `listed` and `pending` are from its last listing.

    `unreadable` are the parts of the export that were not read, or not completely: the day stays behind for them.
    `kept` is False for a day past retention, for which nothing was read. The stages are list, read, commit and
    compact; `refresh` counts a blob's replacement as commit.
    """

    new_bytes: int = 0
    chunks: int = 0
    batch: int = 0
    replaced_blobs: int = 0
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
    """
    report = RawReport(kept=lake.is_retained(day))
    if not report.kept:
        return report
    share_arenas()
    given_up = GivenUp(table.container)
    while True:
        listing, reader = retry_on_conflict(_one_commit, lake, export, table, day, commit_bytes, report, given_up)
        if reader.gave_up:
            raise reader.gave_up
        if not given_up.wants_another_pass(reader) and not reader.cut_short:
            report.pending = reader.pending
            report.unreadable = sorted({*listing.unreadable, *given_up.parts.values()})
            return report


def _one_commit(
    lake: Lake, export: Export, table: Table, day: date, commit_bytes: int, report: RawReport, given_up: GivenUp
) -> tuple[DayListing, RangeReader]:
    timings = report.timings
    with timings.stage("list"):
        target = lake.fenced(table.raw, day)
        listing = list_table_day(export, table, day)
        blobs = listing.blobs
        cursors = read_cursors(target.table, [day])[day]
    parts = unread_parts(blobs, cursors, fixed_creation=export.fixed_creation)
    parts = [part for part in parts if part.blob.path not in given_up.parts]
    unread = sum(part.blob.size - part.start for part in parts)
    reader = RangeReader(export, table.container)
    report.listed, report.batch = blobs, target.version
    counted = RawReport()
    before = timings.total
    rows = _rows(timings.each("read", reader.up_to(commit_bytes, parts)), target.version + 1, counted)
    first = next(rows, None)
    if first is not None:
        with timings.stage("commit"):
            lake.commit(target, Commit(chain([first], rows), target.version + 1))
        report.batch = target.version + 1
        report.new_bytes += counted.new_bytes
        report.chunks += counted.chunks
        speed, remaining = counted.new_bytes / (timings.total - before), unread - counted.new_bytes
        size = f"{format_bytes(counted.new_bytes)} in {counted.chunks} chunks, {format_bytes(speed)}/s"
        logger.info("%s %s: batch %d, %s; %s to go", table.raw, day, report.batch, size, format_bytes(remaining))
        with timings.stage("compact"):
            compact_if_fragmented(lake, target.table, table.raw, day)
    return listing, reader


def tenants_in_raw(lake: Lake) -> set[str]:
    """Return the tenants in the raw tables' logs; a missing table is not created.

    Raises:
        LakeError: when a table cannot be read.
    """
    existing = [table.raw for table in TABLES if lake.exists(table.raw)]
    return {tenant for raw in existing for tenant in data_files(lake.snapshot(raw))["tenant_id"]}


def refresh(lake: Lake, export: Export, table: Table, day: date) -> RawReport:
    """Read a day's blobs again and replace their chunks, then ingest what is new.

    Each blob is a batch with the next number: one commit replaces the chunks of its current generation with those
    just read. Chunks of vanished blobs and of older generations stay, and those of blobs that cannot be read.

    Raises:
        ExportError: when the account does not answer at all.
    """
    replaced = RawReport(kept=lake.is_retained(day))
    if not replaced.kept:
        return replaced
    unanswered = 0
    for listed in list_table_day(export, table, day).blobs:
        try:
            retry_on_conflict(_replace_blob, lake, export, table, listed, replaced)
            unanswered = 0
        except ExportError as error:
            unanswered = 0 if isinstance(error, UnreadableError) else unanswered + 1
            if unanswered == GIVE_UP_AFTER:
                raise
            replaced.unreadable.append(UnreadablePart(table.container, listed.path, str(error)))
    report = ingest(lake, export, table, day)
    report.unreadable = sorted({part.path: part for part in (*replaced.unreadable, *report.unreadable)}.values())
    report.new_bytes += replaced.new_bytes
    report.chunks += replaced.chunks
    report.replaced_blobs = replaced.replaced_blobs
    report.timings.add(replaced.timings)
    return report


def _replace_blob(lake: Lake, export: Export, table: Table, blob: Blob, report: RawReport) -> None:
    target = lake.fenced(table.raw, blob.day)
    known = read_cursors(target.table, [blob.day])[blob.day].get(blob.path, {})
    created_at, cursor = generation(blob, known, fixed_creation=export.fixed_creation)
    if not cursor:
        return
    reader = RangeReader(export, table.container)
    counted = RawReport()
    rows = _rows(reader.chunks([UnreadRange(blob, created_at, 0)]), target.version + 1, counted)
    predicate = (
        f"tenant_id = '{blob.tenant_id}' AND hour = {blob.hour} AND blob = '{blob.path}' "
        f"AND blob_created_at = '{created_at.isoformat()}'"
    )
    with report.timings.stage("commit"):
        lake.commit(target, Commit(_whole(rows, reader, blob, cursor), target.version + 1, replaces=predicate))
    report.new_bytes += counted.new_bytes
    report.chunks += counted.chunks
    report.replaced_blobs += 1


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
                "content": [chunk.content],
            },
            schema=RAW_SCHEMA,
        )
