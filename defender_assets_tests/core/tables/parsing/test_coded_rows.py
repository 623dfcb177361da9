"""Rows of texts by number are the same rows as their frames, in any order and joined from any pieces."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from defender_assets.core.schemas import DEVICE_INFO
from defender_assets.core.tables.deduplication import distinct_order
from defender_assets.core.tables.parsing.coded_rows import CodedRows, concat
from defender_assets.core.tables.parsing.lines import parse
from defender_assets.core.tables.parsing.warmup import Warmup
from defender_assets_tests.support.odd_lines import HOSTILE, SOURCE, compact

pytestmark = pytest.mark.usefixtures("compiled")

USUAL = [
    compact(DEVICE_INFO, DeviceId=f"d{number % 3}", DeviceName=f"n{number}", LoggedOnUsers='[{"UserName":"u"}]')
    for number in (3, 1, 2, 1)
]


def records(content: bytes) -> CodedRows:
    pieces = parse(DEVICE_INFO, [(SOURCE, content)], len(content), warmup=Warmup(0), fast_path_bytes=0)
    return concat(DEVICE_INFO, (piece.records for piece in pieces))


def test_rows_in_an_order_are_the_rows_of_their_frame_in_it() -> None:
    rows = records(b"".join([*USUAL, *HOSTILE]))
    order = pl.int_range(rows.height, dtype=pl.UInt32, eager=True).reverse().gather_every(2)
    assert_frame_equal(rows.frame(order), rows.frame()[order])


def test_joined_rows_of_both_readers_are_their_joined_frames() -> None:
    pieces = [records(b"".join(USUAL)), records(b"".join(HOSTILE)), records(b"")]
    exact = CodedRows.of(DEVICE_INFO, pieces[0].frame())
    joined = concat(DEVICE_INFO, [*pieces, exact])
    assert_frame_equal(joined.frame(), pl.concat(piece.frame() for piece in [*pieces, exact]))
    assert joined.ids["number"].n_unique() == joined.frame()["record_id"].n_unique()


def test_distinct_records_are_in_the_order_of_their_texts_and_without_known_ones() -> None:
    rows = records(b"".join(USUAL + USUAL))
    frame = rows.frame(distinct_order(rows, rows.ids.clear()))
    expected = (
        rows.frame().unique("record_id", keep="first", maintain_order=True).sort("DeviceId", "Timestamp", "record_id")
    )
    assert_frame_equal(frame, expected)
    known = rows.ids[[0]]
    assert len(distinct_order(rows, known)) == expected.height - 1


def test_texts_that_repeat_may_be_categories_of_the_same_rows() -> None:
    rows = records(b"".join([*USUAL * 20, *HOSTILE]))
    order = distinct_order(rows, rows.ids.clear())
    for positions in (None, order, rows.frame().with_row_index()["index"]):
        frame = rows.frame(positions, categories=True)
        assert frame["DeviceId"].dtype == pl.Categorical
        assert frame["record_id"].dtype == pl.String
        assert_frame_equal(frame.cast({pl.Categorical: pl.String}), rows.frame(positions))
    columns = ("DeviceId", "DeviceName", "ClientVersion", "OSPlatform", "OSVersion", "Model", "Vendor")
    one = records(compact(DEVICE_INFO, **{name: name for name in columns}))
    assert {one.frame(categories=True)[name].dtype for name in columns} == {pl.String()}
