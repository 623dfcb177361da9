from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from defender_assets.simulator import Scenario, simulate
from defender_assets_tests.support.simulated_exports import SCENARIO, START, appends, blobs


def test_the_same_scenario_gives_the_same_appends() -> None:
    assert tuple(simulate(SCENARIO)) == appends(SCENARIO)


def test_another_seed_gives_another_export() -> None:
    assert not set(blobs(appends(SCENARIO))) & set(blobs(appends(replace(SCENARIO, seed=8))))


def test_appends_come_in_order_of_arrival() -> None:
    assert all(first.at <= second.at for first, second in pairwise(appends(SCENARIO)))


@pytest.mark.parametrize("scenario", [SCENARIO, replace(SCENARIO, alerts_per_day=30.5, heartbeat_minutes=45)])
def test_a_longer_scenario_only_appends(scenario: Scenario) -> None:
    shorter = blobs(appends(replace(scenario, days=2)))
    longer = blobs(appends(scenario))

    assert shorter
    assert {key: longer[key][: len(data)] for key, data in shorter.items()} == shorter
    assert {key for key in longer if "/d=03/" in key[1] or "/d=04/" in key[1]} == set(longer) - set(shorter)


def test_the_last_day_is_complete() -> None:
    last_day = {key: data for key, data in blobs(appends(SCENARIO)).items() if "/d=02/" in key[1]}
    assert last_day
    assert last_day == {
        key: data for key, data in blobs(appends(replace(SCENARIO, days=2))).items() if "/d=02/" in key[1]
    }


@pytest.mark.parametrize("hours", [0.5, 13.37, 24, 61])
def test_until_gives_a_prefix_of_the_appends(hours: float) -> None:
    until = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    whole = appends(SCENARIO)

    assert appends(replace(SCENARIO, until=until)) == tuple(append for append in whole if append.at <= until)


def test_nothing_arrives_before_the_first_day() -> None:
    before = datetime(2025, 12, 31, 23, 59, tzinfo=UTC)
    assert appends(replace(SCENARIO, until=before)) == ()


def test_more_tenants_do_not_change_the_others() -> None:
    two, three = blobs(appends(SCENARIO)), blobs(appends(replace(SCENARIO, tenants=3)))

    assert {key: three[key] for key in two} == two
    assert {blob.split("/")[0] for _, blob in two} < {blob.split("/")[0] for _, blob in three}


def test_a_tenant_has_the_three_containers() -> None:
    assert {(append.container, append.blob.split("/")[0]) for append in appends(SCENARIO)} == {
        (f"insights-logs-advancedhunting-{table}", tenant)
        for table in ("alertinfo", "alertevidence", "deviceinfo")
        for tenant in {append.blob.split("/")[0] for append in appends(SCENARIO)}
    }


def test_device_info_grows_with_the_devices_and_their_heartbeats() -> None:
    def size(**changes: Any) -> int:
        scenario = replace(SCENARIO, days=1, tenants=1, **changes)
        return sum(len(append.data) for append in appends(scenario) if append.container.endswith("deviceinfo"))

    assert 1.8 < size(devices=80) / size(devices=40) < 2.2
    assert 1.8 < size(heartbeat_minutes=60) / size() < 2.2


def test_a_tenant_without_alerts_still_reports_its_devices() -> None:
    quiet = replace(SCENARIO, alerts_per_day=0, campaigns_per_tenant=0, faults=False, bad_lines=0)
    assert {append.container for append in appends(quiet)} == {"insights-logs-advancedhunting-deviceinfo"}


@pytest.mark.parametrize("devices", [4, 7, 10, 25])
def test_a_small_tenant_can_be_simulated(devices: int) -> None:
    assert appends(replace(SCENARIO, devices=devices, alerts_per_day=20))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"days": 0}, "days is 0: it must be 1 or more"),
        ({"devices": 3}, "devices is 3: it must be 4 or more"),
        ({"tenants": 0}, "tenants is 0"),
        ({"alerts_per_day": -0.1}, r"alerts_per_day is -0\.1"),
        ({"heartbeat_minutes": 0}, "heartbeat_minutes is 0"),
        ({"until": datetime(2026, 1, 1)}, "without a time zone"),  # noqa: DTZ001 - the mistake itself
    ],
)
def test_an_impossible_scenario_is_refused(wrong: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scenario(**{"start": START, "days": 1, **wrong})
