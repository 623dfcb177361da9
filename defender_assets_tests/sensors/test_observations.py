"""The sensor observes a container when its size or number of blobs changed, at most every 10 minutes."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from defender_assets.core.export.timed_listing import TimedListing
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES
from defender_assets.sensors import observations
from defender_assets.sensors.new_blobs import window
from defender_assets.sensors.observations import OBSERVED_EVERY, observe
from defender_assets_tests.support.dagster_project import LOOKBACK_DAYS, DagsterProject, start
from defender_assets_tests.support.days import today, yesterday
from defender_assets_tests.support.exports import blob_path
from defender_assets_tests.support.refusing_export import RefusingExport, archived

CONTAINERS = {table.container for table in TABLES}


def rows_of(event: dg.AssetObservation) -> list[Mapping[str, object]]:
    """The days of an observation."""
    table = event.metadata["days"]
    assert isinstance(table, dg.TableMetadataValue)
    return [record.data for record in table.records]


@pytest.fixture
def watched(project: DagsterProject, monkeypatch: pytest.MonkeyPatch) -> DagsterProject:
    """A project whose sensor may observe at each tick."""
    monkeypatch.setattr(observations, "OBSERVED_EVERY", timedelta(0))
    return project


def test_a_container_is_observed_again_only_after_a_change(watched: DagsterProject) -> None:
    watched.put(yesterday())
    seen = watched.tick().observed
    assert set(seen) == CONTAINERS
    size = (watched.settings.export_dir / ALERT_INFO.container / blob_path(yesterday())).stat().st_size
    found = seen[ALERT_INFO.container]
    assert (found["blobs"], found["bytes"], found["newest_blob"]) == (1, size, blob_path(yesterday()))
    assert str(found["newest_blob_written_at"]).endswith(" UTC")

    assert watched.tick().observed == {}

    watched.put(today(), tables=(DEVICE_INFO,))
    seen = watched.tick().observed
    assert set(seen) == {DEVICE_INFO.container}
    assert (seen[DEVICE_INFO.container]["blobs"], seen[DEVICE_INFO.container]["newest_blob"]) == (2, blob_path(today()))


def test_a_day_that_is_not_listed_counts_as_it_was_last_observed(watched: DagsterProject) -> None:
    watched.put(yesterday())
    watched.put(today())
    watched.tick()
    days, now = window(today(), start(), LOOKBACK_DAYS, ()), datetime.now(UTC)

    assert observe(watched.instance, TimedListing(), days, now) == []
    unlisted = TimedListing({day: [] for day in days}, incomplete=set(days))
    assert observe(watched.instance, unlisted, days, now) == []
    gone = observe(watched.instance, TimedListing({today(): []}), days, now)
    assert {event.metadata["blobs"].value for event in gone} == {1}


def test_a_container_that_refuses_is_not_taken_for_an_empty_one(watched: DagsterProject) -> None:
    watched.put(yesterday())
    watched.tick()

    def refuse(container: str) -> Exception | None:
        return archived(container) if container == ALERT_INFO.container else None

    refused = watched.with_resources(export=RefusingExport(watched.export, of_container=refuse))

    assert refused.tick().observed == {}


def test_ten_minutes_pass_between_two_observations(project: DagsterProject) -> None:
    project.put(yesterday())
    assert set(project.tick().observed) == CONTAINERS
    project.put(today())
    assert project.tick().observed == {}
    listing, now = TimedListing({today(): []}), datetime.now(UTC)

    assert observe(project.instance, listing, [today()], now + OBSERVED_EVERY - timedelta(seconds=60)) == []
    assert len(observe(project.instance, listing, [today()], now + OBSERVED_EVERY)) == len(TABLES)
    # the last observation is from a clock that was ahead
    assert len(observe(project.instance, listing, [today()], now - timedelta(days=1))) == len(TABLES)


def test_observations_do_not_grow_with_the_look_back(project: DagsterProject) -> None:
    days = [today() - timedelta(days=back) for back in reversed(range(300))]

    event = observe(project.instance, TimedListing({day: [] for day in days}), days, datetime.now(UTC))[0]

    assert len(rows_of(event)) == observations.OBSERVED_DAYS
