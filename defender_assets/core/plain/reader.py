"""Plain lines of one tenant as a typed frame, and the runs of bytes that were left. Knows no raw chunks and no days."""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import nanoarrow as na
import numpy as np
import polars as pl
from numpy.typing import NDArray

from defender_assets.core.plain import grammar
from defender_assets.core.tables import INSTANT, Table
from defender_assets.core.values import read_arrays

Numbers = NDArray[Any]
_BOUND = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Plain:
    """The records of the plain lines, and what is left: `left` holds begin and end of each run of other lines.

    `rows` has Microsoft's columns, `exported_at`, `received_at`, `record_id`, and in `at` the
    line's offset in the content.
    """

    rows: pl.DataFrame
    left: list[tuple[int, int]]
    blank: int


def read_plain(table: Table, tenant_id: str, content: bytes) -> Plain:
    """Return what the plain lines of `content` hold; it ends with a newline and is shorter than 2 GiB."""
    if not content.endswith(b"\n") or len(content) > _BOUND:
        raise ValueError("content must be whole lines, of less than 2 GiB")
    buffer = np.frombuffer(content, dtype=np.uint8)
    height = content.count(b"\n")
    columns = len(table.columns)
    lines = np.empty((height, 5), dtype=np.int64)
    left = np.empty((height, 2), dtype=np.int64)
    begins = np.empty((columns, height), dtype=np.int32)
    lengths = np.empty((columns, height), dtype=np.int32)
    numbers = np.empty((columns, height), dtype=np.int64)
    kinds, key = _kinds(table)
    count, runs, blank = grammar.scan(
        buffer,
        _is_text(content),
        _envelope(table, tenant_id),
        _names(table),
        kinds,
        key,
        lines,
        begins,
        lengths,
        numbers,
        left,
    )
    read: dict[str, pl.Series] = {}
    for number, column in enumerate(table.columns):
        if kinds[number] == grammar.TEXT:
            read[column.name] = _texts(buffer, begins[number, :count], lengths[number, :count])
        else:
            held = numbers[number, :count]
            read[column.name] = _numbers(held, lengths[number, :count] != grammar.NULL, column.dtype)
    for name, moments in (("exported_at", lines[:count, 3]), ("received_at", lines[:count, 4])):
        read[name] = _numbers(moments, moments != grammar.NO_INSTANT, INSTANT)
    read["record_id"] = _record_ids(table, tenant_id, content, lines[:count])
    read["at"] = pl.Series(np.ascontiguousarray(lines[:count, 0]))
    rest = [(int(begin), int(end)) for begin, end in left[:runs]]
    return _with_arrays(table, pl.DataFrame(read), Plain(pl.DataFrame(), rest, int(blank)), content)


def _with_arrays(table: Table, rows: pl.DataFrame, plain: Plain, content: bytes) -> Plain:
    """Return the rows with their list columns read; a row whose text does not fit one is left, line and all."""
    unfit = pl.Series([False], dtype=pl.Boolean).new_from_index(0, rows.height)
    for column in table.columns:
        if isinstance(column.dtype, pl.List):
            arrays, misfits = read_arrays(column, rows[column.name], comma_list=column.name in table.comma_lists)
            rows = rows.with_columns(arrays)
            unfit |= misfits
    if not unfit.any():
        return Plain(rows, plain.left, plain.blank)
    others = [(at, content.index(b"\n", at) + 1) for at in rows["at"].filter(unfit)]
    return Plain(rows.filter(~unfit), sorted([*plain.left, *others]), plain.blank)


def _is_text(content: bytes) -> bool:
    """Return whether bytes above 0x7F may be taken as they are: all of the content is UTF-8 and it holds some."""
    if content.isascii():
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _texts(buffer: Numbers, begins: Numbers, lengths: Numbers) -> pl.Series:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    held = lengths != grammar.NULL
    np.cumsum(np.where(held, lengths, 0), out=offsets[1:])
    texts = np.empty(int(offsets[-1]), dtype=np.uint8)
    grammar.copy_texts(buffer, begins, lengths, offsets, texts)
    return _series(na.string(), len(lengths), held, offsets, texts)


def _numbers(values: Numbers, held: Numbers, dtype: pl.DataType) -> pl.Series:
    if dtype == pl.Boolean():
        bits = np.packbits(values.astype(bool) & held, bitorder="little")
        return _series(na.bool_(), len(values), held, bits)
    return _series(na.int64(), len(values), held, np.ascontiguousarray(values)).cast(dtype)


def _series(kind: Any, height: int, held: Numbers, *buffers: Numbers) -> pl.Series:
    validity = np.packbits(held, bitorder="little")
    nulls = height - int(np.count_nonzero(held))
    return pl.Series(na.c_array_from_buffers(kind, height, [validity, *buffers], null_count=nulls))


def _record_ids(table: Table, tenant_id: str, content: bytes, lines: Numbers) -> pl.Series:
    identity = hashlib.blake2b(f"{table.name}\0{tenant_id}\0".encode(), digest_size=16)
    whole = memoryview(content)
    ids = []
    for begin, end in zip(lines[:, 1].tolist(), lines[:, 2].tolist(), strict=True):
        digest = identity.copy()
        digest.update(whole[begin:end])
        ids.append(digest.hexdigest())
    return pl.Series(ids, dtype=pl.String)


@cache
def _kinds(table: Table) -> tuple[Numbers, int]:
    kinds = {pl.Int64(): grammar.INTEGER, pl.Boolean(): grammar.FLAG, INSTANT: grammar.INSTANT}
    names = [column.name for column in table.columns]
    return np.array([kinds.get(column.dtype, grammar.TEXT) for column in table.columns], dtype=np.uint8), names.index(
        table.key
    )


@cache
def _names(table: Table) -> tuple[Numbers, Numbers]:
    return _words([f'"{column.name}":' for column in table.columns])


@cache
def _envelope(table: Table, tenant_id: str) -> tuple[Numbers, Numbers]:
    """Return the keys of the envelope in the order of the grammar's numbers; table and tenant with their values."""
    return _words(
        [
            '"time":',
            '"_TimeReceivedBySvc":',
            f'"category":"{table.category}"',
            f'"tenantId":"{tenant_id}"',
            '"properties":',
            '"operationName":',
            '"Tenant":',
        ]
    )


def _words(words: list[str]) -> tuple[Numbers, Numbers]:
    encoded = [word.encode() for word in words]
    bounds = np.cumsum([0, *(len(word) for word in encoded)])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), bounds
