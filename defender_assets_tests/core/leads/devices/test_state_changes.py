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
    Records,
    Row,
    at,
    beat,
    info,
    lead_of,
    leads_of_each,
    machine,
    only,
)

Change = tuple[str, str | None, str | None]


def changes_of_each(*cases: list[Row], device: str = PC) -> list[list[Change] | None]:
    """Return the changes of the device, by the heartbeats of each case."""
    found = [
        only(leads)["device_changes"]
        for leads in leads_of_each(Records([info()], [machine(device)], beats) for beats in cases)
    ]
    return [changes and [tuple(change.values()) for change in changes] for changes in found]


CHANGED: list[tuple[str, str, Any, Any]] = [
    ("device_name", "DeviceName", "old", "new"),
    ("os_version", "OSVersion", "22H2", "23H2"),
    ("machine_group", "MachineGroup", "a", "b"),
    ("onboarding_status", "OnboardingStatus", "Onboarded", "Can be onboarded"),
    ("sensor_health_state", "SensorHealthState", "Active", "Inactive"),
    ("exposure_level", "ExposureLevel", "Low", "High"),
    ("asset_value", "AssetValue", "Normal", "High"),
    ("is_internet_facing", "IsInternetFacing", False, True),
    ("join_type", "JoinType", "Hybrid", "Entra"),
]


def test_changes_show_then_and_now(subtests: pytest.Subtests) -> None:
    def heartbeats(microsoft: str, then: Any, now: Any) -> list[Row]:
        return [beat(when=at(-1), **{microsoft: then}), beat(when=at(1), **{microsoft: now})]

    changed = changes_of_each(*(heartbeats(microsoft, then, now) for _, microsoft, then, now in CHANGED))
    unchanged = changes_of_each(*(heartbeats(microsoft, then, then) for _, microsoft, then, _ in CHANGED))
    for (column, _, *values), changes, none in zip(CHANGED, changed, unchanged, strict=True):
        then, now = (str(value).lower() if isinstance(value, bool) else value for value in values)
        with subtests.test("another value", column=column):
            assert changes == [(column, then, now)]
        with subtests.test("the same value", column=column):
            assert none == []


SILENT, SILENT_SINCE = beat(when=at(-30), day=EVE), f"{at(-30):%Y-%m-%d %H:%M}"

CASES: dict[str, tuple[list[Row], list[Change] | None]] = {
    "added and removed tags": (
        [
            beat(when=at(-1), DeviceManualTags=["a", "gone"], RegistryDeviceTag="r"),
            beat(when=at(1), DeviceManualTags=["a"], DeviceDynamicTags=["x", "VIP"], RegistryDeviceTag="r"),
        ],
        [("device_tag", None, "VIP"), ("device_tag", None, "x"), ("device_tag", "gone", None)],
    ),
    "a partial heartbeat changes nothing": (
        [beat(when=at(-1), ExposureLevel="Low", DeviceManualTags=["a"]), beat(when=at(1))],
        [],
    ),
    "a value that became known": (
        [beat(when=at(-1)), beat(when=at(1), ExposureLevel="Low")],
        [("exposure_level", None, "Low")],
    ),
    "a silent sensor while others report": (
        [SILENT, beat(SERVER, when=at(-6))],
        [("heartbeat", SILENT_SINCE, f"none since {SILENT_SINCE}")],
    ),
    "a silent sensor while others reported some days ago": (
        [
            beat(when=at(days=-6), day=DAY - timedelta(days=6)),
            beat(SERVER, when=at(days=-3), day=DAY - timedelta(days=3)),
        ],
        [("heartbeat", "2026-03-04 12:00", "none since 2026-03-04 12:00")],
    ),
    "a sensor that is not silent for long": ([SILENT, beat(SERVER, when=at(-7))], []),
    "a silent sensor while another tenant's report": ([SILENT, beat(SERVER, when=at(-6), tenant=OTHER_TENANT)], []),
    "a silent sensor while the clock of another is wrong": ([SILENT, beat(SERVER, when=at(days=400))], []),
    "an unknown device has none": ([], None),
    "only partitions of the look-back count": (
        [
            beat(when=at(-1), ExposureLevel="Low"),
            beat(when=at(1), day=DAY + timedelta(days=1), ExposureLevel="High"),
        ],
        [],
    ),
}


def test_what_is_a_change_of_the_device(subtests: pytest.Subtests) -> None:
    found = changes_of_each(*(beats for beats, _ in CASES.values()))
    for (name, (_, expected)), changes in zip(CASES.items(), found, strict=True):
        with subtests.test(name):
            assert changes == expected


def test_the_state_now_is_found_through_a_merge() -> None:
    rows = [beat("old", at(-1), ExposureLevel="Low", MergedToDeviceId="new"), beat("new", at(1), ExposureLevel="High")]
    assert changes_of_each(rows, device="old") == [[("exposure_level", "Low", "High")]]


def test_an_alert_without_device_has_no_changes() -> None:
    assert lead_of([info()])["device_changes"] is None
