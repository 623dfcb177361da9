"""Failing runs: which days fail, what the error says, and what Dagster stores of it."""

import base64
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from defender_assets.assets import runs, tables
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.errors import ExportError, SettingsError
from defender_assets.core.export import AzureExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets.core.tables import build
from defender_assets.core.tables.build import TypedReport
from defender_assets_tests.support.dagster_project import DagsterProject, metadata_of
from defender_assets_tests.support.days import day_before, yesterday
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.failing_export import FailingExport

NO_PAUSE = dg.RetryPolicy(max_retries=1, delay=0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One retry without a pause, because the real ones take half a minute."""
    monkeypatch.setattr(runs, "RETRIES", NO_PAUSE)


def with_failing_day(project: DagsterProject, error: Exception) -> DagsterProject:
    return project.with_resources(export=FailingExport(project.settings.export_dir, error=error))


def events(result: dg.ExecuteInProcessResult, kind: dg.DagsterEventType) -> list[dg.DagsterEvent]:
    return [event for event in result.all_events if event.event_type == kind]


def error_of(result: dg.ExecuteInProcessResult, step: str) -> Any:
    """The error that Dagster stores for a failed step, without the outer one about exhausted retries."""
    (event,) = [event for event in events(result, dg.DagsterEventType.STEP_FAILURE) if event.step_key == step]
    error = event.step_failure_data.error
    assert error is not None
    return error.cause or error


def test_a_failing_day_fails_alone_and_says_why_in_one_line(project: DagsterProject) -> None:
    message = "cannot list x at y (account key): it is out of order; repair it"
    broken = with_failing_day(project, ExportError(message))
    for day in (yesterday(), day_before(2)):
        project.put(day)
    assert broken.run(day_before(2)).success
    result = broken.run(yesterday())
    assert not result.success
    for table in TABLES:
        error = error_of(result, table.raw)
        assert error.message.strip() == f"dagster._core.definitions.events.Failure: {message}"
        assert (error.cause, error.context) == (None, None)
    assert events(result, dg.DagsterEventType.ASSET_MATERIALIZATION) == []
    assert project.run(yesterday()).success


@pytest.mark.parametrize(
    ("error", "tries"), [(ExportError("out of order"), 2), (SettingsError("X is wrong"), 1), (OSError("no space"), 2)]
)
def test_only_temporary_errors_are_retried(project: DagsterProject, error: Exception, tries: int) -> None:
    project.put(yesterday())
    result = with_failing_day(project, error).run(yesterday())
    assert str(error) in error_of(result, ALERT_INFO.raw).message
    retried = [event.step_key for event in events(result, dg.DagsterEventType.STEP_UP_FOR_RETRY)]
    assert retried.count(ALERT_INFO.raw) == tries - 1


def test_one_failing_container_stops_the_leads_but_not_other_containers(
    project: DagsterProject,
) -> None:
    project.put(yesterday())
    (project.settings.export_dir / DEVICE_INFO.container).rename(project.settings.export_dir / "aside")
    (project.settings.export_dir / DEVICE_INFO.container).touch()
    result = project.run(yesterday())
    assert not result.success
    assert "cannot be read (Not a directory)" in error_of(result, DEVICE_INFO.raw).message
    assert metadata_of(result, ALERT_INFO.name)["new_rows"] == 2
    assert result.asset_materializations_for_node("device_enriched_leads") == []


def test_a_lake_that_cannot_be_written_fails_with_one_line(project: DagsterProject, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    result = project.with_resources(lake=Lake(str(tmp_path / "a-file"), project.lake.tables)).run(yesterday())
    said = error_of(result, ALERT_INFO.raw).message.strip()
    assert "\n" not in said
    assert f"cannot open {ALERT_INFO.raw} in {tmp_path}/a-file" in said
    assert said.endswith("check DEFENDER_LAKE_URI, free space and write permission")


def test_a_broken_balance_fails_the_check_and_leads_are_not_built(
    project: DagsterProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_table_day = build.build_table_day

    def loses_a_row(lake: Lake, table: Table, day: date, *, rebuild: bool = False) -> TypedReport:
        report = build_table_day(lake, table, day, rebuild=rebuild)
        return replace(report, landed=report.landed - 1) if table is ALERT_INFO and report.rows else report

    monkeypatch.setattr(tables, "build_table_day", loses_a_row)
    project.put(yesterday())
    result = project.run(yesterday())
    assert not result.success
    checks = {
        check.asset_key.to_user_string(): check.passed
        for check in result.get_asset_check_evaluations()
        if check.check_name == "line_balance"
    }
    assert checks == {table.name: table is not ALERT_INFO for table in TABLES}
    assert result.asset_materializations_for_node("device_enriched_leads") == []
    assert not project.lake.exists("device_enriched_leads")
    assert events(result, dg.DagsterEventType.STEP_UP_FOR_RETRY) == []


@pytest.mark.azure
@pytest.mark.parametrize("resource", ["export", "lake"])
def test_dagster_stores_no_key_of_a_failing_run(
    project: DagsterProject, account: Emulator, tmp_path: Path, resource: str
) -> None:
    wrong = base64.b64encode(b"a wrong key of sixty-four bytes, as long as a real one would be.").decode()
    string = account.connection_string.replace(account.account_key, wrong)
    guarded = from_connection_string("AZURE_STORAGE_CONNECTION_STRING", string)
    project.put(yesterday())
    if resource == "export":
        broken = project.with_resources(export=AzureExport(guarded))
    else:
        broken = project.with_resources(lake=Lake("az://lake/tables", project.lake.tables, guarded))
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        broken = replace(broken, instance=instance)
        result = broken.run(yesterday())
        assert not result.success
        said = error_of(result, ALERT_INFO.raw).message
        assert guarded.endpoint in said or "az://lake/tables" in said
        with pytest.raises(dg.Failure, match=r"the key is refused|403 Forbidden"):
            broken.tick()
        checked = broken.check()
        assert checked.success == (resource == "export")
        if resource == "export":
            failed = [each for each in checked.get_asset_check_evaluations() if not each.passed]
            assert any("The export cannot be listed" in str(each.description) for each in failed)
    kept = [file for file in home.rglob("*") if file.is_file()]
    assert any(file.suffix == ".db" for file in kept)
    for file in kept:
        content = file.read_bytes()
        assert wrong.encode() not in content, file
        assert account.account_key.encode() not in content, file
