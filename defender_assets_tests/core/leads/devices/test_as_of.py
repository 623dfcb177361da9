from typing import Any

import pytest

from defender_assets_tests.support.alert_rows import (
    NOON,
    OTHER_TENANT,
    PC,
    SERVER,
    Row,
    at,
    beat,
    evidence,
    info,
    lead_of,
    machine,
)


def lead(*beats: Row, device: str = PC) -> Row:
    return lead_of([info()], [machine(device)], beats)


def test_the_latest_heartbeat_at_or_before_the_alert_counts() -> None:
    result = lead(beat(when=at(-2), OSVersion="old"), beat(when=at(-1), OSVersion="now"), beat(when=at(1)))
    assert (result["device_match"], result["os_version"]) == ("as_of", "now")
    assert (result["device_seen_at"], result["device_age_seconds"]) == (at(-1), 3600)


def test_a_heartbeat_at_the_time_of_the_alert_counts() -> None:
    result = lead(beat(when=NOON, OSVersion="now"), beat(when=at(-1), OSVersion="old"))
    assert (result["os_version"], result["device_age_seconds"]) == ("now", 0)


def test_a_partial_heartbeat_is_filled_from_the_newest_earlier_one_column_by_column() -> None:
    result = lead(
        beat(when=at(-3), OSVersion="1", ExposureLevel="Low", IsInternetFacing=True),
        beat(when=at(-2), OSVersion="2"),
        beat(when=at(-1), AssetValue="High"),
        beat(when=at(1), DeviceType="Server"),
    )
    assert (result["os_version"], result["exposure_level"], result["asset_value"]) == ("2", "Low", "High")
    assert (result["is_internet_facing"], result["device_type"]) == (True, None)
    assert result["device_seen_at"] == at(-1)


def test_logged_on_users_are_never_carried_forward() -> None:
    users = [{"UserName": "jane", "DomainName": "CONTOSO", "Sid": "S-1-5-21-1"}]
    assert lead(beat(when=at(-2), LoggedOnUsers=users), beat(when=at(-1)))["logged_on_users"] is None
    assert lead(beat(when=at(-2)), beat(when=at(-1), LoggedOnUsers=users))["logged_on_users"] == users


def test_at_equal_times_the_higher_report_id_wins_then_the_higher_record_id() -> None:
    high = beat(when=at(-1), ReportId=2**60, OSVersion="high")
    low = beat(when=at(-1), ReportId=5, OSVersion="low", Model="m", DeviceType="carried")
    assert lead(low, high)["os_version"] == lead(high, low)["os_version"] == "high"
    assert lead(high, low)["device_type"] == "carried"
    ends = [beat(when=at(-1), OSVersion=name, ours={"record_id": name}) for name in ("e", "f")]
    assert lead(*ends)["os_version"] == lead(*reversed(ends))["os_version"] == "f"


def test_without_an_earlier_heartbeat_the_earliest_later_one_is_taken_unchanged() -> None:
    result = lead(beat(when=at(2), OSVersion="2"), beat(when=at(1), DeviceType="Server"))
    assert (result["device_match"], result["device_age_seconds"]) == ("after", -3600)
    assert (result["device_type"], result["os_version"]) == ("Server", None)


def test_an_unknown_device_keeps_the_values_of_the_evidence() -> None:
    fields = {"Host": {"MachineId": PC, "HostName": "pc1", "OSFamily": "Linux"}}
    result = lead_of([info()], [evidence("Process", fields=fields)], [beat(SERVER)])
    assert (result["device_match"], result["device_id"], result["original_device_id"]) == ("unknown", PC, PC)
    assert (result["device_name"], result["os_platform"]) == ("pc1", "Linux")
    assert (result["device_seen_at"], result["device_age_seconds"], result["device_tags"]) == (None, None, None)


def test_the_evidence_does_not_overrule_a_heartbeat() -> None:
    result = lead_of([info()], [machine(DeviceName="evidence")], [beat(when=at(-1), DeviceName="heartbeat")])
    assert result["device_name"] == "heartbeat"


def test_an_alert_without_a_device_is_marked() -> None:
    result = lead_of([info()], [evidence("User", AccountName="jane")], [beat()])
    assert (result["device_match"], result["device_id"], result["devices"]) == ("no_device", None, None)


def test_another_tenants_device_of_the_same_id_is_another_device() -> None:
    assert lead(beat(tenant=OTHER_TENANT))["device_match"] == "unknown"


def test_the_alert_time_is_the_earliest_of_its_records() -> None:
    result = lead_of(
        [info(Timestamp=at(5))],
        [machine(Timestamp=at(-2)), machine(Timestamp=at(5))],
        [beat(when=at(-3), OSVersion="then"), beat(when=at(1), OSVersion="now")],
    )
    assert (result["alert_time"], result["os_version"]) == (at(-2), "then")


MERGED = beat("old", at(3), MergedToDeviceId="new")


@pytest.mark.parametrize(
    ("beats", "match", "version"),
    [
        ([beat("new", at(-1), OSVersion="new"), beat("old", at(-0.5), OSVersion="old")], "as_of", "old"),
        ([beat("new", at(-0.5), OSVersion="new"), beat("old", at(-1), OSVersion="old")], "as_of", "new"),
        ([beat("new", at(1), OSVersion="new"), beat("old", at(-5), OSVersion="old")], "as_of", "old"),
        ([beat("new", at(4), OSVersion="new"), beat("old", at(1), OSVersion="old")], "after", "old"),
        ([beat("new", at(1), OSVersion="new"), beat("old", at(2), OSVersion="old")], "after", "new"),
        ([beat("old", at(1), OSVersion="old")], "after", "old"),
    ],
)
def test_the_ids_of_a_merged_device_are_one_timeline(beats: list[Row], match: str, version: str) -> None:
    result = lead(MERGED, *beats, device="old")
    assert (result["device_id"], result["original_device_id"]) == ("new", "old")
    assert (result["device_match"], result["os_version"]) == (match, version)


def test_in_a_long_path_the_newest_heartbeat_of_any_id_counts() -> None:
    merges = [beat(old, at(9), MergedToDeviceId=new) for old, new in ("ab", "bc", "cd")]
    before = [beat(name, at(-hours), OSVersion=name) for name, hours in zip("bcad", (3, 1, 2, 4), strict=True)]
    assert lead(*merges, *before, device="a")["os_version"] == "c"


def test_the_ids_before_the_evidence_are_no_part_of_the_path() -> None:
    beats = [beat("old", at(-1), OSVersion="old"), beat("new", at(-2), OSVersion="new")]
    assert lead(MERGED, *beats, device="new")["os_version"] == "new"


def test_the_heartbeats_of_a_sibling_do_not_count() -> None:
    sibling = [beat("other", at(-1), OSVersion="other"), beat("other", at(9), MergedToDeviceId="new")]
    assert lead(MERGED, *sibling, beat("old", at(-2), OSVersion="old"), device="old")["os_version"] == "old"


def test_values_are_carried_forward_along_the_whole_path() -> None:
    beats = [beat("old", at(-3), OSVersion="old", ExposureLevel="Low"), beat("new", at(-2), ExposureLevel="High")]
    result = lead(MERGED, *beats, beat("old", at(-1), DeviceType="Server"), device="old")
    assert (result["os_version"], result["exposure_level"], result["device_type"]) == ("old", "High", "Server")


ZERO = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("column", "microsoft", "value", "nothing"),
    [
        ("public_ip", "PublicIP", "198.51.100.7", "-"),
        ("device_name", "DeviceName", "pc1.corp.example", " "),
        ("machine_group", "MachineGroup", "Tier0", ""),
        ("asset_value", "AssetValue", "High", " - "),
        ("os_version", "OSVersion", "22H2", "\u00a0"),
        ("aad_device_id", "AadDeviceId", "11111111-0000-4000-8000-000000000001", ZERO),
    ],
)
def test_a_text_that_fills_nothing_hides_no_known_one(column: str, microsoft: str, value: str, nothing: str) -> None:
    known, unfilled = ({microsoft: text} for text in (f" {value} ", nothing))
    beats = [beat(PC, at(-2)) | known, beat(PC, at(-1)) | unfilled]
    result = lead(*beats)
    assert (result[column], result["device_seen_at"], result["device_changes"]) == (value, at(-1), [])


def test_a_tag_that_fills_nothing_hides_no_known_one() -> None:
    known = beat(when=at(-2), DeviceManualTags=["VIP", "-"], RegistryDeviceTag="r")
    nothing = beat(when=at(-1), DeviceManualTags=["-", ""], RegistryDeviceTag="-")
    assert lead(known, nothing)["device_tags"] == ["VIP", "r"]
    assert lead(known, beat(when=at(-1), DeviceManualTags=[]))["device_tags"] == ["r"]


def test_users_that_are_nobody_are_not_logged_on() -> None:
    users = [
        {"UserName": "-", "DomainName": "", "Sid": None},
        {"UserName": " jane ", "DomainName": "-", "Sid": "S-1-5-21-1"},
    ]
    expected = [{"UserName": "jane", "DomainName": None, "Sid": "S-1-5-21-1"}]
    assert lead(beat(when=at(-1), LoggedOnUsers=users))["logged_on_users"] == expected
    assert lead(beat(when=at(-1), LoggedOnUsers=users[:1]))["logged_on_users"] == []


@pytest.mark.parametrize("nothing", ["-", " ", ZERO])
def test_an_id_that_fills_nothing_names_no_device(nothing: str) -> None:
    assert lead(beat(nothing), device=nothing)["device_match"] == "no_device"


def test_tags_of_all_kinds_are_one_sorted_list() -> None:
    columns: dict[str, Any] = {"DeviceManualTags": ["b", "a"], "DeviceDynamicTags": ["a"], "RegistryDeviceTag": "c"}
    assert lead(beat(when=at(-1), **columns))["device_tags"] == ["a", "b", "c"]
    assert lead(beat(when=at(-1)))["device_tags"] == []


def test_the_machine_group_is_the_devices_else_the_alerts() -> None:
    alert, device = info(MachineGroup="alert"), beat(when=at(-1), MachineGroup="device")
    assert lead_of([alert], [machine()], [device])["machine_group"] == "device"
    assert lead_of([alert], [machine()], [beat(when=at(-1))])["machine_group"] == "alert"
