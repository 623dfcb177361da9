"""Polars series of what the compiled reader finds: NumPy arrays, not copied where Polars has the same layout."""

from typing import Any

import nanoarrow as na
import numpy as np
import polars as pl
from numpy.typing import NDArray

from defender_assets.core.schemas import Column, Table
from defender_assets.core.tables.parsing.coded_rows import Coded
from defender_assets.core.tables.parsing.decoded_lists import decoded_lists

Numbers = NDArray[Any]
_BLOCK = 1 << 16


def strings(texts: Numbers, offsets: Numbers, valid: Numbers | None = None) -> pl.Series:
    """Return the texts between each two offsets into the bytes of `texts`, null where they are not valid."""
    return _series(na.string(), len(offsets) - 1, valid, offsets, texts)


def numbers(values: Numbers, valid: Numbers, dtype: pl.DataType) -> pl.Series:
    """Return 64-bit numbers as integers, instants or flags, null where they are not valid."""
    if dtype == pl.Boolean():
        return _series(na.bool_(), len(values), valid, np.packbits(values.astype(bool) & valid, bitorder="little"))
    return _series(na.int64(), len(values), valid, np.ascontiguousarray(values)).cast(dtype)


def _series(kind: Any, height: int, valid: Numbers | None, *buffers: Numbers) -> pl.Series:
    validity, nulls = None, 0
    if valid is not None:
        validity, nulls = np.packbits(valid, bitorder="little"), height - int(np.count_nonzero(valid))
    return pl.Series(na.c_array_from_buffers(kind, height, [validity, *buffers], null_count=nulls))


def newlines(content: Numbers) -> int:
    """Return how many bytes of the content are newlines. Each block's comparison is in the same memory."""
    blocks = (content[at : at + _BLOCK] for at in range(0, len(content), _BLOCK))
    return sum(int(np.count_nonzero(block == ord("\n"))) for block in blocks)


def line_end(content: Numbers, begin: int) -> int:
    """Return the end of the line at `begin`; the content ends with a newline."""
    while not len(found := np.flatnonzero(content[begin : begin + _BLOCK] == ord("\n"))):
        begin += _BLOCK
    return begin + int(found[0]) + 1


def has_utf8(content: Numbers) -> bool:
    """Return whether the content is valid UTF-8 with bytes above 0x7F."""
    if content.max(initial=0) < 0x80:  # noqa: PLR2004 (the first byte that is not ASCII)
        return False
    try:
        # Polars only validates the bytes; `decode` would build a text, which takes twenty times as long
        _series(na.binary(), 1, None, np.array([0, len(content)], dtype=np.int32), content).cast(pl.String)
    except pl.exceptions.ComputeError:
        return False
    return True


def decoded(column: Column, texts: Coded, table: Table) -> tuple[Coded, Numbers]:
    """Return a list column of texts, each of which is decoded once, and which rows do not fit."""
    codes = texts.codes.to_numpy()
    occurs = np.zeros(len(texts.values), dtype=np.bool_)
    occurs[codes] = True
    positions = (np.cumsum(occurs, dtype=np.uint32) - 1)[codes]
    arrays, mismatches = decoded_lists(table, column).of(texts.values.filter(occurs))
    return Coded(arrays, pl.Series(positions)), mismatches.to_numpy()[positions]
