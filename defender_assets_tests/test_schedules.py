"""Maintenance in Dagster: its effect on a lake, its errors, and days past retention."""

from dataclasses import replace

import dagster as dg
import polars as pl
import pytest
from deltalake import DeltaTable

from defender_assets.catalog import DERIVED, LEADS
from defender_assets.core.errors import LakeError
from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO
from defender_assets.core.triage.precision import QUALITY_TABLE
from defender_assets_tests.support.dagster_project import DagsterProject, metadata_of
from defender_assets_tests.support.days import day_before, yesterday
from defender_assets_tests.support.exports import compacted_above
from defender_assets_tests.support.triaged_leads import close, lead, put_leads


def maintain(project: DagsterProject) -> dg.ExecuteInProcessResult:
    job = project.definitions().resolve_job_def("maintain_lake")
    return job.execute_in_process(instance=project.instance, raise_on_error=False)


def with_retention(project: DagsterProject, days: int) -> DagsterProject:
    """The same project with DEFENDER_RETENTION_DAYS, which may be shorter here than the settings allow."""
    return replace(project, settings=replace(project.settings, retention_days=days))


def stored_days(project: DagsterProject, table: str) -> list[object]:
    return project.lake.read(table).select(pl.col("export_date").unique().sort()).collect()["export_date"].to_list()


def test_it_accepts_an_empty_lake(project: DagsterProject) -> None:
    assert maintain(project).success


def test_it_compacts_days_of_many_files_and_makes_no_day_stale(project: DagsterProject) -> None:
    project = project.with_resources(lake=compacted_above(project.lake, 2))
    project.sweep()
    for first in (0, 2, 4):
        project.put(yesterday(), first)
        project.fill(yesterday(), DERIVED if first == 4 else ())
    before = project.lake.read(ALERT_INFO.name).collect()
    assert maintain(project).success
    assert project.lake.open(ALERT_INFO.name).get_add_actions().num_rows == 1
    after = project.lake.read(ALERT_INFO.name).collect()
    assert after.sort("record_id").equals(before.sort("record_id"))
    assert project.tick().days == []
    result = project.run(yesterday())
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations() if check.blocking)


def test_days_past_retention_are_deleted_and_not_requested_again(project: DagsterProject) -> None:
    for first, day in ((0, day_before(7)), (2, yesterday())):
        project.put(day, first, tables=(ALERT_INFO, DEVICE_INFO))
        project.fill(day, DERIVED if day == yesterday() else [LEADS])
    short = with_retention(project, 5)
    assert maintain(short).success
    for table in (ALERT_INFO.raw, ALERT_INFO.name, DEVICE_INFO.name, LEADS.name):
        assert stored_days(project, table) == [yesterday()]
    project.put(day_before(7), 4)
    short.sweep()
    assert short.tick().days == []


def test_a_manual_run_of_a_day_past_retention_does_nothing_and_says_so(
    project: DagsterProject, caplog: pytest.LogCaptureFixture
) -> None:
    project.put(day_before(7))
    result = with_retention(project, 5).run(day_before(7))
    assert result.success
    assert f"{day_before(7)} is older than DEFENDER_RETENTION_DAYS=5: nothing to do" in caplog.text
    assert metadata_of(result, LEADS.name)["dagster/partition_row_count"] == 0
    assert stored_days(project, ALERT_INFO.raw) == []


def test_the_oldest_day_within_retention_is_kept(project: DagsterProject) -> None:
    project.put(day_before(7))
    border = with_retention(project, 7)
    border.fill(day_before(7), derived=())
    assert maintain(border).success
    assert stored_days(project, ALERT_INFO.raw) == [day_before(7)]


def test_a_failing_table_is_named_and_does_not_stop_the_others(
    project: DagsterProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project.with_resources(lake=compacted_above(project.lake, 1))
    for first in (0, 2):
        project.put(yesterday(), first)
        project.fill(yesterday(), derived=())
    opened = Lake.open

    def failing(self: Lake, name: str) -> DeltaTable:
        if name == ALERT_INFO.name:
            raise LakeError(f"cannot open {name}")
        return opened(self, name)

    monkeypatch.setattr(Lake, "open", failing)
    result = maintain(project)
    monkeypatch.undo()
    assert not result.success
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    error = failure.step_failure_data.error
    assert error is not None
    assert f"cannot open {ALERT_INFO.name}" in error.message
    assert project.lake.open(ALERT_INFO.name).get_add_actions().num_rows == 2
    assert project.lake.open(DEVICE_INFO.name).get_add_actions().num_rows == 1


def test_the_hourly_job_measures_the_detections_and_shows_them_at_the_asset(project: DagsterProject) -> None:
    put_leads(project.lake, lead("a"), lead("b"), day=yesterday())
    close(project.lake, lead("a"))
    job = project.definitions().resolve_job_def("measure_quality")
    assert job.execute_in_process(instance=project.instance).success
    assert project.lake.read(QUALITY_TABLE).collect().height == 4
    (record,) = project.instance.fetch_materializations(dg.AssetKey(QUALITY_TABLE), 10).records
    assert record.asset_materialization
    assert record.asset_materialization.metadata["detections"].value == 2


def test_the_weekly_job_audits_ended_days_and_takes_back_what_was_fixed(project: DagsterProject) -> None:
    project.put(yesterday())
    project.fill(yesterday(), [LEADS])
    job = project.definitions().resolve_job_def("audit_lake")

    def result() -> dg.AssetCheckEvaluation:
        run = job.execute_in_process(instance=project.instance)
        (evaluation,) = run.get_asset_check_evaluations()
        assert evaluation.asset_check_key == dg.AssetCheckKey(dg.AssetKey(LEADS.name), "audit")
        return evaluation

    assert result().passed
    typed = project.lake.open(ALERT_INFO.name)
    before = typed.version()
    typed.delete(f"export_date = '{yesterday()}'")
    failed = result()
    assert not failed.passed
    assert f"{yesterday()}: a record of raw has no typed row" in str(failed.description)
    assert f"run the job rebuild_day for {yesterday()}" in str(failed.description)
    project.lake.open(ALERT_INFO.name).restore(before)
    assert result().passed
