"""Rows of a typed table whose texts and lists are codes: positions in a series of values that many rows share.

Rows are compared, sorted and selected as numbers. Their values are only looked up once, in the final order. They are
selected by `series[positions]`: `Series.gather` plans a query each time, which costs more than the rows do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

import polars as pl

from defender_assets.core.schemas import Table

_REPEATED = 4
"""Texts are made Categorical if there are at most so many of them for each row, in all columns together."""

DIGEST = "digest"
"""The column of the 16 bytes of a `record_id`."""


class Coded(NamedTuple):
    """A column: row r has the value at position `codes[r]` (UInt32). A value may occur at several positions."""

    values: pl.Series
    codes: pl.Series


@dataclass(frozen=True)
class CodedRows:
    """Rows of a table in any order: `coded` are its columns of texts and lists, `plain` the others, with DIGEST."""

    table: Table
    coded: dict[str, Coded]
    plain: pl.DataFrame

    @classmethod
    def of(cls, table: Table, rows: pl.DataFrame) -> "CodedRows":
        """Return rows that have the table's schema."""
        codes = pl.int_range(rows.height, dtype=pl.UInt32, eager=True)
        coded = {name: Coded(rows[name], codes) for name in _coded_names(table)}
        digest = pl.col("record_id").str.decode("hex").alias(DIGEST)
        return cls(table, coded, rows.select(*_plain_names(table), digest))

    @property
    def height(self) -> int:
        return self.plain.height

    @cached_property
    def ids(self) -> pl.DataFrame:
        """Return the `record_id`s as one column `number` of 128 bits."""
        return self.plain.select(number=pl.col(DIGEST).bin.reinterpret(dtype=pl.UInt128, endianness="big"))

    def ranks(self, name: str) -> pl.Series:
        """Return numbers that sort as the texts of a column do."""
        values, codes = self.coded[name]
        used = codes.unique()
        ranks = pl.DataFrame({"code": used, "rank": values[used].rank("dense")})
        return codes.to_frame("code").join(ranks, on="code", how="left", maintain_order="left")["rank"]

    def frame(self, order: pl.Series | None = None, *, categories: bool = False) -> pl.DataFrame:
        """Return the rows with the table's schema, those at the positions in `order`, by default all of them.

        With `categories`, texts are Categorical if they repeat: that is cheaper to make and to write.
        """
        plain = self.plain if order is None else self.plain[order]
        columns = {name: plain[name] for name in _plain_names(self.table)}
        columns["record_id"] = plain[DIGEST].bin.encode("hex")
        values = {id(each): each for each, _ in self.coded.values()}
        if categories:
            limit = _REPEATED * self.height
            values = {key: _categorical(each) if len(each) <= limit else each for key, each in values.items()}
        for name, (each, codes) in self.coded.items():
            columns[name] = values[id(each)][codes if order is None else codes[order]]
        return pl.DataFrame(columns).select(self.table.schema.names())


def _categorical(values: pl.Series) -> pl.Series:
    return values.cast(pl.Categorical) if values.dtype == pl.String else values


def concat(table: Table, pieces: Iterable[CodedRows]) -> CodedRows:
    """Return the rows of all pieces, in their order."""
    # a piece of bad lines only has no rows, but values of its own for each column: nothing could be shared
    joined = [piece for piece in pieces if piece.height] or [CodedRows.of(table, pl.DataFrame(schema=table.schema))]
    if len(joined) == 1:
        return joined[0]
    values: dict[tuple[int, ...], pl.Series] = {}
    coded = {}
    for name in _coded_names(table):
        parts = [piece.coded[name] for piece in joined]
        # columns of texts share their values
        key = tuple(id(part.values) for part in parts)
        if key not in values:
            values[key] = pl.concat([part.values for part in parts], rechunk=True)
        coded[name] = Coded(values[key], _shifted(parts))
    names = (*_plain_names(table), DIGEST)
    return CodedRows(table, coded, pl.concat([piece.plain.select(names) for piece in joined]).rechunk())


def _shifted(parts: Sequence[Coded]) -> pl.Series:
    shifted, shift = [], 0
    for part in parts:
        shifted.append(part.codes + shift)
        shift += len(part.values)
    return pl.concat(shifted, rechunk=True)


@cache
def _coded_names(table: Table) -> list[str]:
    return [
        name for name, dtype in table.schema.items() if isinstance(dtype, pl.String | pl.List) and name != "record_id"
    ]


@cache
def _plain_names(table: Table) -> list[str]:
    return [name for name in table.schema.names() if name not in {*_coded_names(table), "record_id"}]
