"""Bytes go into a Binary column and out of it without a copy, and are equal."""

import polars as pl

from defender_assets.core.lake.arrow import binary_column, binary_values

VALUES = [b"", b"short", b"x" * 12, b"y" * 13, b"z" * 100_000]


def test_values_are_those_of_the_column_in_any_chunks_and_slices() -> None:
    column = pl.concat([pl.Series(VALUES), pl.Series(VALUES[::-1])], rechunk=False)
    for part in (column, column.rechunk(), column[3:9], column.rechunk()[3:9], column.clear()):
        assert list(binary_values(part)) == part.to_list()


def test_values_outlive_their_column() -> None:
    column = pl.Series([bytes([n]) * 1_000_000 for n in range(20)])
    values = list(binary_values(column))
    del column
    others = [bytes(1_000_000) for _ in range(20)]
    assert [bytes(value) for value in values] == [bytes([n]) * 1_000_000 for n in range(20)]
    assert not any(map(any, others))


def test_a_column_of_one_value_has_its_bytes() -> None:
    for value in VALUES:
        column = binary_column(value)
        assert (column.dtype, column.to_list()) == (pl.Binary(), [value])
    assert column.bin.size().item() == len(VALUES[-1])
