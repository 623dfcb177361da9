from collections.abc import Iterable
from typing import Any

import pytest

from defender_assets.core.leads.entities.lists import ENTITY_LISTS, entity_lists
from defender_assets_tests.support.alert_rows import (
    Row,
    apart,
    at,
    described,
    entity_rows_of,
    evidence,
    info,
    lead_of,
    of_each,
    only,
)


def lists_of_each(cases: Iterable[Iterable[Row]]) -> list[dict[str, list[dict[str, Any]]]]:
    cases = list(cases)
    found = of_each(entity_lists(entity_rows_of(*apart(cases))[0]), len(cases))
    return [{listed.name: only(lists)[listed.name] or [] for listed in ENTITY_LISTS} for lists in found]


def filled_of_each(cases: Iterable[Iterable[Row]]) -> list[dict[str, list[dict[str, Any]]]]:
    """Return for each case of evidence the lists that are not empty, without the fields that are null."""
    return [
        {
            name: [{field: value for field, value in entry.items() if value is not None} for entry in entries]
            for name, entries in lists.items()
            if entries
        }
        for lists in lists_of_each(cases)
    ]


def lists(*rows: Row) -> dict[str, list[dict[str, Any]]]:
    return lists_of_each([rows])[0]


def filled(*rows: Row) -> dict[str, list[dict[str, Any]]]:
    return filled_of_each([rows])[0]


def test_without_evidence_every_list_is_empty_and_none_is_null() -> None:
    lead = lead_of([info()])
    assert [lead[listed.name] for listed in ENTITY_LISTS] == [[] for _ in ENTITY_LISTS]


LISTED: list[tuple[Row, dict[str, Any]]] = [
    (
        evidence("User", AccountName="Jane", AccountDomain="CONTOSO", AccountSid="S-1-5-21-1", EvidenceRole="Impacted"),
        {"accounts": [{"name": "Jane", "domain": "CONTOSO", "sid": "S-1-5-21-1", "role": "Impacted"}]},
    ),
    (
        evidence("File", FileName="a.exe", SHA1="AB", FileSize=7, ThreatFamily="Bad", fields={"LastVerdict": "Clean"}),
        {
            "files": [{"name": "a.exe", "sha1": "ab", "size": 7, "threat_family": "Bad", "verdict": "Clean"}],
            "hashes": [{"sha1": "ab", "file_name": "a.exe"}],
        },
    ),
    (
        evidence(
            "Process",
            FileName="a.exe",
            ProcessCommandLine="a -b",
            fields={"ProcessId": 5, "ParentProcess": {"ImageFile": {"Name": "p.exe"}}},
        ),
        {"processes": [{"file_name": "a.exe", "command_line": "a -b", "process_id": 5, "parent_file_name": "p.exe"}]},
    ),
    (
        evidence("Ip", RemoteIP="::ffff:10.0.0.1", fields={"Location": {"CountryCode": "DE"}}),
        {"ip_addresses": [{"address": "10.0.0.1", "country": "DE"}]},
    ),
    (evidence("Ip", RemoteIP="-"), {}),
    (
        evidence("Url", RemoteUrl="https://Evil.example/x"),
        {"urls": [{"url": "https://Evil.example/x", "host": "evil.example"}]},
    ),
    (
        evidence("MailMessage", NetworkMessageId="M1", EmailSubject="Hi", fields={"Sender": "A@x", "Recipient": "B@y"}),
        {"mails": [{"network_message_id": "m1", "subject": "Hi", "sender": "a@x", "recipient": "b@y"}]},
    ),
    (
        evidence("Mailbox", AccountUpn="jane@contoso.com", fields={"DisplayName": "Jane"}),
        {"mailboxes": [{"upn": "jane@contoso.com", "display_name": "Jane"}]},
    ),
    (
        evidence("RegistryValue", RegistryKey="HKLM\\Run", RegistryValueName="x", RegistryValueData="y"),
        {"registry": [{"key": "HKLM\\Run", "value_name": "x", "value_data": "y"}]},
    ),
    (
        evidence("CloudApplication", Application="Drive", ApplicationId=4711, EvidenceRole="Related"),
        {"applications": [{"name": "Drive", "application_id": "4711", "role": "Related"}]},
    ),
    (
        evidence("OAuthApplication", fields={"OAuthAppId": "AB-1", "AppName": "Helper"}),
        {"applications": [{"name": "Helper", "oauth_application_id": "ab-1"}]},
    ),
    (
        evidence(
            "CloudLogonSession",
            AccountUpn="Jane@contoso.com",
            fields={"SessionId": "S1", "StartTimeUtc": "2026-03-10T11:59:00Z", "UserAgent": "curl/8"},
        ),
        {
            "accounts": [{"upn": "Jane@contoso.com"}],
            "logon_sessions": [
                {
                    "kind": "cloudlogonsession",
                    "session_id": "s1",
                    "account": "jane@contoso.com",
                    "started": "2026-03-10T11:59:00Z",
                    "user_agent": "curl/8",
                }
            ],
        },
    ),
    (
        evidence("CloudLogonRequest", fields={"RequestId": "R1"}),
        {"logon_sessions": [{"kind": "cloudlogonrequest", "session_id": "r1"}]},
    ),
    (
        evidence("File", FileName="a", fields={"FileHashes": [{"Algorithm": "MD5", "Value": "AB"}]}),
        {"files": [{"name": "a"}], "hashes": [{"md5": "ab", "file_name": "a"}]},
    ),
    (
        evidence("MailMessage", fields={"NetworkMessageId": "M2", "Subject": "Hi", "SenderIP": "203.0.113.9"}),
        {
            "mails": [{"network_message_id": "m2", "subject": "Hi"}],
            "ip_addresses": [{"address": "203.0.113.9"}],
        },
    ),
    (
        evidence("AzureResource", fields={"ResourceId": "/VM/"}),
        {"cloud_resources": [{"resource_id": "/VM/"}]},
    ),
    (
        evidence("AzureResource", CloudResource="vm", CloudPlatform="Azure", ResourceID="/vm", SubscriptionId="s"),
        {"cloud_resources": [{"name": "vm", "platform": "Azure", "resource_id": "/vm", "subscription_id": "s"}]},
    ),
]


def test_every_kind_of_entity_has_its_list(subtests: pytest.Subtests) -> None:
    for (row, expected), found in zip(LISTED, filled_of_each([row] for row, _ in LISTED), strict=True):
        with subtests.test(described(row)):
            assert found == expected


def test_an_entity_of_several_versions_is_listed_once_with_its_newest_values() -> None:
    rows = [
        evidence("File", SHA256="C" * 64, FileName="old.exe", FileSize=7, Timestamp=at(-1)),
        evidence("File", SHA256="c" * 64, FileName="new.exe", Timestamp=at(1)),
    ]
    assert filled(*rows)["files"] == [{"name": "new.exe", "sha256": "c" * 64, "size": 7}]


def test_accounts_that_share_an_identifier_are_one_person() -> None:
    rows = [
        evidence("User", AccountUpn="jane@contoso.com", AccountSid="S-1-5-21-1"),
        evidence("User", AccountSid="S-1-5-21-1", AccountName="jane"),
    ]
    assert filled(*rows) == {"accounts": [{"name": "jane", "upn": "jane@contoso.com", "sid": "S-1-5-21-1"}]}


def test_a_system_account_is_listed_but_is_no_user() -> None:
    row = evidence("User", AccountDomain="NT AUTHORITY", AccountName="SYSTEM", AccountSid="S-1-5-18")
    assert [entry["name"] for entry in lists(row)["accounts"]] == ["SYSTEM"]


def test_two_runs_of_one_program_are_two_processes() -> None:
    rows = [evidence("Process", FileName="a.exe", fields={"ProcessId": number}) for number in (1, 2)]
    assert [entry["process_id"] for entry in lists(*rows)["processes"]] == [1, 2]


def test_a_message_to_two_recipients_is_listed_for_each() -> None:
    rows = [evidence("MailMessage", NetworkMessageId="m", fields={"Recipient": name}) for name in ("b@y", "a@y")]
    assert [entry["recipient"] for entry in lists(*rows)["mails"]] == ["a@y", "b@y"]


def test_urls_inside_a_mail_are_urls_of_the_alert() -> None:
    row = evidence("MailMessage", NetworkMessageId="m", fields={"Urls": ["http://b.example", "http://a.example"]})
    assert [entry["host"] for entry in lists(row)["urls"]] == ["a.example", "b.example"]


def test_a_row_of_nulls_is_listed_nowhere() -> None:
    garbage = [evidence(kind, fields="garbage") for kind in ("Process", "MailMessage", "Malware", "AzureResource")]
    assert filled(evidence(None), *garbage, evidence("Ip", RemoteIP="-"), evidence("User", AccountName="N/A")) == {}
