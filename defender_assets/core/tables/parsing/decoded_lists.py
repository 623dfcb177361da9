"""The lists of texts of list columns, each text decoded once while it is remembered."""

from functools import cache
from threading import Lock

import polars as pl

from defender_assets.core.schemas import Column, Table
from defender_assets.core.tables.parsing.values import read_arrays

_REMEMBERED = 4 * 1024 * 1024
"""A process forgets all texts of a column once they have more characters than this."""


class DecodedLists:
    """The lists of a column's texts. Several threads may use it."""

    def __init__(self, column: Column, *, comma_list: bool) -> None:
        self._column, self._comma_list = column, comma_list
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._positions: dict[str | None, int] = {}
        self._size = 0
        self._lists, self._mismatches = pl.Series(dtype=self._column.dtype), pl.Series(dtype=pl.Boolean)

    def of(self, texts: pl.Series) -> tuple[pl.Series, pl.Series]:
        """Return the list of each text, and a mask of the texts that do not fit."""
        wanted = texts.to_list()
        with self._lock:
            if self._size > _REMEMBERED:
                self._forget()
            new = [text for text in dict.fromkeys(wanted) if text not in self._positions]
            if new:
                self._decode(new)
            positions = pl.Series([self._positions[text] for text in wanted], dtype=pl.UInt32)
            lists, mismatches = self._lists, self._mismatches
        return lists[positions], mismatches[positions]

    def _decode(self, new: list[str | None]) -> None:
        texts = pl.Series(self._column.name, new, dtype=pl.String)
        lists, mismatches = read_arrays(self._column, texts, comma_list=self._comma_list)
        self._positions.update((text, position) for position, text in enumerate(new, len(self._lists)))
        self._size += sum(len(text or "") for text in new)
        self._lists, self._mismatches = pl.concat([self._lists, lists]), pl.concat([self._mismatches, mismatches])


@cache
def decoded_lists(table: Table, column: Column) -> DecodedLists:
    """Return the remembered lists of a table's column."""
    return DecodedLists(column, comma_list=column.name in table.comma_lists)
