import json
import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from defender_assets_tests.support.simulated_exports import CLEAN, SCENARIO, appends, blobs, lines, records

BUSY = replace(CLEAN, days=3, devices=40, heartbeat_minutes=360, alerts_per_day=120)


def test_blobs_are_named_by_tenant_and_hour() -> None:
    form = r"tenantId=[0-9a-f-]{36}/y=2026/m=01/d=\d\d/h=\d\d/m=00/PT1H\.json"
    assert all(re.fullmatch(form, append.blob) for append in appends(SCENARIO))


def test_every_blob_with_content_ends_with_a_line_end() -> None:
    assert all(data.endswith(b"\r\n") for data in blobs(appends(SCENARIO)).values() if data)


def test_every_line_ends_with_carriage_return_and_newline() -> None:
    for data in blobs(appends(SCENARIO)).values():
        assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")


@pytest.mark.parametrize(("table", "columns"), [("alertinfo", 9), ("alertevidence", 43), ("deviceinfo", 47)])
def test_a_table_has_its_number_of_columns(table: str, columns: int) -> None:
    widths = Counter(len(record.properties) for record in records(BUSY, table))

    assert len({name for record in records(BUSY, table) for name in record.properties}) == columns
    assert widths.most_common(1)[0][0] == columns
    assert max(widths) == columns


def test_older_cells_omit_the_newest_columns() -> None:
    widths = Counter(len(record.properties) for record in records(BUSY, "alertevidence"))
    assert set(widths) == {38, 43}


def test_an_empty_column_is_null_or_empty_text() -> None:
    rows = [record.properties for record in records(BUSY, "alertevidence")]
    assert {row["SHA256"] for row in rows if row["EntityType"] == "User"} == {None}
    assert {row["ThreatFamily"] for row in rows if row["EntityType"] == "User"} == {""}


def test_the_envelope_is_microsofts() -> None:
    names = {"time", "tenantId", "operationName", "category", "_TimeReceivedBySvc", "properties", "Tenant"}
    categories = {"alertinfo": "AlertInfo", "alertevidence": "AlertEvidence", "deviceinfo": "DeviceInfo"}
    for record in records(CLEAN):
        envelope = record.envelope
        assert set(envelope) == names
        assert envelope["category"] == f"AdvancedHunting-{categories[record.table]}"
        assert record.line.blob.startswith(f"tenantId={envelope['tenantId']}/")
        assert (envelope["operationName"], envelope["Tenant"]) == ("Publish", "DefaultTenant")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", envelope["time"])


def test_the_order_of_keys_varies() -> None:
    assert len({tuple(record.envelope) for record in records(CLEAN)}) > 1


def test_a_record_is_in_the_blob_of_its_export_hour() -> None:
    for record in records(replace(SCENARIO, bad_lines=0)):
        time = record.envelope["time"]
        assert f"/y={time[:4]}/m={time[5:7]}/d={time[8:10]}/h={time[11:13]}/" in record.line.blob


@pytest.mark.parametrize(
    ("source", "least", "most"),
    [
        ("Microsoft Defender for Endpoint", 1.5, 37.5),
        ("Microsoft Defender XDR", 4.5 * 60, 5 * 60),
        ("AAD Identity Protection", 27.5 * 60, 28.6 * 60),
    ],
)
def test_the_export_lags_the_event_by_product(source: str, least: float, most: float) -> None:
    lags = [
        datetime.fromisoformat(record.envelope["time"]) - datetime.fromisoformat(record.properties["Timestamp"])
        for record in records(BUSY, "alertevidence")
        if record.properties["ServiceSource"] == source
    ]
    assert lags
    assert timedelta(minutes=least) <= min(lags)
    assert max(lags) <= timedelta(minutes=most)


def test_timestamps_differ_in_their_digits() -> None:
    digits = {len(record.properties["Timestamp"].rstrip("Z").partition(".")[2]) for record in records(BUSY)}
    assert {0, 7} < digits <= set(range(8))


def test_report_ids_do_not_survive_floating_point() -> None:
    reports = [record.properties["ReportId"] for record in records(CLEAN, "deviceinfo")]
    assert min(reports) > 2**53
    assert any(int(float(report)) != report for report in reports)


def test_endpoint_alert_ids_contain_the_ticks_of_their_creation() -> None:
    first = min(
        (record.properties for record in records(CLEAN, "alertinfo") if record.properties["AlertId"].startswith("da")),
        key=lambda row: str(row["Timestamp"]),
    )
    ticks = re.fullmatch(r"da(\d{18})_-?\d+", first["AlertId"])
    assert ticks
    created = datetime(1, 1, 1) + timedelta(microseconds=int(ticks[1]) // 10)  # noqa: DTZ001 - .NET's ticks have no zone
    assert created.isoformat() == datetime.fromisoformat(first["Timestamp"]).replace(tzinfo=None).isoformat()


def test_lists_are_json_text() -> None:
    for record in records(BUSY, "alertinfo"):
        techniques = record.properties["AttackTechniques"]
        assert techniques == "" or all(re.search(r"\(T\d{4}(\.\d{3})?\)$", name) for name in json.loads(techniques))
    for record in records(CLEAN, "deviceinfo"):
        users = record.properties["LoggedOnUsers"]
        assert users == "" or all(set(user) == {"UserName", "DomainName", "Sid"} for user in json.loads(users))


def test_additional_fields_refer_to_objects_of_their_own_row() -> None:
    seen = Counter[str]()
    for record in records(BUSY, "alertevidence"):
        text = record.properties["AdditionalFields"]
        defined, referenced = re.findall(r'"\$id":"(\d+)"', text), re.findall(r'"\$ref":"(\d+)"', text)
        assert len(set(defined)) == len(defined)
        assert set(referenced) <= set(defined)
        seen[record.properties["EntityType"]] += len(referenced)
    assert seen["Process"]


def test_only_machine_rows_name_the_device() -> None:
    for record in records(BUSY, "alertevidence"):
        row = record.properties
        assert (row["DeviceId"] is not None) == (row["EntityType"] == "Machine")


def test_some_alerts_have_their_device_only_in_additional_fields() -> None:
    kinds: dict[str, set[str]] = {}
    for record in records(BUSY, "alertevidence"):
        row = record.properties
        named = '"MachineId"' in row["AdditionalFields"]
        kinds.setdefault(row["AlertId"], set()).add(row["EntityType"] if named else "")
    assert any({"Process"} <= found and "Machine" not in found for found in kinds.values())


def test_the_busy_tenant_shows_every_kind_of_entity_and_hostile_titles() -> None:
    rows = [record.properties for record in records(BUSY, "alertevidence")]
    assert len({row["EntityType"] for row in rows}) >= 15
    titles = {row["Title"] for row in rows}
    assert any("<script>" in title for title in titles)
    assert any(title.startswith("=cmd|") for title in titles)
    assert any("\x1b" in title for title in titles)
    assert b"\x1b" not in b"".join(line.text for line in lines(BUSY))


def test_alerts_that_change_come_again_with_a_later_timestamp() -> None:
    versions: dict[str, set[str]] = {}
    for record in records(BUSY, "alertinfo"):
        versions.setdefault(record.properties["AlertId"], set()).add(record.properties["Timestamp"])
    again = sum(len(times) > 1 for times in versions.values())
    assert 0.1 < again / len(versions) < 0.4


def test_evidence_may_come_before_its_info_and_rarely_without() -> None:
    info: dict[str, str] = {}
    for record in records(BUSY, "alertinfo"):
        alert_id, time = record.properties["AlertId"], record.envelope["time"]
        info[alert_id] = min(info.get(alert_id, time), time)
    first: dict[str, str] = {}
    for record in records(BUSY, "alertevidence"):
        alert_id, time = record.properties["AlertId"], record.envelope["time"]
        first[alert_id] = min(first.get(alert_id, time), time)
    assert any(alert_id in info and info[alert_id] > time for alert_id, time in first.items())
    assert 0 < sum(alert_id not in info for alert_id in first) / len(first) < 0.05
