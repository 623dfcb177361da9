"""Converts parsed records to frames: typed rows, quarantined lines, and the tally of both."""

from collections import Counter
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import msgspec
import polars as pl
from msgspec import Raw

from defender_assets.core.raw.batches import Source
from defender_assets.core.schemas import INSTANT, QUARANTINE_SCHEMA, Column, Table
from defender_assets.core.tables.parsing.coded_rows import CodedRows, concat
from defender_assets.core.tables.parsing.envelopes import UnreadableLineError, read_object
from defender_assets.core.tables.parsing.records import ENVELOPE_KEY, RecordBuffer, parse_lines
from defender_assets.core.tables.parsing.values import read_arrays, read_instants


@dataclass
class Tally:
    """What became of lines and records: `lines` = `good` + `quarantined` + `blank`."""

    lines: int = 0
    blank: int = 0
    good: int = 0
    quarantined: int = 0
    records: int = 0
    mismatches: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        self.lines += other.lines
        self.blank += other.blank
        self.good += other.good
        self.quarantined += other.quarantined
        self.records += other.records
        self.mismatches += other.mismatches


@dataclass
class Parsed:
    """Typed rows (duplicates included), quarantined lines (`QUARANTINE_SCHEMA`) and the tally."""

    records: CodedRows
    quarantined: pl.DataFrame
    tally: Tally

    @property
    def rows(self) -> pl.DataFrame:
        """Return the typed rows with the table's schema."""
        return self.records.frame()


def parse_chunk(table: Table, source: Source, content: bytes) -> Parsed:
    """Return the rows of one chunk of whole lines."""
    buffer = RecordBuffer()
    parse_lines(table, source, content, buffer)
    return parsed_rows(table, buffer)


def quarantine_long_line(table: Table, source: Source, head: bytes, length: int) -> Parsed:
    """Return the quarantine row of a line above 16 MiB: its first bytes, and its length in `detail`."""
    error = UnreadableLineError("line_too_long", f"{length} bytes; raw holds them all")
    row = _quarantine_row(table, source, source.byte_start, error, head)
    quarantined = pl.DataFrame([row], schema=QUARANTINE_SCHEMA, orient="row")
    return Parsed(concat(table, []), quarantined, Tally(lines=1, quarantined=1))


def parsed_rows(table: Table, buffer: RecordBuffer) -> Parsed:
    """Return the rows of the buffered lines."""
    quarantined_when_read = len(buffer.bad)
    rows = _frame(table, buffer)
    # Timestamps are parsed as a column, so their bad lines are found only here
    late = len(buffer.bad) - quarantined_when_read
    bad = [
        _quarantine_row(table, line.source, line.offset, error, line.content.removesuffix(b"\r"))
        for line, error in ((buffer.lines[number], error) for number, error in sorted(buffer.bad.items()))
    ]
    tally = Tally(
        lines=buffer.counted,
        blank=buffer.blank,
        good=buffer.read - late,
        quarantined=quarantined_when_read + late,
        records=sum(line not in buffer.bad for line in buffer.line_of),
    )
    for record, fields in buffer.unmapped.items():
        if buffer.line_of[record] not in buffer.bad:
            tally.mismatches.update(fields.keys())
    return Parsed(CodedRows.of(table, rows), pl.DataFrame(bad, schema=QUARANTINE_SCHEMA, orient="row"), tally)


def _frame(table: Table, buffer: RecordBuffer) -> pl.DataFrame:
    names = [column.name for column in table.columns]
    cells = zip(*map(attrgetter(*names), buffer.records), strict=True) if buffer.records else ([] for _ in names)
    columns = {
        column.name: _typed(table, column, values, buffer) for column, values in zip(table.columns, cells, strict=True)
    }
    columns["exported_at"] = _instant("time", [opened.exported for opened in buffer.opened], buffer)
    columns["received_at"] = _instant("_TimeReceivedBySvc", [opened.received for opened in buffer.opened], buffer)
    unmapped: list[str | None] = [None] * len(buffer.records)
    for record, fields in buffer.unmapped.items():
        unmapped[record] = msgspec.json.encode(fields).decode()
    lines = [buffer.lines[number] for number in buffer.line_of]
    columns |= {
        "tenant_id": pl.Series([line.source.tenant_id for line in lines], dtype=pl.String),
        "export_date": pl.Series([line.source.day for line in lines], dtype=pl.Date),
        "blob": pl.Series([line.source.blob for line in lines], dtype=pl.String),
        "byte_offset": pl.Series([line.offset for line in lines], dtype=pl.Int64),
        "record_id": pl.Series(buffer.record_ids, dtype=pl.String),
        "unmapped": pl.Series(unmapped, dtype=pl.String),
        "blob_created_at": pl.Series([line.source.blob_created_at for line in lines], dtype=INSTANT),
    }
    frame = pl.DataFrame(columns).select(table.schema.names())
    if not buffer.bad:
        return frame
    return frame.filter(pl.Series([number not in buffer.bad for number in buffer.line_of], dtype=pl.Boolean))


def _typed(table: Table, column: Column, cells: Any, buffer: RecordBuffer) -> pl.Series:
    if column.dtype in {pl.Int64(), pl.Boolean()}:
        return pl.Series(column.name, cells, dtype=column.dtype)
    texts = pl.Series(column.name, cells, dtype=pl.String)
    texts = texts.set(texts == "", None)
    if column.dtype == pl.String():
        return texts
    if column.dtype == INSTANT:
        instants = read_instants(texts)
        for record in instants.is_null().arg_true():
            detail = "missing" if texts[record] is None else f"{texts[record][:60]!r}"
            if other := buffer.unmapped.get(record, {}).get(column.name):
                detail = f"not text but {bytes(other)[:60].decode(errors='replace')}"
            error = UnreadableLineError("bad_timestamp", f"{column.name} is {detail}")
            buffer.bad.setdefault(buffer.line_of[record], error)
        return instants
    arrays, mismatches = read_arrays(column, texts, comma_list=column.name in table.comma_lists)
    for record in mismatches.arg_true():
        buffer.add_unmapped(record, column.name, Raw(msgspec.json.encode(texts[record])))
    return arrays


def _instant(key: str, cells: list[str | None], buffer: RecordBuffer) -> pl.Series:
    texts = pl.Series(cells, dtype=pl.String)
    instants = read_instants(texts)
    for record in (instants.is_null() & texts.is_not_null()).arg_true():
        extra = read_object(bytes(buffer.unmapped.get(record, {}).get(ENVELOPE_KEY, Raw(b"{}"))))
        extra[key] = Raw(msgspec.json.encode(texts[record]))
        buffer.add_unmapped(record, ENVELOPE_KEY, Raw(msgspec.json.encode(extra)))
    return instants


def _quarantine_row(
    table: Table, source: Source, offset: int, error: UnreadableLineError, content: bytes
) -> tuple[Any, ...]:
    origin = (source.tenant_id, source.day, table.name, source.blob, source.blob_created_at, offset)
    return (*origin, error.reason, error.detail, content, source.batch)
