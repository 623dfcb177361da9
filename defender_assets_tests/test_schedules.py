"""Maintenance as Dagster runs it: what it does to a lake, what it says, and days that are no longer kept."""

from dataclasses import replace

import dagster as dg
import polars as pl
import pytest
from deltalake import DeltaTable

from defender_assets.catalog import LEADS
from defender_assets.core.errors import LakeError
from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO
from defender_assets_tests.support.dagster_project import Workshop, metadata_of
from defender_assets_tests.support.days import day_before, yesterday
from defender_assets_tests.support.exports import compacted_above


def maintain(workshop: Workshop) -> dg.ExecuteInProcessResult:
    job = workshop.definitions().resolve_job_def("maintain_lake")
    return job.execute_in_process(instance=workshop.instance, raise_on_error=False)


def keeping(workshop: Workshop, days: int) -> Workshop:
    """The same installation with DEFENDER_RETENTION_DAYS; shorter than the settings allow, as its history is short."""
    return replace(workshop, settings=replace(workshop.settings, retention_days=days))


def days_held(workshop: Workshop, table: str) -> list[object]:
    return workshop.lake.read(table).select(pl.col("export_date").unique().sort()).collect()["export_date"].to_list()


def test_it_does_no_harm_to_a_lake_that_is_empty(workshop: Workshop) -> None:
    assert maintain(workshop).success


def test_it_compacts_days_of_many_files_and_no_day_is_behind_for_it(workshop: Workshop) -> None:
    workshop = workshop.with_resources(lake=compacted_above(workshop.lake, 2))
    workshop.sweep()
    for first in (0, 2, 4):
        workshop.put(yesterday(), first)
        workshop.fill(yesterday())
    before = workshop.lake.read(ALERT_INFO.name).collect()
    assert maintain(workshop).success
    assert workshop.lake.open(ALERT_INFO.name).get_add_actions().num_rows == 1
    after = workshop.lake.read(ALERT_INFO.name).collect()
    assert after.sort("record_id").equals(before.sort("record_id"))
    assert workshop.tick().days == []
    result = workshop.run(yesterday())
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations() if check.blocking)


def test_days_that_are_no_longer_kept_leave_and_nobody_asks_for_them(workshop: Workshop) -> None:
    for first, day in ((0, day_before(7)), (2, yesterday())):
        workshop.put(day, first)
        workshop.fill(day)
    short = keeping(workshop, 5)
    assert maintain(short).success
    for table in (ALERT_INFO.raw, ALERT_INFO.name, DEVICE_INFO.name, LEADS.name):
        assert days_held(workshop, table) == [yesterday()]
    workshop.put(day_before(7), 4)
    short.sweep()
    assert short.tick().days == []


def test_a_run_by_hand_of_a_day_that_is_no_longer_kept_does_nothing_and_says_so(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    workshop.put(day_before(7))
    result = keeping(workshop, 5).run(day_before(7))
    assert result.success
    assert f"{day_before(7)} is older than DEFENDER_RETENTION_DAYS=5: nothing to do" in caplog.text
    assert metadata_of(result, LEADS.name)["dagster/partition_row_count"] == 0
    assert days_held(workshop, ALERT_INFO.raw) == []


def test_a_day_on_the_border_is_kept(workshop: Workshop) -> None:
    workshop.put(day_before(7))
    border = keeping(workshop, 7)
    border.fill(day_before(7))
    assert maintain(border).success
    assert days_held(workshop, ALERT_INFO.raw) == [day_before(7)]


def test_a_table_that_fails_stops_no_other_and_is_named(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop = workshop.with_resources(lake=compacted_above(workshop.lake, 1))
    for first in (0, 2):
        workshop.put(yesterday(), first)
        workshop.fill(yesterday())
    opened = Lake.open

    def failing(self: Lake, name: str) -> DeltaTable:
        if name == ALERT_INFO.name:
            raise LakeError(f"cannot open {name}")
        return opened(self, name)

    monkeypatch.setattr(Lake, "open", failing)
    result = maintain(workshop)
    monkeypatch.undo()
    assert not result.success
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    error = failure.step_failure_data.error
    assert error is not None
    assert f"cannot open {ALERT_INFO.name}" in error.message
    assert workshop.lake.open(ALERT_INFO.name).get_add_actions().num_rows == 2
    assert workshop.lake.open(DEVICE_INFO.name).get_add_actions().num_rows == 1
