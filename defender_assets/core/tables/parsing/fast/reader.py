"""Parses the lines of one tenant into a typed frame, and returns the byte ranges of the lines that it left."""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import nanoarrow as na
import numpy as np
import polars as pl
from numpy.typing import NDArray

from defender_assets.core.schemas import INSTANT, Table
from defender_assets.core.tables.parsing.fast import scanner, strings, timestamps
from defender_assets.core.tables.parsing.values import read_arrays

Numbers = NDArray[Any]
_BOUND = np.iinfo(np.int32).max


@dataclass(frozen=True)
class FastParsed:
    """The parsed rows, and in `left` the begin and end of each run of lines that were not parsed.

    `rows` has Microsoft's columns, `exported_at`, `received_at`, `record_id`, and `at`, the line's offset in bytes.
    """

    rows: pl.DataFrame
    left: list[tuple[int, int]]
    blank: int


def parse_fast(table: Table, tenant_id: str, content: bytes) -> FastParsed:
    """Return the rows of `content`, which ends with a newline and is shorter than 2 GiB."""
    if not content.endswith(b"\n") or len(content) > _BOUND:
        raise ValueError("content must be whole lines, shorter than 2 GiB")
    shape = _shape(table)
    height = content.count(b"\n")
    lines, left = np.empty((height, 3), dtype=np.int32), np.empty((height, 2), dtype=np.int32)
    begins, lengths = (np.empty((len(shape.names), height), dtype=np.int32) for _ in range(2))
    numbers = np.empty((len(shape.kinds), height), dtype=np.int64)
    buffer = np.frombuffer(content, dtype=np.uint8)
    keys = (_envelope_keys(table, tenant_id), _column_keys(table))
    output = (lines, begins, lengths, numbers, left)
    count, runs, blank = scanner.scan(buffer, _has_utf8(content), *keys, shape.kinds, shape.needed, *output)
    lines, begins, lengths, numbers = lines[:count], begins[:, :count], lengths[:, :count], numbers[:, :count]
    unfit = np.zeros(count, dtype=np.bool_)
    valid = lengths != scanner.NULL
    parsed = _texts(shape, buffer, begins, lengths, valid, unfit)
    parsed |= _instants(shape, buffer, begins, lengths, valid, unfit)
    for number in shape.numbers:
        column = table.columns[number]
        parsed[column.name] = _numbers(numbers[number], valid[number], column.dtype)
    parsed["record_id"] = _record_ids(table, tenant_id, content, lines)
    parsed["at"] = pl.Series(lines[:, scanner.LINE].astype(np.int64))
    rows, others = _with_arrays(table, pl.DataFrame(parsed), pl.Series(unfit))
    rest = [(int(begin), int(end)) for begin, end in left[:runs]]
    rest += [(at, content.index(b"\n", at) + 1) for at in others]
    return FastParsed(rows, sorted(rest), int(blank))


def _with_arrays(table: Table, rows: pl.DataFrame, unfit: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Return the rows that fit, with parsed list columns, and the line offsets of the other rows."""
    for column in table.columns:
        if isinstance(column.dtype, pl.List):
            arrays, mismatches = read_arrays(column, rows[column.name], comma_list=column.name in table.comma_lists)
            rows = rows.with_columns(arrays)
            unfit |= mismatches
    return (rows.filter(~unfit), rows["at"].filter(unfit)) if unfit.any() else (rows, rows["at"].clear())


def _has_utf8(content: bytes) -> bool:
    """Return whether the content is valid UTF-8 with bytes above 0x7F."""
    if content.isascii():
        return False
    try:
        # Polars only validates the bytes; `decode` would build a text, which takes twenty times as long
        pl.Series([content], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return False
    return True


def _texts(
    shape: "_Shape", buffer: Numbers, begins: Numbers, lengths: Numbers, valid: Numbers, unfit: Numbers
) -> dict[str, pl.Series]:
    height = len(unfit)
    offsets = np.empty((len(shape.texts), height + 1), dtype=np.int32)
    strings.measure(buffer, shape.texts, begins, lengths, offsets, unfit)
    starts = np.concatenate([[0], np.cumsum(offsets[:, -1], dtype=np.int64)])
    copied = np.empty(int(starts[-1]), dtype=np.uint8)
    strings.copy(buffer, shape.texts, begins, offsets, starts, copied)
    return {
        shape.names[column]: _series(
            na.string(), height, valid[column], offsets[row], copied[starts[row] : starts[row + 1]]
        )
        for row, column in enumerate(shape.texts)
    }


def _instants(
    shape: "_Shape", buffer: Numbers, begins: Numbers, lengths: Numbers, valid: Numbers, unfit: Numbers
) -> dict[str, pl.Series]:
    moments = np.empty((len(shape.instants), len(unfit)), dtype=np.int64)
    timestamps.read(buffer, shape.instants, begins, lengths, moments, unfit)
    return {
        shape.names[column]: _numbers(moments[row], valid[column], INSTANT) for row, column in enumerate(shape.instants)
    }


def _numbers(values: Numbers, valid: Numbers, dtype: pl.DataType) -> pl.Series:
    if dtype == pl.Boolean():
        bits = np.packbits(values.astype(bool) & valid, bitorder="little")
        return _series(na.bool_(), len(values), valid, bits)
    return _series(na.int64(), len(values), valid, np.ascontiguousarray(values)).cast(dtype)


def _series(kind: Any, height: int, valid: Numbers, *buffers: Numbers) -> pl.Series:
    validity = np.packbits(valid, bitorder="little")
    nulls = height - int(np.count_nonzero(valid))
    return pl.Series(na.c_array_from_buffers(kind, height, [validity, *buffers], null_count=nulls))


def _record_ids(table: Table, tenant_id: str, content: bytes, lines: Numbers) -> pl.Series:
    identity = hashlib.blake2b(f"{table.name}\0{tenant_id}\0".encode(), digest_size=16)
    whole = memoryview(content)
    ids = []
    for begin, end in zip(lines[:, scanner.INSIDE].tolist(), lines[:, scanner.BEHIND].tolist(), strict=True):
        digest = identity.copy()
        digest.update(whole[begin:end])
        ids.append(digest.hexdigest())
    return pl.Series(ids, dtype=pl.String)


class _Shape(NamedTuple):
    """The names of a table's columns and the envelope's timestamps, the kinds of the columns, and column numbers."""

    names: list[str]
    kinds: Numbers
    texts: Numbers
    instants: Numbers
    numbers: Numbers
    needed: Numbers


@cache
def _shape(table: Table) -> _Shape:
    columns = [column.name for column in table.columns]
    of_type = {pl.Int64(): scanner.INTEGER, pl.Boolean(): scanner.FLAG, INSTANT: scanner.INSTANT}
    kinds = np.array([of_type.get(column.dtype, scanner.TEXT) for column in table.columns], dtype=np.uint8)
    return _Shape(
        [*columns, "exported_at", "received_at"],
        kinds,
        np.flatnonzero(kinds == scanner.TEXT),
        np.append(np.flatnonzero(kinds == scanner.INSTANT), len(kinds) + np.array([scanner.TIME, scanner.RECEIVED])),
        np.flatnonzero((kinds == scanner.INTEGER) | (kinds == scanner.FLAG)),
        np.array([columns.index("Timestamp"), columns.index(table.key)]),
    )


@cache
def _column_keys(table: Table) -> tuple[Numbers, Numbers]:
    return _encoded([f'"{column.name}":' for column in table.columns])


@cache
def _envelope_keys(table: Table, tenant_id: str) -> tuple[Numbers, Numbers]:
    """Return the keys of the envelope in the scanner's order; the table's and the tenant's with their values."""
    return _encoded(
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


def _encoded(keys: list[str]) -> tuple[Numbers, Numbers]:
    encoded = [key.encode() for key in keys]
    bounds = np.cumsum([0, *map(len, encoded)])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), bounds
