import pytest

from defender_assets_tests.support.alert_rows import (
    NOON,
    OTHER_TENANT,
    PC,
    SERVER,
    Records,
    Row,
    at,
    beat,
    evidence,
    info,
    leads_of_each,
    machine,
    only,
)

ZERO = "00000000-0000-0000-0000-000000000000"
MERGED = beat("old", at(3), MergedToDeviceId="new")
USERS = [{"UserName": "jane", "DomainName": "CONTOSO", "Sid": "S-1-5-21-1"}]
NOBODY = {"UserName": "-", "DomainName": "", "Sid": None}


def of(*beats: Row, device: str = PC) -> Records:
    """Return the records of an alert of a device with these heartbeats."""
    return Records([info()], [machine(device)], beats)


def known_and_nothing(known: Row, nothing: Row) -> Records:
    return of(beat(when=at(-2), **known), beat(when=at(-1), **nothing))


HIGH = beat(when=at(-1), ReportId=2**60, OSVersion="high")
LOW = beat(when=at(-1), ReportId=5, OSVersion="low", Model="m", DeviceType="carried")
ENDS = [beat(when=at(-1), OSVersion=name, ours={"record_id": name}) for name in ("e", "f")]

CASES: dict[str, tuple[Records, Row]] = {
    "the latest heartbeat at or before the alert counts": (
        of(beat(when=at(-2), OSVersion="old"), beat(when=at(-1), OSVersion="now"), beat(when=at(1))),
        {"device_match": "as_of", "os_version": "now", "device_seen_at": at(-1), "device_age_seconds": 3600},
    ),
    "a heartbeat at the time of the alert counts": (
        of(beat(when=NOON, OSVersion="now"), beat(when=at(-1), OSVersion="old")),
        {"os_version": "now", "device_age_seconds": 0},
    ),
    "a partial heartbeat is filled from the newest earlier one column by column": (
        of(
            beat(when=at(-3), OSVersion="1", ExposureLevel="Low", IsInternetFacing=True),
            beat(when=at(-2), OSVersion="2"),
            beat(when=at(-1), AssetValue="High"),
            beat(when=at(1), DeviceType="Server"),
        ),
        {
            "os_version": "2",
            "exposure_level": "Low",
            "asset_value": "High",
            "is_internet_facing": True,
            "device_type": None,
            "device_seen_at": at(-1),
        },
    ),
    "logged-on users are never carried forward": (
        of(beat(when=at(-2), LoggedOnUsers=USERS), beat(when=at(-1))),
        {"logged_on_users": None},
    ),
    "logged-on users of the newest heartbeat": (
        of(beat(when=at(-2)), beat(when=at(-1), LoggedOnUsers=USERS)),
        {"logged_on_users": USERS},
    ),
    "at equal times the higher report id wins": (of(LOW, HIGH), {"os_version": "high"}),
    "at equal times the higher report id wins in any order, and the lower fills": (
        of(HIGH, LOW),
        {"os_version": "high", "device_type": "carried"},
    ),
    "at equal report ids the higher record id wins": (of(*ENDS), {"os_version": "f"}),
    "at equal report ids the higher record id wins in any order": (of(*reversed(ENDS)), {"os_version": "f"}),
    "without an earlier heartbeat the earliest later one is taken unchanged": (
        of(beat(when=at(2), OSVersion="2"), beat(when=at(1), DeviceType="Server")),
        {"device_match": "after", "device_age_seconds": -3600, "device_type": "Server", "os_version": None},
    ),
    "an unknown device keeps the values of the evidence": (
        Records(
            [info()],
            [evidence("Process", fields={"Host": {"MachineId": PC, "HostName": "pc1", "OSFamily": "Linux"}})],
            [beat(SERVER)],
        ),
        {
            "device_match": "unknown",
            "device_id": PC,
            "original_device_id": PC,
            "device_name": "pc1",
            "os_platform": "Linux",
            "device_seen_at": None,
            "device_age_seconds": None,
            "device_tags": None,
        },
    ),
    "the evidence does not overrule a heartbeat": (
        Records([info()], [machine(DeviceName="evidence")], [beat(when=at(-1), DeviceName="heartbeat")]),
        {"device_name": "heartbeat"},
    ),
    "an alert without a device is marked": (
        Records([info()], [evidence("User", AccountName="jane")], [beat()]),
        {"device_match": "no_device", "device_id": None, "devices": None},
    ),
    "another tenant's device of the same id is another device": (
        of(beat(tenant=OTHER_TENANT)),
        {"device_match": "unknown"},
    ),
    "the alert time is the earliest of its records": (
        Records(
            [info(Timestamp=at(5))],
            [machine(Timestamp=at(-2)), machine(Timestamp=at(5))],
            [beat(when=at(-3), OSVersion="then"), beat(when=at(1), OSVersion="now")],
        ),
        {"alert_time": at(-2), "os_version": "then"},
    ),
    "in a long path the newest heartbeat of any id counts": (
        of(
            *(beat(old, at(9), MergedToDeviceId=new) for old, new in ("ab", "bc", "cd")),
            *(beat(name, at(-hours), OSVersion=name) for name, hours in zip("bcad", (3, 1, 2, 4), strict=True)),
            device="a",
        ),
        {"os_version": "c"},
    ),
    "the ids before the evidence are no part of the path": (
        of(MERGED, beat("old", at(-1), OSVersion="old"), beat("new", at(-2), OSVersion="new"), device="new"),
        {"os_version": "new"},
    ),
    "the heartbeats of a sibling do not count": (
        of(
            MERGED,
            beat("other", at(-1), OSVersion="other"),
            beat("other", at(9), MergedToDeviceId="new"),
            beat("old", at(-2), OSVersion="old"),
            device="old",
        ),
        {"os_version": "old"},
    ),
    "values are carried forward along the whole path": (
        of(
            MERGED,
            beat("old", at(-3), OSVersion="old", ExposureLevel="Low"),
            beat("new", at(-2), ExposureLevel="High"),
            beat("old", at(-1), DeviceType="Server"),
            device="old",
        ),
        {"os_version": "old", "exposure_level": "High", "device_type": "Server"},
    ),
    "a tag that fills nothing hides no known one": (
        known_and_nothing(
            {"DeviceManualTags": ["VIP", "-"], "RegistryDeviceTag": "r"},
            {"DeviceManualTags": ["-", ""], "RegistryDeviceTag": "-"},
        ),
        {"device_tags": ["VIP", "r"]},
    ),
    "an empty list of tags says that there are none": (
        known_and_nothing({"DeviceManualTags": ["VIP", "-"], "RegistryDeviceTag": "r"}, {"DeviceManualTags": []}),
        {"device_tags": ["r"]},
    ),
    "a user that is nobody is not logged on": (
        of(
            beat(
                when=at(-1),
                LoggedOnUsers=[NOBODY, {"UserName": " jane ", "DomainName": "-", "Sid": "S-1-5-21-1"}],
            )
        ),
        {"logged_on_users": [{"UserName": "jane", "DomainName": None, "Sid": "S-1-5-21-1"}]},
    ),
    "where everybody is nobody, no user is logged on": (
        of(beat(when=at(-1), LoggedOnUsers=[NOBODY])),
        {"logged_on_users": []},
    ),
    "tags of all kinds are one sorted list": (
        of(beat(when=at(-1), DeviceManualTags=["b", "a"], DeviceDynamicTags=["a"], RegistryDeviceTag="c")),
        {"device_tags": ["a", "b", "c"]},
    ),
    "a device without tags has an empty list": (of(beat(when=at(-1))), {"device_tags": []}),
    "the machine group is the device's": (
        Records([info(MachineGroup="alert")], [machine()], [beat(when=at(-1), MachineGroup="device")]),
        {"machine_group": "device"},
    ),
    "the machine group is the alert's if the device has none": (
        Records([info(MachineGroup="alert")], [machine()], [beat(when=at(-1))]),
        {"machine_group": "alert"},
    ),
    **{
        f"an id that fills nothing names no device: {nothing!r}": (
            of(beat(nothing), device=nothing),
            {"device_match": "no_device"},
        )
        for nothing in ("-", " ", ZERO)
    },
}


def test_a_lead_has_its_device_as_it_was_at_the_time_of_the_alert(subtests: pytest.Subtests) -> None:
    records = [records for records, _ in CASES.values()]
    for (name, (_, expected)), leads in zip(CASES.items(), leads_of_each(records), strict=True):
        with subtests.test(name):
            lead = only(leads)
            assert {column: lead[column] for column in expected} == expected


TIMELINES: list[tuple[list[Row], str, str]] = [
    ([beat("new", at(-1), OSVersion="new"), beat("old", at(-0.5), OSVersion="old")], "as_of", "old"),
    ([beat("new", at(-0.5), OSVersion="new"), beat("old", at(-1), OSVersion="old")], "as_of", "new"),
    ([beat("new", at(1), OSVersion="new"), beat("old", at(-5), OSVersion="old")], "as_of", "old"),
    ([beat("new", at(4), OSVersion="new"), beat("old", at(1), OSVersion="old")], "after", "old"),
    ([beat("new", at(1), OSVersion="new"), beat("old", at(2), OSVersion="old")], "after", "new"),
    ([beat("old", at(1), OSVersion="old")], "after", "old"),
]


def test_the_ids_of_a_merged_device_are_one_timeline(subtests: pytest.Subtests) -> None:
    found = leads_of_each(of(MERGED, *beats, device="old") for beats, _, _ in TIMELINES)
    for (beats, match, version), leads in zip(TIMELINES, found, strict=True):
        with subtests.test(" then ".join(f"{row['DeviceId']} {row['Timestamp']:%H:%M}" for row in beats)):
            lead = only(leads)
            assert (lead["device_id"], lead["original_device_id"]) == ("new", "old")
            assert (lead["device_match"], lead["os_version"]) == (match, version)


FILLS_NOTHING = [
    ("public_ip", "PublicIP", "198.51.100.7", "-"),
    ("device_name", "DeviceName", "pc1.corp.example", " "),
    ("machine_group", "MachineGroup", "Tier0", ""),
    ("asset_value", "AssetValue", "High", " - "),
    ("os_version", "OSVersion", "22H2", "\u00a0"),
    ("aad_device_id", "AadDeviceId", "11111111-0000-4000-8000-000000000001", ZERO),
]


def test_a_text_that_fills_nothing_hides_no_known_one(subtests: pytest.Subtests) -> None:
    found = leads_of_each(
        of(beat(PC, at(-2)) | {microsoft: f" {value} "}, beat(PC, at(-1)) | {microsoft: nothing})
        for _, microsoft, value, nothing in FILLS_NOTHING
    )
    for (column, _, value, nothing), leads in zip(FILLS_NOTHING, found, strict=True):
        with subtests.test(column, nothing=nothing):
            lead = only(leads)
            assert (lead[column], lead["device_seen_at"], lead["device_changes"]) == (value, at(-1), [])
