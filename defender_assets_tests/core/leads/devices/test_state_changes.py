"""How a device changed between its alert and now."""

from datetime import timedelta
from typing import Any

import pytest

from defender_assets_tests.support.alert_rows import (
    DAY,
    EVE,
    OTHER_TENANT,
    PC,
    SERVER,
    Row,
    at,
    beat,
    info,
    lead_of,
    machine,
)


def changes(*beats: Row, device: str = PC) -> list[tuple[str, str | None, str | None]] | None:
    found = lead_of([info()], [machine(device)], beats)["device_changes"]
    return None if found is None else [tuple(change.values()) for change in found]


@pytest.mark.parametrize(
    ("column", "microsoft", "then", "now"),
    [
        ("device_name", "DeviceName", "old", "new"),
        ("os_version", "OSVersion", "22H2", "23H2"),
        ("machine_group", "MachineGroup", "a", "b"),
        ("onboarding_status", "OnboardingStatus", "Onboarded", "Can be onboarded"),
        ("sensor_health_state", "SensorHealthState", "Active", "Inactive"),
        ("exposure_level", "ExposureLevel", "Low", "High"),
        ("asset_value", "AssetValue", "Normal", "High"),
        ("is_internet_facing", "IsInternetFacing", False, True),
        ("join_type", "JoinType", "Hybrid", "Entra"),
    ],
)
def test_changes_show_then_and_now(column: str, microsoft: str, then: Any, now: Any) -> None:
    spelled = [str(value).lower() if isinstance(value, bool) else value for value in (then, now)]
    rows = [beat(when=at(-1), **{microsoft: then}), beat(when=at(1), **{microsoft: now})]
    assert changes(*rows) == [(column, *spelled)]
    assert changes(rows[0], beat(when=at(1), **{microsoft: then})) == []


def test_added_and_removed_tags_are_changes() -> None:
    then = beat(when=at(-1), DeviceManualTags=["a", "gone"], RegistryDeviceTag="r")
    now = beat(when=at(1), DeviceManualTags=["a"], DeviceDynamicTags=["x", "VIP"], RegistryDeviceTag="r")
    assert changes(then, now) == [("device_tag", None, "VIP"), ("device_tag", None, "x"), ("device_tag", "gone", None)]


def test_a_partial_heartbeat_changes_nothing() -> None:
    assert changes(beat(when=at(-1), ExposureLevel="Low", DeviceManualTags=["a"]), beat(when=at(1))) == []


def test_a_value_that_became_known_is_a_change() -> None:
    assert changes(beat(when=at(-1)), beat(when=at(1), ExposureLevel="Low")) == [("exposure_level", None, "Low")]


def test_a_silent_sensor_is_a_change_while_others_report() -> None:
    silent = beat(when=at(-30), day=EVE)
    assert changes(silent, beat(SERVER, when=at(-6))) == [
        ("heartbeat", f"{at(-30):%Y-%m-%d %H:%M}", f"none since {at(-30):%Y-%m-%d %H:%M}")
    ]
    assert changes(silent, beat(SERVER, when=at(-7))) == []
    assert changes(silent, beat(SERVER, when=at(-6), tenant=OTHER_TENANT)) == []
    assert changes(silent, beat(SERVER, when=at(days=400))) == []


def test_the_state_now_is_found_through_a_merge() -> None:
    rows = [beat("old", at(-1), ExposureLevel="Low", MergedToDeviceId="new"), beat("new", at(1), ExposureLevel="High")]
    assert changes(*rows, device="old") == [("exposure_level", "Low", "High")]


def test_an_unknown_device_has_no_changes() -> None:
    assert changes() is None
    assert lead_of([info()])["device_changes"] is None


def test_only_partitions_of_the_look_back_count() -> None:
    outside = beat(when=at(1), day=DAY + timedelta(days=1), ExposureLevel="High")
    assert changes(beat(when=at(-1), ExposureLevel="Low"), outside) == []
