"""Parses lines of raw chunks into records in their wire types, or into reasons for quarantine.

A line is good or quarantined as a whole. A record with exactly the documented wire types is decoded at once; any other
record is read field by field. `typed_rows` converts the records to typed columns.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Raw

from defender_assets.core.raw.batches import Source
from defender_assets.core.raw.range_reader import LONGEST_LINE
from defender_assets.core.schemas import Column, Table
from defender_assets.core.tables.parsing.envelopes import OpenedRecord, UnreadableLineError, open_line, read_object
from defender_assets.core.tables.parsing.record_ids import identity
from defender_assets.core.tables.parsing.values import TypeMismatchError, coerce, wire_type

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ENVELOPE_KEY = "$envelope"


@dataclass(frozen=True)
class Line:
    """A line that is not blank: its source, its offset in the blob and its bytes without the LF."""

    source: Source
    offset: int
    content: bytes


@dataclass
class RecordBuffer:
    """Records of many chunks as parallel lists: record i is from `lines[line_of[i]]`.

    `bad` is keyed by line number, `unmapped` by record number. `counted`, `blank` and `read` count all lines, blank
    lines and lines that were parsed without an error.
    """

    lines: list[Line] = field(default_factory=list)
    bad: dict[int, UnreadableLineError] = field(default_factory=dict)
    line_of: list[int] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)
    record_ids: list[str] = field(default_factory=list)
    opened: list[OpenedRecord] = field(default_factory=list)
    unmapped: dict[int, dict[str, Raw]] = field(default_factory=dict)
    counted: int = 0
    blank: int = 0
    read: int = 0

    def add_unmapped(self, record: int, name: str, raw: Raw) -> None:
        """Add a field that fits no column."""
        self.unmapped.setdefault(record, {})[name] = raw


def parse_lines(table: Table, source: Source, content: bytes, into: RecordBuffer) -> None:
    """Parse a chunk of whole lines and add it to the buffer."""
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    into.counted += content.count(b"\n")
    offsets = accumulate((len(line) + 1 for line in lines), initial=source.byte_start)
    empty = identity(table, source.tenant_id)
    for line, offset in zip(lines, offsets, strict=False):
        if not line or line.isspace():
            into.blank += 1
            continue
        into.lines.append(Line(source, offset, line))
        try:
            _read_line(table, source.tenant_id, empty, line, into)
            into.read += 1
        except UnreadableLineError as error:
            # a new one: the traceback of the raised one holds the buffer, and this cycle all lines of the chunk
            into.bad[len(into.lines) - 1] = UnreadableLineError(error.reason, error.detail)


def _read_line(table: Table, tenant_id: str, empty: "hashlib.blake2b", line: bytes, into: RecordBuffer) -> None:
    if len(line) > LONGEST_LINE:
        raise UnreadableLineError("line_too_long", f"{len(line)} bytes")
    records = []
    for opened in open_line(table, tenant_id, line.removeprefix(BYTE_ORDER_MARK)):
        digest = empty.copy()
        digest.update(opened.written)
        records.append((opened, digest.hexdigest(), *_read_properties(table, opened.properties, opened.written)))
    for opened, record_id, record, unmapped in records:
        if opened.extra:
            unmapped[ENVELOPE_KEY] = Raw(msgspec.json.encode(opened.extra))
        if unmapped:
            into.unmapped[len(into.records)] = unmapped
        into.line_of.append(len(into.lines) - 1)
        into.opened.append(opened)
        into.record_ids.append(record_id)
        into.records.append(record)


def _read_properties(table: Table, text: bytes, written: bytes) -> tuple[Any, dict[str, Raw]]:
    """Return the record in its wire types, and the fields that fit no column as written."""
    record_type, decoder = _wire(table)
    unmapped: dict[str, Raw] = {}
    try:
        record = decoder.decode(text) if text == written else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        record = None
    if record is None and text[:1] == b'"':
        # tolerated: a string that contains the object
        inner = _unquoted(text)
        return _read_properties(table, inner, inner)
    if record is None:
        record = record_type(**_fitting(table, text, written, unmapped))
    if not getattr(record, table.key):
        raise UnreadableLineError("no_key", f"{table.key} is missing, empty or not text")
    return record, unmapped


def _fitting(table: Table, text: bytes, written: bytes, unmapped: dict[str, Raw]) -> dict[str, Any]:
    """Return the values that fit their columns, and add the others to `unmapped`."""
    columns = _columns(table)
    values: dict[str, Any] = {}
    at = 0
    for name, raw in read_object(text).items():
        column = columns.get(name)
        original = raw
        if text != written:
            value = bytes(raw)
            at = max(text.find(value, at), 0)
            original = Raw(written[at : at + len(value)])
        try:
            if column is None or bytes(original) != bytes(raw):
                unmapped[name] = original
            else:
                values[name] = coerce(column, raw)
        except TypeMismatchError:
            unmapped[name] = original
    return values


def _unquoted(written: bytes) -> bytes:
    try:
        text = msgspec.json.decode(written, type=str).encode()
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = b""
    if text.lstrip()[:1] != b"{":
        raise UnreadableLineError("no_envelope", "properties is text without a JSON object")
    return text


@cache
def _wire(table: Table) -> tuple[type[msgspec.Struct], msgspec.json.Decoder[Any]]:
    fields = [(column.name, wire_type(column), None) for column in table.columns]
    record_type = msgspec.defstruct(table.hunting_name, fields, forbid_unknown_fields=True)
    return record_type, msgspec.json.Decoder(record_type)


@cache
def _columns(table: Table) -> dict[str, Column]:
    return {column.name: column for column in table.columns}
