"""The sweep: names older days that are behind; the sensor asks for them."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from defender_assets.catalog import DAILY
from defender_assets.core.retries import FIRST_PAUSE
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.metadata.reports import NO_BLOBS
from defender_assets.sensors.new_blobs import first_sweep
from defender_assets.sensors.sweep import SweepFound, days_of_last_sweep
from defender_assets_tests.support.dagster_project import Workshop, start
from defender_assets_tests.support.days import day_before, today, yesterday


def old() -> date:
    """A day that the sensor looks at only when a sweep has named it."""
    return day_before(7)


def ended() -> set[str]:
    """All days of the partitions but the running one."""
    return {day_before(back).isoformat() for back in range(1, (today() - start()).days + 1)}


def green(workshop: Workshop, asset: str) -> set[str]:
    """The days that the UI shows as materialized."""
    return set(workshop.instance.get_materialized_partitions(dg.AssetKey(asset)))


def reports(workshop: Workshop) -> int:
    """How many materializations Dagster holds, of all assets."""
    records = [workshop.instance.fetch_materializations(dg.AssetKey(asset), 100).records for asset in DAILY]
    return sum(map(len, records))


def test_without_a_sweep_nothing_was_found(workshop: Workshop) -> None:
    assert days_of_last_sweep(workshop.instance) == SweepFound(ran=False)


def test_the_sweep_names_older_days_and_the_next_tick_asks_for_them(workshop: Workshop) -> None:
    for day in (old(), yesterday()):
        workshop.put(day)
    assert workshop.sweep().success
    assert days_of_last_sweep(workshop.instance) == SweepFound(True, (old(), yesterday()), 0)
    requests = workshop.tick().requests
    assert [request.partition_key for request in requests] == [old().isoformat(), yesterday().isoformat()]
    assert workshop.follow(requests[0]).success
    workshop.fill(yesterday())
    assert workshop.tick().days == []
    workshop.sweep()
    assert days_of_last_sweep(workshop.instance) == SweepFound(ran=True)


def test_an_old_day_that_grows_again_is_named_by_the_next_sweep(workshop: Workshop) -> None:
    workshop.put(old())
    workshop.sweep()
    workshop.fill(old())
    workshop.sweep()
    workshop.put(old(), 4, 1, (ALERT_INFO,))
    assert workshop.tick().days == []
    workshop.sweep()
    assert workshop.tick().days == [old().isoformat()]


def test_days_before_the_start_are_no_partitions_and_are_reported(workshop: Workshop) -> None:
    for back in (1, 2):
        workshop.put(start() - timedelta(days=back))
    workshop.sweep()
    assert days_of_last_sweep(workshop.instance) == SweepFound(True, (), 2)
    told = workshop.tick()
    assert told.requests == []
    assert f"2 days with blobs before DEFENDER_START_DATE={start()}: no partitions, never read" in told.reason


def test_days_that_have_not_come_yet_are_not_named(workshop: Workshop) -> None:
    workshop.put(today() + timedelta(days=2))
    workshop.sweep()
    assert days_of_last_sweep(workshop.instance).days == ()


def test_a_failed_sweep_does_not_hide_the_one_before(workshop: Workshop) -> None:
    workshop.put(old())
    workshop.sweep()
    container = workshop.settings.export_dir / ALERT_INFO.container
    container.rename(container.with_name("aside"))
    container.touch()
    failed = workshop.definitions().resolve_job_def("sweep_older_days")
    assert not failed.execute_in_process(instance=workshop.instance, raise_on_error=False).success
    assert days_of_last_sweep(workshop.instance).days == (old(),)


def test_a_first_sweep_that_fails_is_asked_for_again_after_a_pause(workshop: Workshop) -> None:
    blocked = workshop.settings.export_dir / ALERT_INFO.container
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.touch()
    failed = workshop.definitions().resolve_job_def("sweep_older_days")
    assert not failed.execute_in_process(instance=workshop.instance, raise_on_error=False).success
    now = datetime.now(UTC)
    assert first_sweep(workshop.instance, start(), now) == []
    (request,) = first_sweep(workshop.instance, start(), now + FIRST_PAUSE * 2)
    assert request.run_key == f"first-sweep:{start()}:1"


def test_days_without_blobs_are_told_from_missing_ones(workshop: Workshop) -> None:
    workshop.put(start())
    workshop.put(yesterday(), tables=(ALERT_INFO,))
    assert workshop.sweep().success
    empty = ended() - {start().isoformat(), yesterday().isoformat()}
    assert len(empty) > 5
    for asset in DAILY:
        assert green(workshop, asset) == empty, asset
        told = workshop.instance.get_latest_materialization_event(dg.AssetKey(asset))
        assert told is not None
        assert told.asset_materialization is not None
        metadata = {name: value.value for name, value in told.asset_materialization.metadata.items()}
        assert metadata == {"day": NO_BLOBS, "dagster/partition_row_count": 0}
    before = reports(workshop)
    assert workshop.sweep().success
    assert reports(workshop) == before


def test_nothing_is_said_of_days_before_the_first_blob(workshop: Workshop) -> None:
    workshop.sweep()
    assert reports(workshop) == 0
    workshop.put(old(), tables=(ALERT_INFO,))
    workshop.sweep()
    assert green(workshop, ALERT_INFO.raw) == {day for day in ended() if day > old().isoformat()}


def test_an_empty_day_whose_blobs_come_late_is_run_like_any_other(workshop: Workshop) -> None:
    workshop.put(start())
    workshop.fill(start())
    workshop.sweep()
    assert old().isoformat() in green(workshop, ALERT_INFO.raw)
    workshop.put(old())
    workshop.sweep()
    (request,) = workshop.tick().requests
    assert workshop.follow(request).success
    told = workshop.instance.fetch_materializations(dg.AssetKey(ALERT_INFO.raw), 1).records[0].asset_materialization
    assert told is not None
    assert told.partition == old().isoformat()
    assert told.metadata["day"].value != NO_BLOBS


def test_a_day_whose_blobs_the_account_no_longer_holds_is_not_empty(workshop: Workshop) -> None:
    for day in (start(), old()):
        workshop.put(day)
    workshop.fill(old())
    for folder in workshop.settings.export_dir.glob(f"*/tenantId=*/{old():y=%Y/m=%m/d=%d}"):
        shutil.rmtree(folder)
    with dg.DagsterInstance.ephemeral() as new:
        afresh = replace(workshop, instance=new)
        afresh.sweep()
        assert green(afresh, ALERT_INFO.raw) == ended() - {start().isoformat(), old().isoformat()}


def test_days_that_the_lake_no_longer_keeps_are_not_called_empty(workshop: Workshop) -> None:
    kept = replace(workshop, settings=replace(workshop.settings, retention_days=2))
    kept.put(old())
    kept.sweep()
    assert green(kept, ALERT_INFO.raw) == {day.isoformat() for day in (yesterday(), day_before(2))}


def test_a_sweep_changes_nothing_but_creates_the_tables(workshop: Workshop) -> None:
    workshop.put(old())
    workshop.sweep()
    for layout in workshop.lake.tables:
        assert workshop.lake.read(layout.name).collect().is_empty()
