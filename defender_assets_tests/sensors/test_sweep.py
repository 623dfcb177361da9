"""The sweep lists older days that are behind, and the sensor requests them."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from defender_assets.catalog import DAILY, QUEUE
from defender_assets.core.retries import FIRST_PAUSE
from defender_assets.core.schemas import ALERT_INFO, TABLES
from defender_assets.metadata.reports import NO_BLOBS
from defender_assets.sensors.new_blobs import first_sweep
from defender_assets.sensors.sweep import SweepFound, days_of_last_sweep
from defender_assets_tests.support.dagster_project import DagsterProject, start
from defender_assets_tests.support.days import day_before, today, yesterday


def old() -> date:
    """A day that the sensor checks only after a sweep has listed it."""
    return day_before(7)


def ended() -> set[str]:
    """All partitions except the current day."""
    return {day_before(back).isoformat() for back in range(1, (today() - start()).days + 1)}


def green(project: DagsterProject, asset: str) -> set[str]:
    """The days that the UI shows as materialized."""
    return set(project.instance.get_materialized_partitions(dg.AssetKey(asset)))


def reports(project: DagsterProject) -> int:
    """The number of materializations of all assets in Dagster."""
    records = [project.instance.fetch_materializations(dg.AssetKey(asset), 100).records for asset in DAILY]
    return sum(map(len, records))


def test_without_a_sweep_there_is_no_result(project: DagsterProject) -> None:
    assert days_of_last_sweep(project.instance) == SweepFound(ran=False)


def test_the_sweep_lists_older_days_and_the_next_tick_requests_them(project: DagsterProject) -> None:
    project.put(old())
    project.put(yesterday(), tables=(ALERT_INFO,))
    assert project.sweep().success
    assert days_of_last_sweep(project.instance) == SweepFound(True, (old(), yesterday()), 0)
    requests = project.tick().requests
    assert [request.partition_key for request in requests] == [old().isoformat(), yesterday().isoformat()]
    assert project.follow(requests[0]).success
    project.fill(yesterday())
    assert project.tick().days == []
    project.sweep()
    assert days_of_last_sweep(project.instance) == SweepFound(ran=True)


def test_an_old_day_that_grows_again_is_listed_by_the_next_sweep(project: DagsterProject) -> None:
    project.put(old(), tables=(ALERT_INFO,))
    project.sweep()
    project.fill(old())
    project.sweep()
    project.put(old(), 4, 1, (ALERT_INFO,))
    assert project.tick().days == []
    project.sweep()
    assert project.tick().days == [old().isoformat()]


def test_days_before_the_start_are_reported_and_never_requested(project: DagsterProject) -> None:
    for back in (1, 2):
        project.put(start() - timedelta(days=back))
    project.sweep()
    assert days_of_last_sweep(project.instance) == SweepFound(True, (), 2)
    tick = project.tick()
    assert tick.requests == []
    assert f"2 days with blobs before DEFENDER_START_DATE={start()} are never read" in tick.reason


def test_future_days_are_not_listed(project: DagsterProject) -> None:
    project.put(today() + timedelta(days=2))
    project.sweep()
    assert days_of_last_sweep(project.instance).days == ()


def test_a_failed_sweep_does_not_hide_the_one_before(project: DagsterProject) -> None:
    project.put(old())
    project.sweep()
    for table in TABLES:
        container = project.settings.export_dir / table.container
        container.rename(container.with_name(f"aside {table.name}"))
        container.touch()
    failed = project.definitions().resolve_job_def("sweep_older_days")
    assert not failed.execute_in_process(instance=project.instance, raise_on_error=False).success
    assert days_of_last_sweep(project.instance).days == (old(),)


def test_a_failed_first_sweep_is_requested_again_after_a_pause(project: DagsterProject) -> None:
    project.settings.export_dir.mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        (project.settings.export_dir / table.container).touch()
    failed = project.definitions().resolve_job_def("sweep_older_days")
    assert not failed.execute_in_process(instance=project.instance, raise_on_error=False).success
    now = datetime.now(UTC)
    assert first_sweep(project.instance, start(), now) == []
    (request,) = first_sweep(project.instance, start(), now + FIRST_PAUSE * 2)
    assert request.run_key == f"first-sweep:{start()}:1"


def test_days_without_blobs_become_green_and_others_do_not(project: DagsterProject) -> None:
    project.put(start())
    project.put(yesterday(), tables=(ALERT_INFO,))
    assert project.sweep().success
    empty = ended() - {start().isoformat(), yesterday().isoformat()}
    assert len(empty) > 5
    for asset in DAILY:
        assert green(project, asset) == empty, asset
        event = project.instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert event is not None
        assert event.asset_materialization is not None
        metadata = {name: value.value for name, value in event.asset_materialization.metadata.items()}
        assert metadata == {"day": NO_BLOBS, "dagster/partition_row_count": 0}
    before = reports(project)
    assert project.sweep().success
    assert reports(project) == before


def test_days_before_the_first_blob_stay_grey(project: DagsterProject) -> None:
    project.sweep()
    assert reports(project) == 0
    for day in (old(), today()):
        project.put(day, tables=(ALERT_INFO,))
    project.sweep()
    assert green(project, ALERT_INFO.raw) == {day for day in ended() if day > old().isoformat()}


def test_days_since_the_last_blob_stay_grey(project: DagsterProject) -> None:
    project.put(start())
    project.put(old(), tables=(ALERT_INFO,))
    # a folder of a day that has not come yet is no sign of life
    project.put(today() + timedelta(days=9))
    project.sweep()
    assert green(project, ALERT_INFO.raw) == {day for day in ended() if start().isoformat() < day < old().isoformat()}


def test_without_an_export_no_day_becomes_green(project: DagsterProject) -> None:
    project.put(start())
    project.fill(start(), derived=())
    shutil.rmtree(project.settings.export_dir)
    project.sweep()
    assert reports(project) == 0


def test_an_empty_day_whose_blobs_arrive_late_is_run_like_any_other(project: DagsterProject) -> None:
    for day in (start(), today()):
        project.put(day, tables=(ALERT_INFO,))
        project.fill(day)
    project.sweep()
    assert old().isoformat() in green(project, ALERT_INFO.raw)
    project.put(old(), tables=(ALERT_INFO,))
    project.sweep()
    (request,) = project.tick().requests
    assert project.follow(request).success
    records = project.instance.fetch_materializations(dg.AssetKey(ALERT_INFO.raw), 1).records
    materialization = records[0].asset_materialization
    assert materialization is not None
    assert materialization.partition == old().isoformat()
    assert materialization.metadata["day"].value != NO_BLOBS


def test_a_day_whose_blobs_were_deleted_after_reading_is_not_empty(project: DagsterProject) -> None:
    for day in (start(), old(), today()):
        project.put(day)
    project.fill(old(), derived=())
    for folder in project.settings.export_dir.glob(f"*/tenantId=*/{old():y=%Y/m=%m/d=%d}"):
        shutil.rmtree(folder)
    with dg.DagsterInstance.ephemeral() as new:
        restarted = replace(project, instance=new)
        restarted.sweep()
        assert green(restarted, ALERT_INFO.raw) == ended() - {start().isoformat(), old().isoformat()}


def test_a_table_of_a_newer_version_is_built_also_where_the_account_has_deleted_the_blobs(
    project: DagsterProject,
) -> None:
    for first, day in ((0, start()), (2, old())):
        project.put(day, first, tables=(ALERT_INFO,))
        project.fill(day)
    shutil.rmtree(project.lake.table_uri(QUEUE.name))
    for folder in project.settings.export_dir.glob(f"*/tenantId=*/{old():y=%Y/m=%m/d=%d}"):
        shutil.rmtree(folder)
    project.sweep()
    assert days_of_last_sweep(project.instance).days == (start(), old())
    for request in project.tick().requests:
        assert project.follow(request).success
    assert set(project.lake.read(QUEUE.name).collect()["export_date"]) == {start(), old()}
    project.sweep()
    assert days_of_last_sweep(project.instance).days == ()


def test_days_past_retention_are_not_marked_empty(project: DagsterProject) -> None:
    kept = replace(project, settings=replace(project.settings, retention_days=2))
    for day in (old(), today()):
        kept.put(day)
    kept.sweep()
    assert green(kept, ALERT_INFO.raw) == {day.isoformat() for day in (yesterday(), day_before(2))}


def test_a_sweep_only_creates_the_tables(project: DagsterProject) -> None:
    project.put(old())
    project.sweep()
    for table in project.lake.tables:
        assert project.lake.read(table.name).collect().is_empty()
