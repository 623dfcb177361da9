"""Parses the lines of one tenant into columns, and returns the byte ranges of the lines that it left."""

import secrets
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from defender_assets.core.schemas import INSTANT, Table
from defender_assets.core.tables.parsing.coded_rows import DIGEST, Coded
from defender_assets.core.tables.parsing.fast import scanner, texts, timestamps
from defender_assets.core.tables.parsing.record_ids import digests
from defender_assets.core.tables.parsing.series import Numbers, decoded, has_utf8, line_end, newlines, numbers, strings

_BOUND = np.iinfo(np.int32).max
_KEY = np.uint64(secrets.randbits(64))
_RECENT_TEXTS = 1 << 17
"""More than most groups of lines have, and few enough for the processor's cache."""


@dataclass(frozen=True)
class FastParsed:
    """The columns of the parsed records, and in `left` the begin and end of each run of lines that were not parsed.

    `coded` and `plain` have Microsoft's columns, `exported_at`, `received_at` and the `record_id` as in `CodedRows`.
    `at` is the offset of each record's line in bytes; `lines` and `blank` count all lines and the blank ones.
    """

    coded: dict[str, Coded]
    plain: pl.DataFrame
    at: pl.Series
    left: list[tuple[int, int]]
    lines: int
    blank: int


def parse_fast(table: Table, tenant_id: str, content: bytes | memoryview) -> FastParsed:
    """Return the records of `content`, which ends with a newline and is shorter than 2 GiB."""
    if content[-1:] != b"\n" or len(content) > _BOUND:
        raise ValueError("content must be whole lines, shorter than 2 GiB")
    shape = _shape(table)
    buffer = np.frombuffer(content, dtype=np.uint8)
    height = newlines(buffer)
    lines, left = np.empty((height, 3), dtype=np.int32), np.empty((height, 2), dtype=np.int32)
    begins, lengths = (np.empty((height, len(shape.names)), dtype=np.int32) for _ in range(2))
    hashes = np.empty(begins.shape, dtype=np.uint32)
    integers = np.empty((len(shape.kinds), height), dtype=np.int64)
    keys = (_envelope_keys(table, tenant_id), shape.keys)
    output = (lines, begins, lengths, hashes, integers, left)
    count, runs, blank = scanner.scan(buffer, has_utf8(buffer), _KEY, *keys, shape.kinds, shape.needed, *output)
    lines, begins, lengths = lines[:count], begins[:count], lengths[:count]
    unfit = np.zeros(count, dtype=np.bool_)
    coded = _texts(table, shape, buffer, begins, lengths, hashes, unfit)
    moments = np.empty((len(shape.instants), count), dtype=np.int64)
    timestamps.read(buffer, shape.instants, begins, lengths, moments, unfit)
    found = [(number, INSTANT, moments[row]) for row, number in enumerate(shape.instants)]
    found += [(number, table.columns[number].dtype, integers[number, :count]) for number in shape.numbers]
    plain = {
        shape.names[number]: numbers(values, lengths[:, number] != scanner.NULL, dtype)
        for number, dtype, values in found
    }
    ids = digests(table, tenant_id, content, lines[:, scanner.INSIDE :].tolist())
    plain[DIGEST] = pl.Series(ids, dtype=pl.Binary)
    rows, at = pl.DataFrame(plain), lines[:, scanner.LINE].astype(np.int64)
    rest = [(int(begin), int(end)) for begin, end in left[:runs]]
    if unfit.any():
        rest += [(begin, line_end(buffer, begin)) for begin in at[unfit].tolist()]
        coded = {name: Coded(column.values, column.codes.filter(~unfit)) for name, column in coded.items()}
        rows, at = rows.filter(~unfit), at[~unfit]
    return FastParsed(coded, rows, pl.Series(at), sorted(rest), height, int(blank))


def _texts(
    table: Table, shape: "_Shape", buffer: Numbers, begins: Numbers, lengths: Numbers, hashes: Numbers, unfit: Numbers
) -> dict[str, Coded]:
    """Return the columns of texts, and those of lists, for which each text is parsed once."""
    codes = np.empty((len(shape.texts), len(unfit)), dtype=np.uint32)
    firsts, sizes = (np.empty(codes.size + 1, dtype=np.int32) for _ in range(2))
    firsts[0] = sizes[0] = 0
    recent = np.zeros((_RECENT_TEXTS, 2), dtype=np.uint32)
    count = texts.number(buffer, shape.texts, begins, lengths, hashes, recent, firsts, sizes, codes)
    offsets, rejected = np.empty(count + 1, dtype=np.int32), np.zeros(count, dtype=np.bool_)
    copied = np.empty(sizes[:count].sum(dtype=np.int64), dtype=np.uint8)
    texts.unescape(buffer, firsts, sizes, offsets, copied, rejected)
    # the first one is null
    values = strings(copied[: offsets[-1]], offsets, np.arange(count) > 0)
    if rejected.any():
        unfit |= rejected[codes].any(axis=0)
    coded, rows, of_columns = {}, len(unfit), pl.Series(codes.reshape(-1))
    for nth, number in enumerate(shape.texts):
        column = table.columns[number]
        coded[column.name] = Coded(values, of_columns.slice(nth * rows, rows))
        if isinstance(column.dtype, pl.List):
            coded[column.name], mismatches = decoded(column, coded[column.name], table)
            unfit |= mismatches
    return coded


class _Shape(NamedTuple):
    """Names of a table's columns and the envelope's timestamps, kinds and keys of the columns, and column numbers."""

    names: list[str]
    kinds: Numbers
    texts: Numbers
    instants: Numbers
    numbers: Numbers
    needed: Numbers
    keys: tuple[Numbers, Numbers]


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
        _encoded([f'"{column}":' for column in columns]),
    )


@cache
def _envelope_keys(table: Table, tenant_id: str) -> tuple[Numbers, Numbers]:
    """Return the keys of the envelope in the scanner's order; the table's and the tenant's with their values."""
    identity = [f'"category":"{table.category}"', f'"tenantId":"{tenant_id}"']
    return _encoded(['"time":', '"_TimeReceivedBySvc":', *identity, '"properties":', '"operationName":', '"Tenant":'])


def _encoded(keys: list[str]) -> tuple[Numbers, Numbers]:
    encoded = [key.encode() for key in keys]
    bounds = np.cumsum([0, *map(len, encoded)])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), bounds
