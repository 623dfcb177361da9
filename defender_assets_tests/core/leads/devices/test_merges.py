from collections.abc import Iterable
from typing import Any

import polars as pl
import pytest

from defender_assets.core.leads.devices.merges import merge_paths, merges
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets_tests.support.alert_rows import OTHER_TENANT, TENANT, Row, at, beat, frame


def chain(beats: Iterable[Row], original: str = "a", tenant: str = TENANT) -> tuple[str, list[str]]:
    wanted = pl.DataFrame({"tenant_id": [tenant], "start_id": [original]})
    found = merge_paths(merges(frame(DEVICE_INFO, beats)), wanted)
    return found["device_id"][0], found["lookup_id"].to_list()


def merged(old: str, new: str, hours: float = 0, **columns: Any) -> Row:
    return beat(old, at(hours), MergedToDeviceId=new, **columns)


def test_a_device_that_was_never_merged_is_itself() -> None:
    assert chain([beat("a"), beat("b")]) == ("a", ["a"])


def test_a_merge_is_followed() -> None:
    assert chain([merged("a", "b")]) == ("b", ["a", "b"])


def test_merges_are_followed_to_the_end_and_the_chain_begins_at_the_original() -> None:
    assert chain([merged("a", "b"), merged("b", "c"), merged("c", "d")]) == ("d", ["a", "b", "c", "d"])


def test_ids_of_merges_are_compared_in_lower_case() -> None:
    assert chain([merged("A", "B"), merged("b", "C")]) == ("c", ["a", "b", "c"])


def test_the_latest_merge_counts() -> None:
    assert chain([merged("a", "new"), merged("a", "old", -1)])[0] == "new"
    assert chain([merged("a", "low", ReportId=1), merged("a", "high", ReportId=2)])[0] == "high"


def test_a_later_heartbeat_without_the_column_does_not_undo_a_merge() -> None:
    assert chain([merged("a", "b", -1), beat("a")])[0] == "b"


@pytest.mark.parametrize("ids", [["a"], ["x", "A"]])
def test_a_device_that_lists_an_id_as_merged_supersedes_it(ids: list[str]) -> None:
    assert chain([beat("b", MergedDeviceIds=ids)])[0] == "b"


def test_merged_to_has_priority_over_the_list_of_another_device() -> None:
    assert chain([merged("a", "b", -1), beat("c", MergedDeviceIds=["a"])])[0] == "b"


def test_a_self_merge_is_ignored() -> None:
    assert chain([merged("a", "A"), beat("a", MergedDeviceIds=["a"])]) == ("a", ["a"])
    assert chain([merged("a", "b", -1), merged("a", "a")])[0] == "b"


def test_a_cycle_resolves_to_its_smallest_id_from_any_start() -> None:
    circle = [merged("c", "b"), merged("b", "d"), merged("d", "c"), merged("a", "d")]
    assert {chain(circle, original)[0] for original in "abcd"} == {"b"}
    assert chain(circle, "a")[1] == ["a", "d", "c", "b"]


@pytest.mark.parametrize("nobody", ["-", " ", "00000000-0000-0000-0000-000000000000", "None", "N/A", "unknown "])
def test_an_id_that_fills_nothing_is_no_merge(nobody: str) -> None:
    assert chain([merged("a", "b", -1), merged("a", nobody), beat(nobody, MergedDeviceIds=["a"])])[0] == "b"
    assert chain([merged("a", nobody), beat("c", MergedDeviceIds=[nobody])]) == ("a", ["a"])


def test_siblings_are_not_on_the_path() -> None:
    assert chain([merged("a", "c"), merged("b", "c")]) == ("c", ["a", "c"])


def test_a_merge_without_a_moment_is_the_oldest() -> None:
    assert chain([merged("a", "b", -1), merged("a", "c") | {"Timestamp": None}])[0] == "b"
    assert chain([merged("a", "c") | {"Timestamp": None}])[0] == "c"


def test_a_merge_has_no_effect_in_another_tenant() -> None:
    assert chain([merged("a", "b", tenant=OTHER_TENANT)]) == ("a", ["a"])
    assert chain([merged("a", "b", tenant=OTHER_TENANT)], tenant=OTHER_TENANT)[0] == "b"
