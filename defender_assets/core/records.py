"""A chunk of raw bytes as typed rows and quarantined lines. One chunk in, one `Parsed` out; nothing is read or kept.

A line is good or quarantined as a whole. A record of plainly the documented wire types takes the fast way; any other
one is looked at field by field.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from itertools import accumulate
from operator import attrgetter
from typing import Any

import msgspec
import polars as pl
from msgspec import Raw

from defender_assets.core.chunks import LONGEST_LINE
from defender_assets.core.envelopes import Opened, UnreadableLineError, open_line, read_object
from defender_assets.core.tables import INSTANT, Column, Table
from defender_assets.core.values import MisfitError, fit, read_arrays, read_instants, wire_type

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ENVELOPE_KEY = "$envelope"

QUARANTINE_COLUMNS = (
    Column("tenant_id", pl.String(), "Entra tenant of the folder that the line lies in, lower case"),
    Column("export_date", pl.Date(), "Day of arrival (UTC). The partition"),
    Column("table_name", pl.String(), "Typed table that the line could not enter"),
    Column("blob", pl.String(), "Path of the blob in its container"),
    Column("blob_created_at", INSTANT, "Creation time of the blob: its generation"),
    Column("byte_offset", pl.Int64(), "Offset in the blob of the line's first byte"),
    Column("reason", pl.String(), "Why: one of a closed set of codes"),
    Column("detail", pl.String(), "What exactly was wrong"),
    Column(
        "content", pl.Binary(), "The line as written, without its line end; of a line above 16 MiB the first 64 KiB"
    ),
    Column("batch", pl.Int64(), "Raw batch that brought the line"),
)
QUARANTINE_SCHEMA = pl.Schema({column.name: column.dtype for column in QUARANTINE_COLUMNS})


@dataclass(frozen=True)
class Source:
    """Where a chunk's bytes lie: the provenance that its rows get."""

    tenant_id: str
    day: date
    blob: str
    blob_created_at: datetime
    byte_start: int
    batch: int


@dataclass
class Tally:
    """What became of lines and records: `lines` = `good` + `quarantined` + `blank`."""

    lines: int = 0
    blank: int = 0
    good: int = 0
    quarantined: int = 0
    records: int = 0
    misfits: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Add another tally to this one."""
        self.lines += other.lines
        self.blank += other.blank
        self.good += other.good
        self.quarantined += other.quarantined
        self.records += other.records
        self.misfits += other.misfits


@dataclass
class Parsed:
    """Typed rows (schema of the table, copies included), quarantined lines (`QUARANTINE_SCHEMA`) and the tally."""

    rows: pl.DataFrame
    quarantined: pl.DataFrame
    tally: Tally


@dataclass
class _Gathered:
    """Rows and bad lines while a chunk is walked; `unmapped` by row."""

    lines: list[int] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    unmapped: dict[int, dict[str, Raw]] = field(default_factory=dict)
    bad: dict[int, UnreadableLineError] = field(default_factory=dict)


def parse_chunk(table: Table, source: Source, content: bytes) -> Parsed:
    """Return what a chunk of whole lines holds."""
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    offsets = list(accumulate((len(line) + 1 for line in lines), initial=source.byte_start))
    tally = Tally(lines=content.count(b"\n"))
    gathered = _Gathered()
    identity = hashlib.blake2b(f"{table.name}\0{source.tenant_id}\0".encode(), digest_size=16)
    for number, line in enumerate(lines):
        if not line or line.isspace():
            tally.blank += 1
            continue
        try:
            _read_line(table, source, identity, number, line, gathered)
            tally.good += 1
        except UnreadableLineError as error:
            gathered.bad[number] = error
            tally.quarantined += 1
    rows = _frame(table, source, gathered, offsets, tally)
    # a Timestamp is read column by column, so its line turns out bad only now
    late = len(gathered.bad) - tally.quarantined
    tally.good -= late
    tally.quarantined += late
    tally.records = sum(line not in gathered.bad for line in gathered.lines)
    bad = [
        _quarantine_row(table, source, offsets[number], error, lines[number].removesuffix(b"\r"))
        for number, error in sorted(gathered.bad.items())
    ]
    return Parsed(rows, pl.DataFrame(bad, schema=QUARANTINE_SCHEMA, orient="row"), tally)


def quarantine_long_line(table: Table, source: Source, head: bytes, length: int) -> Parsed:
    """Return the quarantine row of a line above 16 MiB: its first bytes, and in `detail` its length in bytes."""
    error = UnreadableLineError("line_too_long", f"{length} bytes; raw holds them all")
    row = _quarantine_row(table, source, source.byte_start, error, head)
    quarantined = pl.DataFrame([row], schema=QUARANTINE_SCHEMA, orient="row")
    return Parsed(pl.DataFrame(schema=table.schema), quarantined, Tally(lines=1, quarantined=1))


def _read_line(
    table: Table,
    source: Source,
    identity: "hashlib.blake2b",
    number: int,
    line: bytes,
    gathered: _Gathered,
) -> None:
    if len(line) > LONGEST_LINE:
        raise UnreadableLineError("line_too_long", f"{len(line)} bytes")
    records = []
    for opened in open_line(table, source.tenant_id, line.removeprefix(BYTE_ORDER_MARK)):
        written = bytes(opened.properties)
        digest = identity.copy()
        digest.update(written)
        records.append((opened, digest.hexdigest(), *_read_properties(table, written)))
    for opened, record_id, record, unmapped in records:
        if opened.extra:
            unmapped[ENVELOPE_KEY] = Raw(msgspec.json.encode(opened.extra))
        if unmapped:
            gathered.unmapped[len(gathered.records)] = unmapped
        gathered.lines.append(number)
        gathered.opened.append(opened)
        gathered.ids.append(record_id)
        gathered.records.append(record)


def _read_properties(table: Table, written: bytes) -> tuple[Any, dict[str, Raw]]:
    """Return the record in its wire types and what no column takes."""
    record_type, decoder = _wire(table)
    unmapped: dict[str, Raw] = {}
    try:
        record = decoder.decode(written)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if written[:1] == b'"':
            # tolerated: a string that holds the object
            return _read_properties(table, _unquoted(written))
        fields = read_object(written)
        columns = _columns(table)
        values: dict[str, Any] = {}
        for name, raw in fields.items():
            column = columns.get(name)
            if column is None:
                unmapped[name] = raw
                continue
            try:
                values[name] = fit(column, raw)
            except MisfitError:
                unmapped[name] = raw
        record = record_type(**values)
    if not getattr(record, table.key):
        raise UnreadableLineError("no_key", f"{table.key} is missing or empty")
    return record, unmapped


def _unquoted(written: bytes) -> bytes:
    try:
        text = msgspec.json.decode(written, type=str).encode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = b""
    if text.lstrip()[:1] != b"{":
        raise UnreadableLineError("no_envelope", "properties is text that holds no JSON object")
    return text


@cache
def _wire(table: Table) -> tuple[type[msgspec.Struct], msgspec.json.Decoder[Any]]:
    fields = [(column.name, wire_type(column), None) for column in table.columns]
    record_type = msgspec.defstruct(table.hunting_name, fields, forbid_unknown_fields=True)
    return record_type, msgspec.json.Decoder(record_type)


@cache
def _columns(table: Table) -> dict[str, Column]:
    return {column.name: column for column in table.columns}


def _frame(table: Table, source: Source, gathered: _Gathered, offsets: list[int], tally: Tally) -> pl.DataFrame:
    names = [column.name for column in table.columns]
    values = zip(*map(attrgetter(*names), gathered.records), strict=True) if gathered.records else ([] for _ in names)
    columns: dict[str, pl.Series] = {}
    for column, cells in zip(table.columns, values, strict=True):
        columns[column.name] = _typed(table, column, cells, gathered)
    for name, key, texts in (
        ("exported_at", "time", [opened.exported for opened in gathered.opened]),
        ("received_at", "_TimeReceivedBySvc", [opened.received for opened in gathered.opened]),
    ):
        columns[name] = _envelope_instant(key, pl.Series(name, texts, dtype=pl.String), gathered)
    unmapped_texts: list[str | None] = [None] * len(gathered.records)
    for row, fields in gathered.unmapped.items():
        unmapped_texts[row] = msgspec.json.encode(fields).decode()
        if gathered.lines[row] not in gathered.bad:
            tally.misfits.update(fields.keys())
    bad_rows = {row for row, line in enumerate(gathered.lines) if line in gathered.bad}
    frame = pl.DataFrame(columns).with_columns(
        pl.lit(source.tenant_id).alias("tenant_id"),
        pl.lit(source.day).alias("export_date"),
        pl.lit(source.blob).alias("blob"),
        pl.Series("byte_offset", [offsets[line] for line in gathered.lines], dtype=pl.Int64),
        pl.Series("record_id", gathered.ids, dtype=pl.String),
        pl.Series("unmapped", unmapped_texts, dtype=pl.String),
    )
    if bad_rows:
        frame = frame.filter(~pl.int_range(pl.len()).is_in(sorted(bad_rows)))
    return frame.select(table.schema.names())


def _typed(table: Table, column: Column, cells: Any, gathered: _Gathered) -> pl.Series:
    if column.dtype in {pl.Int64(), pl.Boolean()}:
        return pl.Series(column.name, cells, dtype=column.dtype)
    texts = pl.Series(column.name, cells, dtype=pl.String)
    texts = texts.set(texts == "", None)
    if column.dtype == pl.String():
        return texts
    if column.dtype == INSTANT:
        instants = read_instants(texts)
        for row in instants.is_null().arg_true():
            detail = "missing" if texts[row] is None else f"{texts[row][:60]!r}"
            gathered.bad.setdefault(
                gathered.lines[row], UnreadableLineError("bad_timestamp", f"{column.name} is {detail}")
            )
        return instants
    arrays, misfits = read_arrays(column, texts, comma_list=column.name in table.comma_lists)
    for row in misfits.arg_true():
        gathered.unmapped.setdefault(row, {})[column.name] = Raw(msgspec.json.encode(texts[row]))
    return arrays


def _envelope_instant(key: str, texts: pl.Series, gathered: _Gathered) -> pl.Series:
    instants = read_instants(texts)
    for row in (instants.is_null() & texts.is_not_null()).arg_true():
        fields = gathered.unmapped.setdefault(row, {})
        extra = read_object(bytes(fields.get(ENVELOPE_KEY, Raw(b"{}"))))
        extra[key] = Raw(msgspec.json.encode(texts[row]))
        fields[ENVELOPE_KEY] = Raw(msgspec.json.encode(extra))
    return instants


def _quarantine_row(
    table: Table, source: Source, offset: int, error: UnreadableLineError, content: bytes
) -> tuple[Any, ...]:
    return (
        source.tenant_id,
        source.day,
        table.name,
        source.blob,
        source.blob_created_at,
        offset,
        error.reason,
        error.detail,
        content,
        source.batch,
    )
