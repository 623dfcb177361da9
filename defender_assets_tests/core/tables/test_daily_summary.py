"""The daily summary: alerts and devices are counted once, with arrival lag and the newest rows."""

from datetime import timedelta

import pytest

from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, TABLES
from defender_assets.core.tables.daily_summary import NEWEST, summarize_day
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import DAY, Folder, blob_path, line, properties, records


def test_an_alert_or_a_device_is_counted_once_however_many_records_it_has(
    lake: Lake, export: DirectoryExport, folder: Folder
) -> None:
    for minute in range(3):
        common = {"Timestamp": f"2026-11-03T08:{minute:02}:00Z", "AlertId": "a", "DeviceId": "d"}
        folder.append(ALERT_INFO, blob_path(), line(ALERT_INFO, properties(ALERT_INFO, **common, Severity="High")))
        folder.append(ALERT_EVIDENCE, blob_path(), line(ALERT_EVIDENCE, properties(ALERT_EVIDENCE, **common)))
        folder.append(
            DEVICE_INFO, blob_path(), line(DEVICE_INFO, properties(DEVICE_INFO, **common, OSPlatform="macOS"))
        )
    other = {"Timestamp": "2026-11-03T09:00:00Z", "AlertId": "b", "DeviceId": "e"}
    folder.append(ALERT_INFO, blob_path(), line(ALERT_INFO, properties(ALERT_INFO, **other, Severity=None)))
    folder.append(DEVICE_INFO, blob_path(), line(DEVICE_INFO, properties(DEVICE_INFO, **other)))
    run_day(lake, export, DAY)

    info, evidence, devices = (summarize_day(lake.open(table.name), table, DAY) for table in TABLES)

    assert (info.counts, info.hours) == ({"High": 1, "(none)": 1}, {(8, "High"): 1, (9, "(none)"): 1})
    assert evidence.counts == {"Machine": 1}
    assert devices.counts == {"macOS": 1, "(none)": 1}


def test_a_partial_heartbeat_does_not_count_as_an_unknown_system(
    lake: Lake, export: DirectoryExport, folder: Folder
) -> None:
    for system in ("Linux", None):
        folder.append(DEVICE_INFO, blob_path(), line(DEVICE_INFO, properties(DEVICE_INFO, OSPlatform=system)))
    folder.append(DEVICE_INFO, blob_path(), line(DEVICE_INFO, properties(DEVICE_INFO, DeviceId="unknown")))
    run_day(lake, export, DAY)

    assert summarize_day(lake.open(DEVICE_INFO.name), DEVICE_INFO, DAY).counts == {"Linux": 1, "(none)": 1}


def test_the_arrival_lag_of_each_record_is_counted(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    for number, behind in enumerate((0, 59, 60, 90_000)):
        wrote = f"{DAY + timedelta(days=behind // 86_400)}T{behind % 86_400 // 3600:02}:{behind // 60 % 60:02}"
        record = properties(ALERT_INFO, Timestamp="2026-11-03T00:00:00Z", AlertId=str(number))
        folder.append(ALERT_INFO, blob_path(), line(ALERT_INFO, record, time=f"{wrote}:{behind % 60:02}Z"))
    run_day(lake, export, DAY)

    summary = summarize_day(lake.open(ALERT_INFO.name), ALERT_INFO, DAY)

    assert summary.lags == {"under 1 min": 2, "1 to 5 min": 1, "over 6 h": 1}
    assert summary.lag_median == pytest.approx(60)
    assert summary.lag_p95 == pytest.approx(90_000)


def test_the_newest_rows_of_the_day_come_first(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    folder.append(ALERT_INFO, blob_path(DAY - timedelta(days=1)), records(ALERT_INFO, 0, 3))
    for minute in range(NEWEST + 5):
        record = properties(ALERT_INFO, Timestamp=f"2026-11-03T08:{minute:02}:00Z", AlertId=str(minute))
        folder.append(ALERT_INFO, blob_path(), line(ALERT_INFO, record))
    for day in (DAY - timedelta(days=1), DAY):
        run_day(lake, export, day)

    summary = summarize_day(lake.open(ALERT_INFO.name), ALERT_INFO, DAY)

    assert summary.newest["AlertId"].to_list() == [str(minute) for minute in range(NEWEST + 4, 4, -1)]
    assert sum(summary.counts.values()) == NEWEST + 5


def test_the_summary_of_a_day_without_rows_is_empty(lake: Lake, export: DirectoryExport) -> None:
    run_day(lake, export, DAY)

    summary = summarize_day(lake.open(DEVICE_INFO.name), DEVICE_INFO, DAY)

    assert (summary.lag_median, summary.lag_p95, summary.lags, summary.counts, summary.hours) == (
        None,
        None,
        {},
        {},
        {},
    )
    assert summary.newest.is_empty()


def test_an_impossible_time_is_no_time_of_an_event(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    for name, when in (
        ("min", "0001-01-01T00:00:00Z"),
        ("max", "9999-12-31T00:00:00Z"),
        ("real", "2026-11-03T08:00:00Z"),
    ):
        record = properties(ALERT_INFO, Timestamp=when, AlertId=name, Severity="High")
        folder.append(ALERT_INFO, blob_path(), line(ALERT_INFO, record, time="2026-11-03T08:01:00Z"))
    run_day(lake, export, DAY)

    summary = summarize_day(lake.open(ALERT_INFO.name), ALERT_INFO, DAY)

    assert (summary.lag_median, summary.lags) == (60, {"1 to 5 min": 1})
    assert (summary.hours, summary.counts) == ({(8, "High"): 1}, {"High": 3})
    assert summary.newest["AlertId"][0] == "real"
