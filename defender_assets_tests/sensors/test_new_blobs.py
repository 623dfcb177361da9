"""The sensor requests a run of each day that is behind, as long as it is behind, and nothing else."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from defender_assets.assets import runs
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.retries import FIRST_PAUSE, LONGEST_PAUSE, exponential_backoff
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO
from defender_assets.core.tables.build import build_table_day
from defender_assets.jobs import PARTITION_TAG
from defender_assets.sensors import new_blobs
from defender_assets.sensors.new_blobs import (
    DIGEST_TAG,
    SWEPT_AT_ONCE,
    AttemptHistory,
    days_in_flight,
    earlier_runs,
    is_due,
    request_for,
    rested,
    rotated,
    share_of_sweep,
    window,
)
from defender_assets_tests.support.dagster_project import LOOKBACK_DAYS, DagsterProject, start
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.days import day_before, today, yesterday
from defender_assets_tests.support.exports import TENANT, blob_path, records
from defender_assets_tests.support.failing_export import FailingExport
from defender_assets_tests.support.long_history import History, served
from defender_assets_tests.support.refusing_export import RefusingExport, archived
from defender_assets_tests.support.slow_export import SlowExport

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.fixture
def swept(project: DagsterProject) -> DagsterProject:
    """A project whose first sweep is done, so that ticks only request days."""
    assert project.sweep().success
    return project


def run_in(project: DagsterProject, status: dg.DagsterRunStatus, day: date, digest: str = "") -> dg.DagsterRun:
    """Add a run of another process to the instance."""
    tags = {PARTITION_TAG: day.isoformat(), DIGEST_TAG: digest}
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("other"), "other"), "ingest_day")
    return project.instance.add_run(dg.DagsterRun("ingest_day", tags=tags, status=status, remote_job_origin=origin))


def test_the_first_tick_requests_one_sweep(project: DagsterProject) -> None:
    (request,) = project.tick().requests
    assert (request.job_name, request.partition_key) == ("sweep_older_days", None)
    assert request.run_key == f"first-sweep:{start()}:0"
    project.sweep()
    assert project.tick().days == []


def test_the_request_of_a_stale_day_has_day_digest_and_attempt(swept: DagsterProject) -> None:
    swept.put(yesterday())
    (behind,) = find_stale_days(swept.lake, swept.export, [yesterday()])
    (request,) = swept.tick().requests
    assert (request.job_name, request.partition_key) == ("ingest_day", yesterday().isoformat())
    assert request.run_key == f"{yesterday()}:{behind.digest}:0"
    assert request.tags[DIGEST_TAG] == behind.digest
    assert request.tags[PARTITION_TAG] == yesterday().isoformat()


def test_days_are_requested_oldest_first_until_they_are_up_to_date(swept: DagsterProject) -> None:
    days = [day_before(2), yesterday(), today()]
    for day in reversed(days):
        swept.put(day, tables=(ALERT_INFO,))
    requests = swept.tick().requests
    assert [request.partition_key for request in requests] == [day.isoformat() for day in days]
    assert swept.follow(requests[0]).success
    for day in days[1:]:
        swept.fill(day)
    done = swept.tick()
    assert done.requests == []
    assert done.reason.startswith(f"{LOOKBACK_DAYS + 1} days checked, none to run")
    swept.put(yesterday(), 7, 1)
    assert swept.tick().days == [yesterday().isoformat()]


def test_days_outside_the_window_are_not_checked(swept: DagsterProject) -> None:
    for day in (day_before(LOOKBACK_DAYS + 1), today() + timedelta(days=1), start() - timedelta(days=1)):
        swept.put(day)
    assert swept.tick().days == []


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED]
)
def test_a_day_in_flight_is_not_requested(swept: DagsterProject, status: dg.DagsterRunStatus) -> None:
    for day in (yesterday(), today()):
        swept.put(day)
    run_in(swept, status, yesterday())
    assert swept.tick().days == [today().isoformat()]
    run_in(swept, status, today())
    assert "2 in flight" in swept.tick().reason


def test_a_run_past_the_maximum_runtime_no_longer_blocks_its_day(project: DagsterProject) -> None:
    run_in(project, dg.DagsterRunStatus.STARTED, yesterday())
    run_in(project, dg.DagsterRunStatus.QUEUED, today())
    days, now = [yesterday(), today()], datetime.now(UTC)
    assert days_in_flight(project.instance, days, now) == {yesterday(), today()}
    assert days_in_flight(project.instance, days, now + timedelta(seconds=3590)) == {yesterday(), today()}
    assert days_in_flight(project.instance, days, now + timedelta(seconds=3660)) == {today()}


def test_ended_runs_block_no_day(project: DagsterProject) -> None:
    for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
        run_in(project, status, yesterday())
    assert days_in_flight(project.instance, [yesterday()], datetime.now(UTC)) == set()


def test_a_past_day_with_stale_leads_is_requested(swept: DagsterProject) -> None:
    swept.put(yesterday(), tables=(ALERT_INFO,))
    swept.fill(yesterday())
    swept.put(day_before(2), 5, 1, (DEVICE_INFO,))
    swept.fill(day_before(2))
    (request,) = swept.tick().requests
    assert request.partition_key == yesterday().isoformat()
    assert swept.follow(request).success
    assert swept.tick().days == []


def test_a_run_that_died_after_raw_is_completed(swept: DagsterProject) -> None:
    swept.put(yesterday())
    ingest(swept.lake, swept.export, ALERT_INFO, yesterday())
    build_table_day(swept.lake, ALERT_INFO, yesterday())
    (request,) = swept.tick().requests
    swept.follow(request)
    assert swept.tick().days == []
    assert swept.lake.read("device_enriched_leads").collect().height == 2


def test_an_unterminated_tail_is_requested_once_and_again_when_it_grows(swept: DagsterProject) -> None:
    line = records(ALERT_INFO, 0, 1)
    swept.folder.append(ALERT_INFO, blob_path(day=yesterday()), line[:100])
    (request,) = swept.tick().requests
    assert swept.follow(request).success
    assert swept.tick().reason == "4 days checked, none to run"
    swept.folder.append(ALERT_INFO, blob_path(day=yesterday()), line[100:])
    assert swept.tick().days == [yesterday().isoformat()]


def test_failed_attempts_are_counted_and_delay_the_next_one(
    swept: DagsterProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "RETRIES", None)
    swept.put(yesterday())
    (behind,) = find_stale_days(swept.lake, swept.export, [yesterday()])
    broken = swept.with_resources(export=FailingExport(swept.settings.export_dir))
    for attempt in range(3):
        earlier = earlier_runs(swept.instance, behind, datetime.now(UTC))
        assert earlier.attempts == attempt
        request = request_for(behind, earlier, "ingest_day")
        assert request.run_key == f"{yesterday()}:{behind.digest}:{attempt}"
        assert not broken.run(yesterday(), tags=request.tags).success
    tick = swept.tick()
    assert tick.requests == []
    assert "(attempt 3, waiting)" in tick.reason
    earlier = earlier_runs(swept.instance, behind, datetime.now(UTC))
    assert earlier.last is not None
    assert abs(datetime.now(UTC) - earlier.last) < timedelta(minutes=1)
    assert not is_due(earlier, earlier.last + timedelta(minutes=3, seconds=59))
    assert is_due(earlier, earlier.last + timedelta(minutes=4))
    swept.put(yesterday(), 9, 1)
    (request,) = swept.tick().requests
    assert str(request.run_key).endswith(":0")
    assert swept.follow(request).success


def test_a_tick_fails_with_one_line_if_no_day_can_be_listed(swept: DagsterProject) -> None:
    swept.put(yesterday())
    broken = swept.with_resources(export=FailingExport(swept.settings.export_dir, failing_day=None))
    with pytest.raises(dg.Failure, match="out of order") as error:
        broken.tick()
    assert str(error.value.description) == "out of order"


def test_pauses_double_from_a_minute_to_an_hour() -> None:
    pauses = [exponential_backoff(attempts) for attempts in range(2000)]
    assert pauses[0] == timedelta(0)
    assert pauses[1:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert max(pauses) == pauses[-1] == LONGEST_PAUSE
    assert all(first <= second for first, second in pairwise(pauses))


def test_the_first_attempt_is_due_at_once_and_later_ones_after_a_pause() -> None:
    assert is_due(AttemptHistory(0, None), NOW)
    assert not is_due(AttemptHistory(1, NOW - timedelta(seconds=59)), NOW)
    assert is_due(AttemptHistory(1, NOW - timedelta(seconds=60)), NOW)
    assert not is_due(AttemptHistory(50, NOW - timedelta(minutes=59)), NOW)
    assert is_due(AttemptHistory(50, NOW - timedelta(hours=1)), NOW)


def test_the_window_is_today_the_look_back_and_the_swept_days_within_the_partitions() -> None:
    today, start = date(2026, 11, 3), date(2026, 10, 1)
    swept = [date(2026, 9, 30), date(2026, 10, 1), date(2026, 11, 2), date(2026, 11, 4)]
    assert window(today, start, 1, swept) == [date(2026, 10, 1), date(2026, 11, 2), today]
    assert window(today, start, 0, []) == [today]
    assert window(today, today, 3, []) == [today]


def test_each_tick_starts_at_another_day_and_checks_all() -> None:
    days = [NOW.date() + timedelta(days=number) for number in range(5)]
    assert rotated([], 7) == []
    assert {rotated(days, tick)[0] for tick in range(5)} == set(days)
    assert all(sorted(rotated(days, tick)) == days for tick in range(12))


@pytest.mark.parametrize("count", [0, 1, SWEPT_AT_ONCE, SWEPT_AT_ONCE + 1, 5 * SWEPT_AT_ONCE + 3])
def test_a_few_ticks_check_all_swept_days_however_many(count: int) -> None:
    days = [NOW.date() + timedelta(days=number) for number in range(count)]
    for first in (0, 1, 59_000_001):
        shares = [share_of_sweep(days, tick) for tick in range(first, first + count // SWEPT_AT_ONCE + 1)]
        assert all(len(share) == min(count, SWEPT_AT_ONCE) for share in shares)
        assert {day for share in shares for day in share} == set(days)


def test_a_day_that_cannot_be_listed_does_not_hide_the_others(swept: DagsterProject) -> None:
    swept.put(yesterday())
    broken = swept.with_resources(export=FailingExport(swept.settings.export_dir, failing_day=day_before(2)))
    assert broken.tick().days == [yesterday().isoformat()]
    swept.fill(yesterday())
    assert f"{day_before(2)} cannot be listed: out of order" in broken.tick().reason


def test_a_blob_that_cannot_be_read_is_requested_again_after_growing_pauses(swept: DagsterProject) -> None:
    swept.put(yesterday(), tables=(ALERT_INFO,))
    swept.folder.append(ALERT_INFO, blob_path(day=yesterday(), hour=9), records(ALERT_INFO, 5, 1))
    refusing = RefusingExport(swept.export, of_read=lambda _, path: archived(path) if "/h=09/" in path else None)
    run_day(swept.lake, refusing, yesterday())
    (behind,) = find_stale_days(swept.lake, swept.export, [yesterday()])
    (request,) = swept.tick().requests
    assert request.tags[DIGEST_TAG] == behind.digest
    for attempt in (1, 2, 3):
        run_in(swept, dg.DagsterRunStatus.SUCCESS, yesterday(), behind.digest)
        assert f"1 blob (attempt {attempt}, waiting)" in swept.tick().reason
    swept.folder.append(ALERT_INFO, blob_path(day=yesterday()), records(ALERT_INFO, 6, 1))
    assert swept.tick().days == [yesterday().isoformat()]


def test_a_refused_tenant_or_container_does_not_hide_the_others(swept: DagsterProject) -> None:
    swept.put(yesterday())
    swept.fill(yesterday())
    swept.put(yesterday(), 5, 1, (ALERT_INFO,))

    def refused(container: str) -> Exception | None:
        return archived(container) if container == DEVICE_INFO.container else None

    broken = swept.with_resources(export=RefusingExport(swept.export, of_container=refused))
    assert yesterday().isoformat() in broken.tick().days


def test_a_day_that_no_tick_can_list_is_requested_once_after_each_sweep(
    project: DagsterProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.put(yesterday())
    assert project.sweep().success
    monkeypatch.setattr(new_blobs, "DEADLINE_SECONDS", 0.2)
    monkeypatch.setattr(new_blobs, "INCOMPLETE_ATTEMPTS", 0)
    slow = SlowExport(project.export, TENANT)
    stuck = project.with_resources(export=slow)
    (request,) = stuck.tick().requests
    assert request.partition_key == yesterday().isoformat()
    assert request.tags[DIGEST_TAG].startswith("sweep-")
    run_in(project, dg.DagsterRunStatus.SUCCESS, yesterday(), request.tags[DIGEST_TAG])
    assert stuck.tick().requests == []
    assert project.sweep().success
    (again,) = stuck.tick().requests
    assert again.tags[DIGEST_TAG] != request.tags[DIGEST_TAG]
    slow.released.set()


def test_a_day_that_is_listed_in_part_is_requested_at_most_every_four_minutes(project: DagsterProject) -> None:
    assert rested(project.instance, yesterday(), datetime.now(UTC))
    run_in(project, dg.DagsterRunStatus.SUCCESS, yesterday())
    assert not rested(project.instance, yesterday(), datetime.now(UTC))
    assert rested(project.instance, yesterday(), datetime.now(UTC) + timedelta(minutes=4))


def test_a_tick_makes_no_more_list_calls_for_a_million_old_blobs_than_for_none(swept: DagsterProject) -> None:
    def listed(history: History) -> list[str]:
        with served(history) as account:
            assert swept.with_resources(export=account).tick().days == [
                day_before(days).isoformat() for days in range(LOOKBACK_DAYS, -1, -1)
            ]
        return sorted(history.prefixes)

    long = History(today(), days=2800)
    assert long.blobs > 1_000_000
    prefixes = listed(long)
    assert prefixes == listed(History(today(), days=LOOKBACK_DAYS + 1))
    # per table, one list call for the tenants, and one for each of their days
    assert len(prefixes) == 3 * (1 + (LOOKBACK_DAYS + 1) * long.tenants)


@pytest.mark.parametrize("days_ahead", [90, 1, 0.05])
def test_a_run_that_failed_while_the_clock_was_ahead_is_requested_again_at_once(
    project: DagsterProject, monkeypatch: pytest.MonkeyPatch, days_ahead: float
) -> None:
    monkeypatch.setattr(runs, "RETRIES", None)
    project.put(yesterday())
    (behind,) = find_stale_days(project.lake, project.export, [yesterday()])
    broken = project.with_resources(export=FailingExport(project.settings.export_dir))
    assert not broken.run(yesterday(), tags=request_for(behind, AttemptHistory(0, None), "ingest_day").tags).success
    now = datetime.now(UTC)
    before = now - timedelta(days=days_ahead)
    earlier = earlier_runs(project.instance, behind, before)
    assert earlier == AttemptHistory(1, None)
    assert is_due(earlier, before)
    # a clock that was slightly ahead delays the next attempt as usual
    assert not is_due(earlier_runs(project.instance, behind, now - timedelta(minutes=5)), now - timedelta(minutes=5))
    assert not broken.run(yesterday(), tags=request_for(behind, earlier, "ingest_day").tags).success
    assert earlier_runs(project.instance, behind, datetime.now(UTC)).attempts == 2
    assert not is_due(earlier_runs(project.instance, behind, datetime.now(UTC)), datetime.now(UTC))


def test_a_run_that_started_while_the_clock_was_ahead_does_not_block_its_day(project: DagsterProject) -> None:
    run_in(project, dg.DagsterRunStatus.STARTED, yesterday())
    assert days_in_flight(project.instance, [yesterday()], datetime.now(UTC) - timedelta(days=90)) == set()
    assert days_in_flight(project.instance, [yesterday()], datetime.now(UTC) - timedelta(minutes=5)) == {yesterday()}
