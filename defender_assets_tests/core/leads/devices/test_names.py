"""Devices that evidence gives only by name."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from defender_assets.core.leads.devices import names
from defender_assets.core.leads.devices.as_of import devices_as_of
from defender_assets.core.leads.devices.mentions import named_devices
from defender_assets.core.leads.devices.names import name_key
from defender_assets.core.leads.devices.primary import distinct_devices
from defender_assets.core.leads.entities.additional_fields import with_fields
from defender_assets.core.schemas import ALERT_EVIDENCE, DEVICE_INFO
from defender_assets_tests.support.alert_rows import (
    DAY,
    EVE,
    NOON,
    OTHER_TENANT,
    PC,
    SERVER,
    Row,
    at,
    beat,
    entities_of,
    evidence,
    frame,
    info,
    lead_of,
    leads_of,
    machine,
)

FQDN = "dc01.corp.example"
FACTS = ("device_id", "device_match", "device_matched_by", "device_name")


def by_name(name: str | None = FQDN, **fields: str) -> Row:
    columns: Row = {"fields": fields} if fields else {}
    return machine(None, DeviceName=name, **columns)


def named_beat(name: str | None = FQDN, device: str = PC, hours: float = -1, **columns: Any) -> Row:
    return beat(device, at(hours), DeviceName=name, **columns)


def facts(*beats: Row, name: str | None = FQDN, **fields: str) -> tuple[Any, ...]:
    """Return FACTS of the device of an alert that has only this evidence; nulls if it names none."""
    named = named_devices(with_fields(frame(ALERT_EVIDENCE, [by_name(name, **fields)]).collect()))
    as_of = devices_as_of(DAY, frame(DEVICE_INFO, beats), named.with_columns(alert_time=pl.lit(NOON)))
    devices = distinct_devices(named, as_of)
    assert devices["original_device_id"].is_null().all()
    return devices.select(FACTS).row(0) if devices.height else (None,) * len(FACTS)


FOUND = (PC, "as_of", "name", FQDN)


def test_a_machine_row_without_id_is_found_by_its_name() -> None:
    beats = [named_beat(AssetValue="High", MachineGroup="Tier0"), named_beat("web.corp.example", SERVER)]
    assert facts(*beats) == FOUND
    lead = lead_of([info()], [by_name()], beats)
    assert (lead["machine_group"], lead["asset_value"], lead["devices"]) == ("Tier0", "High", None)
    assert "The organisation values the device High" in [reason["reason"] for reason in lead["risk_reasons"]]


@pytest.mark.parametrize(
    "fields",
    [
        {"HostName": "dc01", "DnsDomain": "corp.example"},
        {"HostName": FQDN},
        {"HostName": "dc01", "FQDN": FQDN},
        {"NetBiosName": "DC01", "DnsDomain": "corp.example"},
        {"FQDN": "DC01.corp.example."},
        {"HostName": "DC01"},
        {"NetBiosName": "dc01"},
    ],
)
@pytest.mark.parametrize("column", [None, "", "-", " - "])
def test_the_name_can_be_in_additional_fields_only(column: str | None, fields: dict[str, str]) -> None:
    assert facts(named_beat(), name=column, **fields) == FOUND


def test_the_domain_of_the_fields_completes_a_short_name() -> None:
    beats = [named_beat(), named_beat("dc01.other.example", SERVER)]
    assert facts(*beats, name="DC01", HostName="dc01", DnsDomain="corp.example") == FOUND
    assert facts(*beats, name="dc01", HostName="web", DnsDomain="corp.example") == (None, "unknown", None, "dc01")


@pytest.mark.parametrize(
    "name",
    ["DC01.Corp.Example", " dc01.corp.example ", "dc01.corp.example.", "CORP\\dc01", "dc01", "DC01$", "\\\\DC01"],
)
def test_a_name_is_compared_without_case_spaces_final_dots_and_netbios_domain(name: str) -> None:
    assert facts(named_beat(), name=name) == FOUND
    assert facts(named_beat(name), name="dc01.corp.example")[:3] == FOUND[:3]


@pytest.mark.parametrize("name", [None, "", "-", "  ", ".", "CORP\\", "localhost", "x" * 300])
def test_what_is_no_name_finds_nothing(name: str | None) -> None:
    lead = lead_of([info()], [by_name(name)], [named_beat(name), named_beat("-", SERVER), named_beat("", "c")])
    assert (lead["device_match"], lead["device_id"]) == ("no_device", None)


@pytest.mark.parametrize("address", ["10.0.0.5", "fe80::1", "::ffff:10.0.0.5", "198.51.100.7"])
def test_an_address_is_shown_as_name_but_finds_and_ties_nothing(address: str) -> None:
    lead = lead_of([info()], [by_name(address)], [named_beat(address)])
    assert tuple(lead[fact] for fact in FACTS) == (None, "unknown", None, address)
    assert entities_of(lead) == set()


def test_without_heartbeat_the_name_is_kept() -> None:
    assert facts() == (None, "unknown", None, FQDN)


def test_names_of_different_domains_are_different_devices() -> None:
    assert facts(named_beat("dc01.other.example")) == (None, "unknown", None, FQDN)


@pytest.mark.parametrize(
    "names", [("dc01", "dc01"), ("dc01", "dc01.corp.example"), ("dc01.a.example", "dc01.b.example")]
)
def test_two_live_devices_of_one_short_name_are_unknown_and_the_name_is_kept(names: tuple[str, str]) -> None:
    beats = [named_beat(name, device) for name, device in zip(names, (PC, SERVER), strict=True)]
    assert facts(*beats, name="DC01") == (None, "unknown", None, "DC01")


def test_two_live_devices_of_one_full_name_are_unknown() -> None:
    assert facts(named_beat(), named_beat(device=SERVER)) == (None, "unknown", None, FQDN)


@pytest.mark.parametrize(
    ("better", "other"),
    [
        ((FQDN, "Onboarded"), (FQDN, "Can be onboarded")),
        ((FQDN, None), ("dc01", "Onboarded")),
        (("dc01", "onboarded"), ("dc01", "Insufficient info")),
        (("dc01", "Onboarded"), ("dc01", None)),
    ],
)
def test_the_first_group_with_a_device_decides(better: tuple[str, str | None], other: tuple[str, str | None]) -> None:
    beats = [
        named_beat(name, device, OnboardingStatus=status) for (name, status), device in ((better, PC), (other, SERVER))
    ]
    assert facts(*beats)[:3] == facts(*reversed(beats))[:3] == FOUND[:3]


def test_the_status_is_carried_forward() -> None:
    beats = [named_beat(hours=-2, OnboardingStatus="Onboarded"), named_beat(hours=-1), named_beat(device=SERVER)]
    assert facts(*beats) == FOUND


def test_a_device_is_superseded_by_one_that_began_after_its_last_heartbeat() -> None:
    old, new = named_beat(device=SERVER, hours=-5), named_beat(hours=-2)
    assert facts(old, new) == FOUND
    assert facts(old, new, named_beat(device=SERVER, hours=-1)) == (None, "unknown", None, FQDN)


def test_the_name_is_that_of_the_newest_heartbeat_before_the_alert() -> None:
    renamed = [named_beat("dc01.corp.example", hours=-3), named_beat("web.corp.example", hours=-1)]
    assert facts(*renamed)[1] == "unknown"
    assert facts(*renamed, name="web.corp.example")[:3] == FOUND[:3]
    assert facts(named_beat("web.corp.example", hours=-1), named_beat(hours=1))[1] == "unknown"


def test_a_heartbeat_without_a_name_does_not_take_the_name_away() -> None:
    assert facts(named_beat(hours=-2), named_beat("-", hours=-1)) == FOUND
    assert facts(named_beat(hours=-2), named_beat(None, hours=-1)) == FOUND


def test_without_an_earlier_heartbeat_the_earliest_later_one_gives_the_name() -> None:
    assert facts(named_beat(hours=1), named_beat("web", hours=2)) == (PC, "after", "name", FQDN)
    assert facts(named_beat("web", hours=1), named_beat(hours=2))[1] == "unknown"


def test_a_device_merged_into_another_is_that_one() -> None:
    merged = named_beat(device="old", hours=-2, MergedToDeviceId=PC)
    assert facts(merged, named_beat(hours=-1)) == FOUND
    assert facts(merged) == FOUND
    assert facts(merged, named_beat(device="older", hours=-1, MergedToDeviceId="old")) == FOUND
    assert facts(named_beat(hours=-1, MergedDeviceIds=["x", "old"]), named_beat(device="old", hours=-2)) == FOUND


def test_columns_are_carried_along_the_path_of_a_named_device() -> None:
    merged = named_beat(device="old", hours=-2, MergedToDeviceId=PC, OSVersion="11")
    lead = lead_of([info()], [by_name()], [merged, named_beat(hours=-1)])
    assert (lead["os_version"], lead["device_seen_at"]) == ("11", at(-1))


def test_two_tenants_with_one_name_stay_apart() -> None:
    alerts = [info(), info(tenant=OTHER_TENANT)]
    rows = [by_name(), evidence("Machine", DeviceName=FQDN, tenant=OTHER_TENANT)]
    beats = [named_beat(), named_beat(device=SERVER, tenant=OTHER_TENANT)]
    assert sorted(leads_of(alerts, rows, beats)["device_id"]) == [PC, SERVER]
    assert sorted(leads_of(alerts, rows, beats[:1])["device_match"]) == ["as_of", "unknown"]


def test_an_id_and_a_name_of_one_device_are_one_device() -> None:
    rows = [by_name(), machine(PC, EvidenceRole="Related")]
    lead = lead_of([info()], rows, [named_beat()])
    assert (lead["device_id"], lead["original_device_id"], lead["devices"]) == (PC, PC, None)
    assert (lead["device_match"], lead["device_matched_by"]) == ("as_of", "id")


@pytest.mark.parametrize("name", ["dc01", FQDN, "CORP\\DC01"])
def test_a_name_that_no_heartbeat_bears_is_that_of_the_id_in_the_same_alert(name: str) -> None:
    rows = [by_name(name), machine(PC, DeviceName=FQDN)]
    for beats in ([], [named_beat("dc01", SERVER), named_beat("dc01", "c")]):
        lead = lead_of([info()], rows, beats)
        assert (lead["device_id"], lead["devices"]) == (PC, None)


def test_a_named_device_beside_another_one_is_listed() -> None:
    lead = lead_of([info()], [by_name(), by_name("gone.corp.example"), machine(SERVER)], [named_beat()])
    assert [tuple(device[fact] for fact in FACTS) for device in lead["devices"]] == [
        (SERVER, "unknown", None, None),
        FOUND,
        (None, "unknown", None, "gone.corp.example"),
    ]
    assert list(lead["devices"][0])[-1] == "device_matched_by"


def test_a_matched_device_ties_by_its_id_and_an_unmatched_one_by_its_full_name() -> None:
    assert entities_of(lead_of([info()], [by_name()], [named_beat()])) == {("device", PC)}
    assert entities_of(lead_of([info()], [by_name("DC01.Corp.Example.")])) == {("device", f"name:{FQDN}")}
    assert entities_of(lead_of([info()], [by_name("dc01")])) == set()


def test_matched_by_id_is_told_apart_from_unknown() -> None:
    assert lead_of([info()], [machine()], [beat()])["device_matched_by"] == "id"
    assert lead_of([info()], [machine()], [beat(when=at(1))])["device_matched_by"] == "id"
    assert lead_of([info()], [machine()])["device_matched_by"] is None
    assert lead_of([info()])["device_matched_by"] is None


def test_a_heartbeat_that_arrives_a_day_later_corrects_the_lead() -> None:
    late = named_beat(hours=-30)
    for row in (
        machine(None, day=EVE, DeviceName=FQDN, Timestamp=at(-20)),
        machine(None, day=EVE, Timestamp=at(-20), fields={"HostName": "dc01", "DnsDomain": "corp.example"}),
    ):
        lead = lead_of([info(day=EVE)], [row], [late])
        assert tuple(lead[fact] for fact in (*FACTS, "change")) == (*FOUND, "updated")
    known = beat(PC, at(-40), day=EVE, DeviceName=FQDN)
    assert leads_of([info(day=EVE)], [machine(None, day=EVE, DeviceName=FQDN)], [known, late]).is_empty()
    assert leads_of([info(day=EVE)], [machine(None, day=EVE, DeviceName=FQDN)]).is_empty()


def test_a_name_becomes_unique_when_the_other_device_is_superseded_late() -> None:
    day_before = DAY - timedelta(days=1)
    beats = [beat(device, at(-40), day=day_before, DeviceName=FQDN) for device in (PC, SERVER)]
    assert leads_of([], [machine(None, day=EVE, DeviceName=FQDN)], beats).is_empty()
    onboarded = named_beat(hours=-30, OnboardingStatus="Onboarded")
    assert lead_of([], [machine(None, day=EVE, DeviceName=FQDN)], [*beats, onboarded])["device_id"] == PC


def test_a_name_that_too_many_devices_bear_finds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "MOST_BEARERS", 2)
    assert facts(*(named_beat(f"dc01.{letter}.example", letter) for letter in "abc"), name="dc01.a.example")[0] is None
    assert facts(*(named_beat(f"dc01.{letter}.example", letter) for letter in "ab"), name="dc01.a.example")[0] == "a"


@pytest.mark.parametrize(
    "text", ["\0", "\\" * 999, "." * 999, "a..b", "\u202edc01", "dc01\u200b", "\U0001f986." * 40, "name:x", "name:"]
)
def test_a_hostile_name_is_a_name_or_none(text: str) -> None:
    key = pl.Series("name", [text]).to_frame().select(name_key(pl.col("name"))).item()
    assert facts(named_beat(text), name=text)[1] == (None if key is None else "as_of")
