"""A remembered list is the list that its text has, also after texts were forgotten."""

import polars as pl
import pytest
from polars.testing import assert_series_equal

from defender_assets.core.schemas import DEVICE_INFO
from defender_assets.core.tables.parsing import decoded_lists
from defender_assets.core.tables.parsing.decoded_lists import DecodedLists
from defender_assets.core.tables.parsing.values import read_arrays

TEXTS = [None, '["a",null]', "no", "[]", '["a",null]', "null", '["é"]', None, "[1]", '["b"]']


@pytest.mark.parametrize("remembered", [0, 10, 1000])
@pytest.mark.parametrize("name", ["DeviceManualTags", "MergedDeviceIds", "LoggedOnUsers"])
def test_lists_are_those_of_the_texts(monkeypatch: pytest.MonkeyPatch, name: str, remembered: int) -> None:
    monkeypatch.setattr(decoded_lists, "_REMEMBERED", remembered)
    column = next(column for column in DEVICE_INFO.columns if column.name == name)
    comma_list = name in DEVICE_INFO.comma_lists
    lists = DecodedLists(column, comma_list=comma_list)
    for texts in ([], TEXTS[:3], TEXTS, TEXTS[::-1], ['[{"UserName":"u"}]', "x,y", *TEXTS]):
        of_texts = pl.Series(texts, dtype=pl.String)
        for found, expected in zip(
            lists.of(of_texts), read_arrays(column, of_texts, comma_list=comma_list), strict=True
        ):
            assert_series_equal(found, expected, check_names=False)
