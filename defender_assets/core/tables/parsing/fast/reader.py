"""Plain lines of one tenant as a typed frame, and the runs of bytes that were left. Knows no raw chunks and no days."""

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
    shape = _shape(table)
    height = content.count(b"\n")
    lines, left = np.empty((height, 3), dtype=np.int32), np.empty((height, 2), dtype=np.int32)
    begins, lengths = (np.empty((len(shape.names), height), dtype=np.int32) for _ in range(2))
    numbers = np.empty((len(shape.kinds), height), dtype=np.int64)
    buffer = np.frombuffer(content, dtype=np.uint8)
    envelope, columns = _envelope(table, tenant_id), _names(table)
    places = (lines, begins, lengths, numbers, left)
    count, runs, blank = scanner.scan(buffer, _is_text(content), envelope, columns, shape.kinds, shape.needed, *places)
    lines, begins, lengths, numbers = lines[:count], begins[:, :count], lengths[:, :count], numbers[:, :count]
    unfit = np.zeros(count, dtype=np.bool_)
    held = lengths != scanner.NULL
    read = _texts(shape, buffer, begins, lengths, held, unfit) | _instants(shape, buffer, begins, lengths, held, unfit)
    for number in shape.numbers:
        column = table.columns[number]
        read[column.name] = _numbers(numbers[number], held[number], column.dtype)
    read["record_id"] = _record_ids(table, tenant_id, content, lines)
    read["at"] = pl.Series(lines[:, scanner.LINE].astype(np.int64))
    rows, others = _with_arrays(table, pl.DataFrame(read), pl.Series(unfit))
    rest = [(int(begin), int(end)) for begin, end in left[:runs]]
    rest += [(at, content.index(b"\n", at) + 1) for at in others]
    return Plain(rows, sorted(rest), int(blank))


def _with_arrays(table: Table, rows: pl.DataFrame, unfit: pl.Series) -> tuple[pl.DataFrame, pl.Series]:
    """Return the rows that fit, with their list columns read, and where the lines of the others begin."""
    for column in table.columns:
        if isinstance(column.dtype, pl.List):
            arrays, mismatches = read_arrays(column, rows[column.name], comma_list=column.name in table.comma_lists)
            rows = rows.with_columns(arrays)
            unfit |= mismatches
    return (rows.filter(~unfit), rows["at"].filter(unfit)) if unfit.any() else (rows, rows["at"].clear())


def _is_text(content: bytes) -> bool:
    """Return whether bytes above 0x7F may be taken as they are: all of the content is UTF-8 and it holds some."""
    if content.isascii():
        return False
    try:
        # Polars looks at the bytes; `decode` would make a text of them, at twenty times the cost
        pl.Series([content], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:
        return False
    return True


def _texts(
    shape: "_Shape", buffer: Numbers, begins: Numbers, lengths: Numbers, held: Numbers, unfit: Numbers
) -> dict[str, pl.Series]:
    height = len(unfit)
    offsets = np.empty((len(shape.texts), height + 1), dtype=np.int32)
    strings.measure(buffer, shape.texts, begins, lengths, offsets, unfit)
    starts = np.concatenate([[0], np.cumsum(offsets[:, -1], dtype=np.int64)])
    copied = np.empty(int(starts[-1]), dtype=np.uint8)
    strings.copy(buffer, shape.texts, begins, offsets, starts, copied)
    return {
        shape.names[column]: _series(
            na.string(), height, held[column], offsets[place], copied[starts[place] : starts[place + 1]]
        )
        for place, column in enumerate(shape.texts)
    }


def _instants(
    shape: "_Shape", buffer: Numbers, begins: Numbers, lengths: Numbers, held: Numbers, unfit: Numbers
) -> dict[str, pl.Series]:
    moments = np.empty((len(shape.instants), len(unfit)), dtype=np.int64)
    timestamps.read(buffer, shape.instants, begins, lengths, moments, unfit)
    return {
        shape.names[column]: _numbers(moments[place], held[column], INSTANT)
        for place, column in enumerate(shape.instants)
    }


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
    for begin, end in zip(lines[:, scanner.INSIDE].tolist(), lines[:, scanner.BEHIND].tolist(), strict=True):
        digest = identity.copy()
        digest.update(whole[begin:end])
        ids.append(digest.hexdigest())
    return pl.Series(ids, dtype=pl.String)


class _Shape(NamedTuple):
    """The columns of a table and, behind them, the envelope's instants; which of them are what, by number."""

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
