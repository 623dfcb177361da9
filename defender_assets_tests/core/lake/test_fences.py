"""The versions of all days from one read of the log: the same that delta-rs looks up one by one."""

from datetime import date, timedelta

import polars as pl
import pytest
from deltalake import DeltaTable

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.lake.fences import Versions, fence_of, read_versions, version_of, versions_of
from defender_assets.core.lake.lake import Built, Commit, Lake
from defender_assets.core.lake.table_spec import PROPERTIES
from defender_assets.core.schemas import ALERT_INFO
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import DAY

NAME = ALERT_INFO.name
DAYS = [DAY + timedelta(days=number) for number in range(3)]
INTERVAL = int(PROPERTIES["delta.checkpointInterval"])


def commit(lake: Lake, day: date) -> None:
    target = lake.fenced(NAME, day)
    lake.commit(target, Commit([], target.version + 1))


def assert_equal_to_delta_rs(table: DeltaTable) -> None:
    versions = read_versions(table, {})
    assert versions is not None
    for day in [*DAYS, DAY - timedelta(days=1)]:
        assert versions.get(fence_of(NAME, day), 0) == version_of(table, NAME, day)


def test_versions_equal_those_of_delta_rs_with_any_checkpoints(lake: Lake) -> None:
    assert read_versions(lake.open(NAME), {}) == {}
    for number in range(2 * INTERVAL + 2):
        commit(lake, DAYS[number % 2] if number else DAYS[2])
        if number % INTERVAL in (0, 1, INTERVAL - 2, INTERVAL - 1):
            assert_equal_to_delta_rs(lake.open(NAME))


def test_commits_after_the_snapshot_do_not_count(lake: Lake) -> None:
    commit(lake, DAY)
    opened = lake.open(NAME)
    commit(lake, DAY)
    assert versions_of(opened, {})(NAME, DAY) == 1
    assert lake.versions(lake.open(NAME))(NAME, DAY) == 2


def test_a_checkpoint_newer_than_the_snapshot_falls_back_to_delta_rs(lake: Lake) -> None:
    commit(lake, DAY)
    opened = lake.open(NAME)
    commit(lake, DAY)
    lake.open(NAME).create_checkpoint()
    assert read_versions(opened, {}) is None
    assert versions_of(opened, {})(NAME, DAY) == 1


def test_an_unreadable_log_falls_back_to_delta_rs(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, DAY)

    def unreadable(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(pl, "scan_ndjson", unreadable)
    assert lake.versions(lake.open(NAME))(NAME, DAY) == 1


@pytest.mark.azure
def test_versions_are_read_from_an_account(account: Emulator) -> None:
    lake = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", account.connection_string))
    for number in range(INTERVAL + 2):
        commit(lake, DAYS[number % 2])
    opened = lake.open(NAME)
    versions = read_versions(opened, lake.account.storage_options() if lake.account else {})
    assert versions == {fence_of(NAME, day): version_of(opened, NAME, day) for day in DAYS[:2]}


def test_of_recorded_inputs_and_rows_the_latest_counts(lake: Lake) -> None:
    """Those of versions are the largest as well: they only grow."""
    inputs = [2**63 - 1, *range(2 * INTERVAL, 0, -1)]
    for version, each in enumerate(inputs, 1):
        lake.commit(lake.fenced(NAME, DAY), Commit([], version, built=Built(each, each, 0)))
        if version in {1, INTERVAL - 1, INTERVAL, INTERVAL + 1, len(inputs)}:
            opened = lake.open(NAME)
            for versions in (lake.versions(opened), Versions(opened.transaction_version)):
                assert versions(NAME, DAY) == version
                assert versions.inputs(NAME, DAY) == versions.rows(NAME, DAY) == each


def test_each_commit_has_its_own_number(lake: Lake) -> None:
    commit(lake, DAYS[1])
    for _ in range(2):
        lake.commit(lake.fenced(NAME, DAY), Commit([], 1, built=Built(5, 0)))
    versions = lake.versions(lake.open(NAME))
    first = versions.commit(NAME, DAY)
    lake.commit(lake.fenced(NAME, DAY), Commit([], 1, built=Built(5, 0)))
    assert 0 < first != lake.versions(lake.open(NAME)).commit(NAME, DAY)
    assert versions.commit(NAME, DAYS[1]) == 0
    assert versions.inputs(NAME, DAYS[1]) is None
