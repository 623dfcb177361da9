"""Results of checks in Dagster: a failure stays until its own day is evaluated again, whatever runs in between."""

from dataclasses import replace
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from defender_assets import hourly_checks
from defender_assets.assets import raw, runs, tables
from defender_assets.catalog import LEADS, QUEUE
from defender_assets.check_results import current_failures
from defender_assets.checks import (
    AUDIT,
    BALANCES,
    BYTE_BALANCE,
    CHECKS,
    DRIFT,
    LINE_BALANCE,
    QUIET_OR_BROKEN,
    STALE_DAYS,
    Check,
    balance,
)
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.byte_balance import byte_balance
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, Table
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.support.dagster_project import DagsterProject
from defender_assets_tests.support.days import day_before, today, yesterday
from defender_assets_tests.support.exports import blob_path, line, properties


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No retries, because the real pauses take half a minute."""
    monkeypatch.setattr(runs, "RETRIES", None)


def arrive(project: DagsterProject, day: date, **changes: object) -> None:
    """Put an alert into the export and raw; a field `New` has no column."""
    project.folder.append(ALERT_INFO, blob_path(day), line(ALERT_INFO, properties(ALERT_INFO, **changes)))
    ingest(project.lake, project.export, ALERT_INFO, day)


def parse(project: DagsterProject, *days: date) -> dg.ExecuteInProcessResult:
    """Run the asset whose check `drift` fails for alerts with a new field."""
    return project.run_assets(ALERT_INFO.name, days=days)


def undrift(project: DagsterProject, day: date) -> None:
    """Empty `unmapped` of a day's typed rows, as a rebuild with a column for the new field would."""
    project.lake.open(ALERT_INFO.name).update(
        predicate=f"export_date = '{day}'", updates={"unmapped": "CAST(NULL AS STRING)"}
    )


def read(project: DagsterProject, day: date) -> dg.ExecuteInProcessResult:
    """Run the asset of the bytes, and the next one, which is not built on a broken balance."""
    return project.run_assets(ALERT_INFO.raw, ALERT_INFO.name, days=[day])


def shown(project: DagsterProject, asset: str, check: Check) -> dg.AssetCheckEvaluation:
    """The result of a check that Dagster shows: the newest entry of its history, which is no planned one."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), check.name)
    (record,) = project.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert isinstance(record.evaluation, dg.AssetCheckEvaluation), record
    return record.evaluation


def red(project: DagsterProject, asset: str = ALERT_INFO.name, check: Check = DRIFT) -> list[str]:
    """The days for which the shown result fails."""
    found = list(current_failures(project.instance, asset, check, datetime.now(UTC))[1])
    assert shown(project, asset, check).passed == (not found)
    return found


def test_a_warning_of_yesterday_stays_when_today_passes_and_ends_when_it_is_fixed(project: DagsterProject) -> None:
    arrive(project, yesterday(), New=1)
    assert parse(project, yesterday()).success
    arrive(project, today())
    assert parse(project, today()).success
    assert red(project) == [yesterday().isoformat()]
    assert f"{yesterday()}: 1 field or value beyond" in str(shown(project, ALERT_INFO.name, DRIFT).description)
    assert red(project, ALERT_INFO.name, LINE_BALANCE) == []
    undrift(project, yesterday())
    assert parse(project, yesterday()).success
    assert red(project) == []


def test_a_broken_guarantee_of_yesterday_stays_red_and_stops_only_the_run_of_its_day(
    project: DagsterProject, monkeypatch: pytest.MonkeyPatch
) -> None:

    def broken_yesterday(lake: Lake, table: Table, day: date, *rest: object) -> CheckOutcome:
        return replace(byte_balance(lake, table, day, *rest), passed=day != yesterday())  # type: ignore[arg-type]  # as called

    for day in (yesterday(), today()):
        project.put(day, tables=(ALERT_INFO,))
    with monkeypatch.context() as patched:
        patched.setattr(raw, "byte_balance", broken_yesterday)
        failed = read(project, yesterday())
        assert not failed.success
        assert failed.asset_materializations_for_node(ALERT_INFO.name) == []
        assert read(project, today()).success
    evaluation = shown(project, ALERT_INFO.raw, BYTE_BALANCE)
    assert red(project, ALERT_INFO.raw, BYTE_BALANCE) == [yesterday().isoformat()]
    assert (evaluation.severity, evaluation.blocking) == (dg.AssetCheckSeverity.ERROR, False)
    assert read(project, yesterday()).success
    assert red(project, ALERT_INFO.raw, BYTE_BALANCE) == []


def test_a_failure_that_only_warns_stops_no_run(project: DagsterProject, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = CheckOutcome(passed=False, summary="one part cannot be read", warning=True)
    monkeypatch.setattr(raw, "byte_balance", lambda *_: warning)
    project.put(yesterday(), tables=(ALERT_INFO,))
    assert read(project, yesterday()).success
    assert red(project, ALERT_INFO.raw, BYTE_BALANCE) == [yesterday().isoformat()]
    assert shown(project, ALERT_INFO.raw, BYTE_BALANCE).severity == dg.AssetCheckSeverity.WARN


def test_a_run_that_fails_hides_no_result(project: DagsterProject, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError("no space")

    arrive(project, yesterday(), New=1)
    assert parse(project, yesterday()).success
    monkeypatch.setattr(tables, "build_table_day", failing)
    assert not parse(project, today()).success
    assert red(project) == [yesterday().isoformat()]


def test_days_marked_as_empty_hide_no_result(project: DagsterProject) -> None:
    arrive(project, day_before(3))
    arrive(project, yesterday(), New=1)
    arrive(project, today())
    assert parse(project, yesterday()).success
    before = shown(project, ALERT_INFO.name, DRIFT)
    swept = project.sweep()
    assert {event.partition for event in swept.get_asset_materialization_events()} == {day_before(2).isoformat()}
    assert shown(project, ALERT_INFO.name, DRIFT) in swept.get_asset_check_evaluations()
    assert shown(project, ALERT_INFO.name, DRIFT).description == before.description
    assert red(project) == [yesterday().isoformat()]


def test_a_range_run_says_which_of_its_days_failed(project: DagsterProject) -> None:
    days = [day_before(back) for back in (3, 2, 1)]
    for day in days:
        arrive(project, day, **({"New": 1} if day == days[1] else {}))
    assert parse(project, *days).success
    assert red(project) == [days[1].isoformat()]
    assert parse(project, days[0]).success
    assert red(project) == [days[1].isoformat()]
    undrift(project, days[1])
    assert parse(project, *days).success
    assert red(project) == []


def test_a_backfill_in_any_order_shows_every_day_that_failed(project: DagsterProject) -> None:
    """A backfill of one run for each day, of which none is in the look-back."""
    days = [day_before(back) for back in (5, 8, 6, 7)]
    for number, day in enumerate(days):
        arrive(project, day, **({"New": 1} if number % 2 else {}))
        assert parse(project, day).success
    assert red(project) == [day_before(8).isoformat(), day_before(7).isoformat()]
    assert parse(project, today()).success
    assert red(project) == [day_before(8).isoformat(), day_before(7).isoformat()]


def test_the_hourly_check_needs_no_run_and_is_joined_with_what_runs_said(project: DagsterProject) -> None:
    arrive(project, yesterday(), New=1)
    build_table_day(project.lake, ALERT_INFO, yesterday())
    assert project.check((ALERT_INFO.name, DRIFT.name)).success
    assert red(project) == [yesterday().isoformat()]
    arrive(project, day_before(6), New=1)
    assert parse(project, day_before(6)).success
    assert project.check((ALERT_INFO.name, DRIFT.name)).success
    assert red(project) == [day_before(6).isoformat(), yesterday().isoformat()]


def test_a_broken_guarantee_that_the_hourly_check_finds_is_red_and_stops_nothing(project: DagsterProject) -> None:
    for number in range(2):
        arrive(project, yesterday(), AlertId=f"da{number}")
    project.lake.open(ALERT_INFO.raw).delete("byte_start = 0")
    assert project.check((ALERT_INFO.raw, BYTE_BALANCE.name)).success
    assert red(project, ALERT_INFO.raw, BYTE_BALANCE) == [yesterday().isoformat()]
    assert shown(project, ALERT_INFO.raw, BYTE_BALANCE).severity == dg.AssetCheckSeverity.ERROR
    assert read(project, today()).success


def test_the_hourly_check_clears_a_broken_balance_only_if_raw_holds_every_line(
    project: DagsterProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [day_before(2), yesterday()]
    with monkeypatch.context() as patched:
        patched.setattr(raw, "byte_balance", lambda *_: CheckOutcome(passed=False, summary="lost"))
        for day in days:
            project.put(day, tables=(ALERT_INFO,))
            assert not read(project, day).success
    project.folder.append(ALERT_INFO, blob_path(days[1]), b"a tail is no line")
    project.put(days[0], 2, tables=(ALERT_INFO,))
    assert project.check((ALERT_INFO.raw, BYTE_BALANCE.name)).success
    assert red(project, ALERT_INFO.raw, BYTE_BALANCE) == [days[0].isoformat()]


def test_an_error_of_one_check_is_its_result_and_the_others_are_evaluated(
    project: DagsterProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> CheckOutcome:
        raise OSError("bad disk; sig=secret")

    arrive(project, yesterday())
    monkeypatch.setattr(hourly_checks, "drift", unreadable)
    result = project.check()
    assert result.success
    assert yesterday().isoformat() in red(project)
    description = str(shown(project, ALERT_INFO.name, DRIFT).description)
    assert "It could not be evaluated: OSError: bad disk; sig=***" in description
    evaluated = {(each.asset_key.to_user_string(), each.check_name) for each in result.get_asset_check_evaluations()}
    # no derived table is built yet, and the audit has its own job
    unknown = {LINE_BALANCE, AUDIT, *(check for check, _ in BALANCES.values())}
    assert evaluated == {(asset, check.name) for asset, check in CHECKS if check not in unknown}
    assert red(project, "device_enriched_leads", STALE_DAYS) == [yesterday().isoformat()]
    assert red(project, DEVICE_INFO.name, QUIET_OR_BROKEN) == []


def test_a_derived_day_is_compared_only_while_it_is_up_to_date(project: DagsterProject) -> None:
    project.put(yesterday())
    project.fill(yesterday())
    assert [balance(project.lake, table, yesterday()) for table in BALANCES] == [
        CheckOutcome(passed=True, summary="The counts agree.", facts=facts)
        for facts in (
            {"stories": 1, "leads_in_stories": 2},
            {"queued": 2, "expected": 2, "leads_in_stories": 2},
            {"findings": 2, "leads": 2},
            {"lead_count": 2, "story_count": 1, "quarantined_lines": 0},
        )
    ]
    # another day was never built
    assert balance(project.lake, QUEUE.name, today()) is None

    project.put(yesterday(), 7, 1)
    project.fill(yesterday(), (LEADS,))
    assert [balance(project.lake, table, yesterday()) for table in BALANCES] == [None] * len(BALANCES)
