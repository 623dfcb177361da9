import json
from collections import Counter
from typing import Any

from defender_assets_tests.support.simulated_exports import CLEAN, SCENARIO, lines, records


def rows() -> dict[str, list[dict[str, Any]]]:
    """DeviceInfo rows of each device id, in order of their events."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in records(CLEAN, "deviceinfo"):
        found.setdefault(record.properties["DeviceId"], []).append(record.properties)
    return {device: sorted(of, key=lambda row: str(row["Timestamp"])) for device, of in found.items()}


def test_the_population_is_mixed() -> None:
    every = [row for of in rows().values() for row in of]
    platforms = {row["OSPlatform"] for row in every}
    assert platforms == {"Windows11", "WindowsServer2022", "macOS", "Linux", None}
    assert {row["IsInternetFacing"] for row in every} == {True, False, None}
    assert {"Low", "Medium", "High"} <= {row["ExposureLevel"] for row in every}
    assert {"Normal", "High"} <= {row["AssetValue"] for row in every}
    assert any(json.loads(row["DeviceManualTags"]) for row in every if row["DeviceManualTags"])


def test_partial_heartbeats_have_a_full_row_every_day() -> None:
    partial = [of for of in rows().values() if sum(row["OSPlatform"] is None for row in of) > len(of) / 2]
    with_full = [of for of in partial if any(row["OSPlatform"] for row in of)]
    assert with_full
    for of in with_full:
        days = Counter(row["Timestamp"][:10] for row in of)
        full = {row["Timestamp"][:10] for row in of if row["OSPlatform"]}
        assert {day for day, amount in days.items() if amount == 12} <= full


def test_a_merged_device_reports_under_its_new_id() -> None:
    devices = rows()
    merged = {old: row["MergedToDeviceId"] for old, of in devices.items() for row in of if row["MergedToDeviceId"]}
    assert merged
    for old, new in merged.items():
        before = [row for row in devices[old] if not row["MergedToDeviceId"]]
        assert not before or before[-1]["Timestamp"] < devices[new][0]["Timestamp"]
        assert new in devices


def test_some_devices_name_those_that_were_merged_into_them() -> None:
    merged = [row for of in rows().values() for row in of if row["MergedDeviceIds"]]
    assert merged


def test_a_silent_sensor_is_reported_inactive_once_a_day() -> None:
    silent = [of for of in rows().values() if any(row["SensorHealthState"] == "Inactive" for row in of)]
    lasting = [of for of in silent if not any(row["MergedToDeviceId"] for row in of)]
    assert lasting
    for of in lasting:
        assert max(Counter(row["Timestamp"][:10] for row in of if row["SensorHealthState"] == "Inactive").values()) == 1


def test_a_device_may_appear_only_after_its_first_alert() -> None:
    seen = {device: of[0]["Timestamp"] for device, of in rows().items()}
    alerted: dict[str, str] = {}
    for record in records(CLEAN, "alertevidence"):
        text = record.properties["AdditionalFields"]
        for device in seen:
            if device in text:
                alerted[device] = min(alerted.get(device, "9"), record.properties["Timestamp"])
    assert any(seen[device][10:] > "T03" and alerted[device] < seen[device] for device in alerted)


def test_reports_of_a_device_grow_with_time() -> None:
    for of in rows().values():
        reports = [row["ReportId"] for row in of]
        assert reports == sorted(reports)


def test_faults_do_not_change_what_devices_report() -> None:
    assert len(lines(SCENARIO)) > len(lines(CLEAN))
