"""Machines that evidence names without an id."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from defender_assets_tests.support.alert_rows import (
    DAY,
    EVE,
    OTHER_TENANT,
    PC,
    TENANT,
    Records,
    Row,
    at,
    beat,
    entities_of,
    evidence,
    info,
    lead_of,
    leads_of_each,
    machine,
    only,
)

FULL = "dc01.corp.example"
ONBOARDED: Row = {"OnboardingStatus": "Onboarded"}
FOUND, UNKNOWN = ("d1", "as_of", "name"), (None, "unknown", None)


def named(name: str | None = FULL, **columns: Any) -> Row:
    return machine(None, DeviceName=name, **columns)


def bearer(device: str, name: str | None, hours: float = -1, **columns: Any) -> Row:
    return beat(device, at(hours), DeviceName=name, **columns)


def merged(old: str, new: str) -> Row:
    return bearer(old, None, 3, MergedToDeviceId=new)


@dataclass
class Case:
    """Evidence of an alert, the heartbeats of its tenant, and what is found: device, match, and by what."""

    evidence: list[Row]
    beats: list[Row]
    found: tuple[str | None, str, str | None]
    columns: Row = field(default_factory=dict)


DC = [bearer("d1", FULL)]
FIELDS = {"Type": "host", "HostName": "dc01", "DnsDomain": "corp.example"}

CASES = {
    "an Identity alert": Case([named()], [bearer("d1", FULL, AssetValue="High")], FOUND, {"asset_value": "High"}),
    "a Sentinel alert, by host and domain": Case([named(None, fields=FIELDS)], DC, FOUND),
    "by FQDN alone": Case([named(None, fields={"FQDN": FULL})], DC, FOUND),
    "by NetBIOS name": Case([named(None, fields={"NetBiosName": "DC01"})], DC, FOUND),
    "by a host name that is full": Case([named(None, fields={"HostName": FULL, "DnsDomain": "x.example"})], DC, FOUND),
    "a short name, and its domain in the fields": Case(
        [named("dc01", fields=FIELDS)], [*DC, bearer("d2", "dc01.other.example")], FOUND
    ),
    "a dash, and the name in the fields": Case([machine("-", DeviceName="-", fields=FIELDS)], DC, FOUND),
    "case": Case([named("DC01.Corp.Example")], DC, FOUND, {"device_name": FULL}),
    "trailing dot and spaces": Case([named(f" {FULL}. ")], DC, FOUND),
    "NetBIOS domain": Case([named("CORP\\DC01")], DC, FOUND),
    "account of the computer": Case([named("DC01$")], DC, FOUND),
    "spaces in the heartbeat": Case([named()], [bearer("d1", f" {FULL.upper()}. ")], FOUND),
    "a zero id": Case([machine("00000000-0000-0000-0000-000000000000", DeviceName=FULL)], DC, FOUND),
    "an id that is a placeholder": Case([machine(" Unknown", DeviceName=FULL)], DC, FOUND),
    "a name that is a placeholder": Case([named("N/A")], [bearer("d1", "n/a")], (None, "no_device", None)),
    "nobody of the name": Case([named()], [bearer("d1", "dc02.corp.example")], UNKNOWN, {"device_name": FULL}),
    "no heartbeats": Case([named("DC01")], [], UNKNOWN, {"device_name": "DC01", "os_platform": None}),
    "two live devices of one short name": Case(
        [named("pc7")],
        [bearer(device, "pc7", hours, **ONBOARDED) for device in ("d1", "d2") for hours in (-9, -1)],
        UNKNOWN,
        {"device_name": "pc7"},
    ),
    "two live devices of one full name": Case(
        [named()], [bearer(device, FULL, hours) for device in ("d1", "d2") for hours in (-9, -1)], UNKNOWN
    ),
    "the domain of another": Case([named()], [bearer("d1", "dc01.other.example")], UNKNOWN),
    "a device without domain": Case([named()], [bearer("d1", "DC01")], FOUND, {"device_name": "DC01"}),
    "the full name goes before the short one": Case([named()], [*DC, bearer("d2", "dc01", **ONBOARDED)], FOUND),
    "onboarded goes before discovered": Case(
        [named()],
        [
            bearer("d1", FULL, -9, **ONBOARDED),
            bearer("d1", FULL),
            bearer("d2", FULL, -9, OnboardingStatus="Can be onboarded"),
            bearer("d2", FULL),
        ],
        FOUND,
    ),
    "an equal short name goes not before a full one of the label": Case(
        [named("dc01")], [bearer("d1", FULL, -9), bearer("d1", FULL), bearer("d2", "dc01", -9), bearer("d2", "dc01")],
        UNKNOWN,
    ),
    "a device that was installed anew": Case(
        [named()],
        [bearer("d2", FULL, -9), bearer("d2", FULL, -6), bearer("d1", FULL, -5), bearer("d2", FULL, 1)],
        FOUND,
    ),
    "a device that is installed anew after the alert": Case(
        [named()], [bearer("d1", FULL), bearer("d2", FULL, 1)], FOUND
    ),
    "two devices after the alert": Case([named()], [bearer("d1", FULL, 1), bearer("d2", FULL, 5)], UNKNOWN),
    "one device after the alert": Case([named()], [bearer("d1", FULL, 1)], ("d1", "after", "name")),
    "a name until yesterday": Case([named()], [bearer("d1", FULL, -9), bearer("d1", "pc1.corp.example", -1)], UNKNOWN),
    "a name from tomorrow": Case([named()], [bearer("d1", "pc1.corp.example", -9), bearer("d1", FULL, 1)], UNKNOWN),
    "a name in an older heartbeat": Case(
        [named()], [bearer("d1", FULL, -9), bearer("d1", None), bearer("d1", "-", -0.5)], FOUND
    ),
    "a name only after the alert": Case(
        [named()], [bearer("d1", None, OSVersion="1"), bearer("d1", FULL, 1)], FOUND, {"os_version": "1"}
    ),
    "both ids of a merged device": Case(
        [named()],
        [bearer("d0", FULL, -2, OSVersion="old"), bearer("d1", FULL, 1), merged("d0", "d1")],
        FOUND,
        {"os_version": "old", "original_device_id": None},
    ),
    "a merged device that was renamed": Case(
        [named()], [bearer("d0", FULL, -2), bearer("d1", "pc1.corp.example"), merged("d0", "d1")], UNKNOWN
    ),
    "an old id alone": Case([named()], [bearer("d0", FULL, -2), merged("d0", "d1")], FOUND),
    "an address": Case([named("10.0.0.5")], [bearer("d1", "10.0.0.5")], UNKNOWN, {"device_name": "10.0.0.5"}),
    "an address of IPv6": Case([named("fe80::1")], [bearer("d1", "fe80::1")], UNKNOWN),
    "a number that an address begins with": Case([named("10")], [bearer("d1", "10.0.0.5")], UNKNOWN),
    "localhost": Case([named("localhost")], [bearer("d1", "localhost")], UNKNOWN),
    "hostile text": Case([named("a" * 9000 + '.*"\u202e\x00[')], DC, UNKNOWN),
    "no name at all": Case(
        [named(None), named("-"), named(" .")], DC, (None, "no_device", None), {"device_name": None}
    ),
    "id and name of one device": Case(
        [machine("d1", EvidenceRole="Related"), named()], DC, ("d1", "as_of", "id"), {"devices": None}
    ),
    "id and name of one device, by the evidence": Case(
        [machine(PC, DeviceName=FULL), named("DC01")], [], (PC, "unknown", None), {"devices": None}
    ),
    "id and a name that two devices bear": Case(
        [machine("d1"), named("dc01")],
        [bearer(device, FULL, hours) for device in ("d1", "d2") for hours in (-9, -1)],
        ("d1", "as_of", "id"),
        {"devices": None},
    ),
    "short and full name": Case([named("dc01"), named()], [], UNKNOWN, {"devices": None, "device_name": FULL}),
    "a host of a process and its machine by name": Case(
        [named(), evidence("Process", fields={"Host": {"MachineId": "d1", "HostName": "dc01"}})],
        DC,
        ("d1", "as_of", "id"),
        {"devices": None},
    ),
    "a host of a process by name": Case([evidence("Process", fields={"Host": FIELDS})], DC, FOUND),
    "hosts do not count beside a machine": Case(
        [named("x9"), evidence("Process", fields={"Host": FIELDS})], DC, UNKNOWN, {"device_name": "x9"}
    ),
}  # fmt: skip


def test_a_name_finds_the_one_device_that_has_it(subtests: pytest.Subtests) -> None:
    built = leads_of_each(Records([], case.evidence, case.beats) for case in CASES.values())
    for (name, case), leads in zip(CASES.items(), built, strict=True):
        with subtests.test(name):
            lead = only(leads)
            assert (lead["device_id"], lead["device_match"], lead["device_matched_by"]) == case.found
            assert {column: lead[column] for column in case.columns} == case.columns


def test_the_name_of_another_tenants_device_finds_nothing() -> None:
    rows = [named(tenant=tenant) for tenant in (TENANT, OTHER_TENANT)]
    others = bearer("d2", FULL, tenant=OTHER_TENANT)
    both, without = leads_of_each([Records([], rows, [bearer("d1", FULL), others]), Records([], rows[:1], [others])])
    assert dict(both.select("tenant_id", "device_id").iter_rows()) == {TENANT: "d1", OTHER_TENANT: "d2"}
    assert only(without)["device_match"] == "unknown"


LINKED: dict[str, set[tuple[str, str]]] = {
    "DC01.corp.example.": {("device", "name:dc01.corp.example")},
    "dc01": set(),
    "10.0.0.5": set(),
    "localhost.localdomain": set(),
}


def test_a_name_without_device_links_if_it_is_fully_qualified(subtests: pytest.Subtests) -> None:
    built = leads_of_each(Records([], [named(name)]) for name in LINKED)
    for (name, linked), leads in zip(LINKED.items(), built, strict=True):
        with subtests.test(name):
            assert entities_of(only(leads)) == linked


def test_a_device_found_by_name_links_by_its_id_only() -> None:
    assert entities_of(lead_of([], [named()], DC)) == {("device", "d1")}


def test_an_id_that_looks_like_a_name_is_an_id() -> None:
    rows = [machine("name:dc01", EvidenceRole="Related"), named("dc01")]
    lead = lead_of([], rows, [bearer("name:dc01", "other")])
    assert [(each["device_id"], each["device_name"], each["device_match"]) for each in lead["devices"]] == [
        (None, "dc01", "unknown"),
        ("name:dc01", "other", "as_of"),
    ]


def test_several_devices_say_how_each_was_found() -> None:
    rows = [machine("d2"), named(), named("srv9.corp.example", EvidenceRole="Related")]
    lead = lead_of([], rows, [*DC, bearer("d2", "pc2.corp.example")])
    found = [(each["device_id"], each["device_name"], each["device_matched_by"]) for each in lead["devices"]]
    assert found == [
        ("d2", "pc2.corp.example", "id"),
        ("d1", FULL, "name"),
        (None, "srv9.corp.example", None),
    ]
    assert list(lead["devices"][0])[-1] == "device_matched_by"


def test_a_name_keeps_its_role_where_it_is_a_device_with_an_id() -> None:
    rows = [machine("d1", EvidenceRole="Related"), machine("d2", EvidenceRole="Related", Timestamp=at(-1)), named()]
    lead = lead_of([], rows, DC)
    assert (lead["device_id"], [device["role"] for device in lead["devices"]]) == ("d1", ["Impacted", "Related"])


def test_a_late_heartbeat_finds_the_device_the_day_after(subtests: pytest.Subtests) -> None:
    late, of_eve, by_fields = leads_of_each(
        [
            Records([info(day=EVE)], [named(day=EVE)], [bearer("d1", FULL, -30)]),
            Records([info(day=EVE)], [named(day=EVE)], [bearer("d1", FULL, -30, day=EVE)]),
            Records(
                [],
                [machine("d2", day=EVE), named(None, day=EVE, fields=FIELDS, Timestamp=at(-1))],
                [bearer("d1", FULL, -30), bearer("d2", "pc2", -30, day=EVE)],
            ),
        ]
    )
    with subtests.test("by its name"):
        assert only(late)["device_matched_by"] == "name"
    with subtests.test("a heartbeat of the day before is not late"):
        assert of_eve.is_empty()
    with subtests.test("by its name in AdditionalFields"):
        lead = only(by_fields)
        assert (lead["device_id"], lead["change"]) == ("d1", "updated")


def test_a_name_that_becomes_ambiguous_issues_nothing_and_is_unknown_in_later_leads() -> None:
    first = [bearer("d1", FULL, hours, day=EVE) for hours in (-60, -30)]
    second = [bearer("d2", FULL, hours) for hours in (-60, -29)]
    old = named(day=EVE, Timestamp=at(-24))
    assert lead_of([], [old], first, day=EVE)["device_id"] == "d1"
    ambiguous, updated = leads_of_each(
        Records([], rows, first + second) for rows in ([old], [old, named(Timestamp=at(-23))])
    )
    assert ambiguous.is_empty()
    lead = only(updated)
    assert (lead["device_match"], lead["device_name"]) == ("unknown", FULL)


def test_a_merge_that_arrives_late_makes_two_devices_one() -> None:
    both = [bearer(device, FULL, hours, day=EVE) for device in ("d0", "d1") for hours in (-60, -30)]
    rows = [named(day=EVE, Timestamp=at(-24))]
    assert lead_of([], rows, both, day=EVE)["device_match"] == "unknown"
    assert lead_of([], rows, [*both, merged("d0", "d1")])["device_id"] == "d1"


def test_only_heartbeats_of_the_look_back_have_names() -> None:
    inside, outside = leads_of_each(
        Records([], [named()], [beat("d1", at(days=-days), day=DAY - timedelta(days=days), DeviceName=FULL)])
        for days in (7, 8)
    )
    assert (only(inside)["device_id"], only(outside)["device_id"]) == ("d1", None)


def test_a_name_that_very_many_devices_have_borne_identifies_none() -> None:
    many = [bearer(f"d{number}", "iphone", OnboardingStatus=None if number else "Onboarded") for number in range(1001)]
    enough, too_many = leads_of_each(Records([], [named("iPhone")], beats) for beats in (many[:1000], many))
    assert only(enough)["device_id"] == "d0"
    assert only(too_many)["device_match"] == "unknown"
