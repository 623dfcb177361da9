"""The sweep: names older days that are behind; the sensor asks for them."""

from datetime import UTC, datetime, timedelta

from defender_assets.core.pauses import FIRST_PAUSE
from defender_assets.core.tables import ALERT_INFO
from defender_assets.schedules import SweepFound, days_of_last_sweep
from defender_assets.sensors import first_sweep
from defender_assets_tests.shell.workshop import START, TODAY, Workshop, day_before

OLD = day_before(7)


def test_without_a_sweep_nothing_was_found(workshop: Workshop) -> None:
    assert days_of_last_sweep(workshop.instance) == SweepFound(ran=False)


def test_the_sweep_names_older_days_and_the_next_tick_asks_for_them(workshop: Workshop) -> None:
    for day in (OLD, day_before(1)):
        workshop.put(day)
    assert workshop.sweep().success
    assert days_of_last_sweep(workshop.instance) == SweepFound(True, (OLD, day_before(1)), 0)
    requests = workshop.tick().requests
    assert [request.partition_key for request in requests] == [OLD.isoformat(), day_before(1).isoformat()]
    for request in requests:
        assert workshop.follow(request).success
    assert workshop.tick().days == []
    workshop.sweep()
    assert days_of_last_sweep(workshop.instance) == SweepFound(ran=True)


def test_an_old_day_that_grows_again_is_named_by_the_next_sweep(workshop: Workshop) -> None:
    workshop.put(OLD)
    workshop.sweep()
    workshop.run(OLD)
    workshop.sweep()
    workshop.put(OLD, 4, 1, (ALERT_INFO,))
    assert workshop.tick().days == []
    workshop.sweep()
    assert workshop.tick().days == [OLD.isoformat()]


def test_days_before_the_start_are_no_partitions_and_are_reported(workshop: Workshop) -> None:
    for back in (1, 2):
        workshop.put(START - timedelta(days=back))
    workshop.sweep()
    assert days_of_last_sweep(workshop.instance) == SweepFound(True, (), 2)
    told = workshop.tick()
    assert told.requests == []
    assert f"2 days before {START} hold blobs and are no partitions" in told.reason


def test_days_that_have_not_come_yet_are_not_named(workshop: Workshop) -> None:
    workshop.put(TODAY + timedelta(days=2))
    workshop.sweep()
    assert days_of_last_sweep(workshop.instance).days == ()


def test_a_failed_sweep_does_not_hide_the_one_before(workshop: Workshop) -> None:
    workshop.put(OLD)
    workshop.sweep()
    container = workshop.settings.export_dir / ALERT_INFO.container
    container.rename(container.with_name("aside"))
    container.touch()
    failed = workshop.definitions().resolve_job_def("sweep_older_days")
    assert not failed.execute_in_process(instance=workshop.instance, raise_on_error=False).success
    assert days_of_last_sweep(workshop.instance).days == (OLD,)


def test_a_first_sweep_that_fails_is_asked_for_again_after_a_pause(workshop: Workshop) -> None:
    blocked = workshop.settings.export_dir / ALERT_INFO.container
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.touch()
    failed = workshop.definitions().resolve_job_def("sweep_older_days")
    assert not failed.execute_in_process(instance=workshop.instance, raise_on_error=False).success
    now = datetime.now(UTC)
    assert first_sweep(workshop.instance, START, now) == []
    (request,) = first_sweep(workshop.instance, START, now + FIRST_PAUSE * 2)
    assert request.run_key == f"first-sweep:{START}:1"


def test_a_sweep_changes_nothing_but_creates_the_tables(workshop: Workshop) -> None:
    workshop.put(OLD)
    workshop.sweep()
    for layout in workshop.lake.layouts:
        assert workshop.lake.read(layout.name).collect().is_empty()
