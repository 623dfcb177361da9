"""Failing runs: which days fail, what the error says, and what Dagster stores of it."""

import base64
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from polars.exceptions import PanicException

from defender_assets.assets import runs, tables
from defender_assets.catalog import LEADS
from defender_assets.checks import FRESHNESS, LINE_BALANCE, outcome_of
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.errors import ExportError, LakeError, SettingsError
from defender_assets.core.export.azure import AzureExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets.core.tables import build
from defender_assets.core.tables.build import TypedReport
from defender_assets.metadata.reports import NOT_LISTED
from defender_assets.resources import user_facing_errors
from defender_assets_tests.support.dagster_project import RAW, TYPED, DagsterProject, metadata_of
from defender_assets_tests.support.days import day_before, yesterday
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import blob_path, local_lake, records
from defender_assets_tests.support.failing_export import FailingExport
from defender_assets_tests.support.refusing_export import RefusingExport, archived

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
TO_LEADS = (*RAW, *TYPED, LEADS.name)
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
    assert broken.run(day_before(2), *RAW).success
    result = broken.run(yesterday())
    assert not result.success
    for table in TABLES:
        error = error_of(result, table.raw)
        assert error.message.strip() == f"dagster._core.definitions.events.Failure: {message}"
        assert (error.cause, error.context) == (None, None)
    assert events(result, dg.DagsterEventType.ASSET_MATERIALIZATION) == []
    assert project.run(yesterday(), *RAW).success


@pytest.mark.parametrize(
    ("error", "tries"), [(ExportError("out of order"), 2), (SettingsError("X is wrong"), 1), (OSError("no space"), 2)]
)
def test_only_temporary_errors_are_retried(project: DagsterProject, error: Exception, tries: int) -> None:
    project.put(yesterday())
    result = with_failing_day(project, error).run(yesterday())
    assert str(error) in error_of(result, ALERT_INFO.raw).message
    retried = [event.step_key for event in events(result, dg.DagsterEventType.STEP_UP_FOR_RETRY)]
    assert retried.count(ALERT_INFO.raw) == tries - 1


def checks_of(result: dg.ExecuteInProcessResult, name: str) -> dict[str, tuple[bool, dg.AssetCheckSeverity]]:
    """Whether a check passed, and its severity, by asset."""
    return {
        check.asset_key.to_user_string(): (check.passed, check.severity)
        for check in result.get_asset_check_evaluations()
        if check.check_name == name
    }


def said_by(result: dg.ExecuteInProcessResult, name: str, asset: str) -> str:
    """What a check of an asset says."""
    found = [check for check in result.get_asset_check_evaluations() if check.check_name == name]
    (said,) = [str(check.description) for check in found if check.asset_key.to_user_string() == asset]
    return said


def test_a_blob_that_cannot_be_read_is_a_warning_and_the_rest_of_the_day_becomes_leads(project: DagsterProject) -> None:
    project.put(yesterday())
    project.folder.append(ALERT_INFO, blob_path(day=yesterday(), hour=9), records(ALERT_INFO, 5, 3))
    refusing = RefusingExport(project.export, of_read=lambda _, path: archived(path) if "/h=09/" in path else None)
    result = project.with_resources(export=refusing).run(yesterday(), *TO_LEADS)
    assert result.success
    assert checks_of(result, "byte_balance") == {
        table.raw: (table is not ALERT_INFO, WARN if table is ALERT_INFO else ERROR) for table in TABLES
    }
    said = said_by(result, "byte_balance", ALERT_INFO.raw)
    assert "/h=09/m=00/PT1H.json: BlobArchived: it is archived; rehydrate it" in said
    assert metadata_of(result, ALERT_INFO.raw)["unreadable_parts"] == 1
    assert metadata_of(result, LEADS.name)["dagster/partition_row_count"] == 2


def test_a_container_that_cannot_be_listed_is_a_warning_and_the_others_become_leads(project: DagsterProject) -> None:
    project.put(yesterday())
    (project.settings.export_dir / DEVICE_INFO.container).rename(project.settings.export_dir / "aside")
    (project.settings.export_dir / DEVICE_INFO.container).touch()
    result = project.run(yesterday(), *TO_LEADS)
    assert result.success
    assert checks_of(result, "byte_balance")[DEVICE_INFO.raw] == (False, WARN)
    (failed,) = [
        check
        for check in result.get_asset_check_evaluations()
        if check.check_name == "byte_balance" and not check.passed
    ]
    assert "cannot be read (Not a directory)" in str(failed.description)
    assert metadata_of(result, DEVICE_INFO.raw)["day"] == NOT_LISTED
    assert metadata_of(result, LEADS.name)["dagster/partition_row_count"] == 2


def test_a_damaged_table_of_alerts_does_not_stop_the_devices(project: DagsterProject) -> None:
    project.put(day_before(2))
    project.fill(day_before(2), derived=())
    for file in Path(project.lake.table_uri(ALERT_INFO.name)).rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:100])
    project.put(yesterday(), tables=(DEVICE_INFO,))
    result = project.run(yesterday(), *TO_LEADS)
    assert metadata_of(result, DEVICE_INFO.name)["new_rows"] == 2
    assert checks_of(result, "quiet_or_broken") == {DEVICE_INFO.name: (True, WARN)}


def test_a_lake_that_cannot_be_written_fails_with_one_line(project: DagsterProject, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    result = project.with_resources(lake=Lake(str(tmp_path / "a-file"), project.lake.tables)).run(yesterday())
    said = error_of(result, ALERT_INFO.raw).message.strip()
    assert "\n" not in said
    assert f"cannot open {ALERT_INFO.raw} in {tmp_path}/a-file" in said
    assert said.endswith(f"{tmp_path}/a-file is a file where a folder belongs: move it away")


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


@pytest.mark.parametrize("error", [LakeError("out of order"), ValueError("a\nb"), PanicException("range.end")])
def test_an_error_in_a_check_that_only_warns_is_its_outcome(error: BaseException) -> None:
    def fails() -> CheckOutcome:
        raise error

    outcome = outcome_of(FRESHNESS, fails, ("order",))
    assert not outcome.passed
    assert "\n" not in outcome.summary
    assert "order" not in outcome.summary
    with pytest.raises(type(error)):
        outcome_of(LINE_BALANCE, fails)
    for passes_through in (KeyboardInterrupt(), SystemExit()):
        error = passes_through
        with pytest.raises(type(passes_through)):
            outcome_of(FRESHNESS, fails)


def test_a_panic_of_a_library_is_a_failure_of_one_line(tmp_path: Path) -> None:
    one_line = pytest.raises(dg.Failure, match=r"^PanicException: range\.end is wrong$")
    with one_line, user_facing_errors(local_lake(tmp_path)):
        raise PanicException("range.end\nis wrong")
