"""Each column of a lead, by one alert that fills all of them.

What a column does with records that are odd, late or contradict one another is tested in the rooms that make it.
"""

from typing import Any

import pytest

from defender_assets.core.identifiers import stable_id
from defender_assets.core.leads import LEAD_SCHEMA
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets_tests.support.alert_rows import ALERT, DAY, PC, SERVER, TENANT, Row, at
from defender_assets_tests.support.rich_alert import (
    MD5,
    MUTE,
    NOTE,
    OBJECT_ID,
    OLD_ID,
    SHA1,
    SHA256,
    SID,
    USERS,
    the_lead,
)

THINGS = (
    ("address", "203.0.113.9"),
    ("app", "ab-1"),
    ("client", "curl/8"),
    ("device", PC),
    ("device", SERVER),
    ("file", SHA256),
    ("file", NOTE),
    ("host", "evil.example"),
    ("mail", "m-1"),
    ("malware", "locker"),
    ("resource", "/subscriptions/s/vm"),
    ("sender", "a@evil.example"),
    ("session", "session-1"),
)


def blob(day: int) -> str:
    return f"tenantId={TENANT}/y=2026/m=03/d={day:02}/h=13/m=00/PT1H.json"


EVIDENCE, INFO = "microsoft_365_defender_alert_evidence", "microsoft_365_defender_alert_info"

EXPECTED: Row = {
    "tenant_id": TENANT,
    "export_date": DAY,
    "lead_id": stable_id(TENANT, ALERT),
    "alert_id": ALERT,
    "change": "updated",
    "changes": [
        "Severity raised from Medium to High",
        "Techniques added: T1059.001, T1486",
        "12 evidence records added",
    ],
    "title": "Ransomware behaviour",
    "severity": "High",
    "category": "Impact",
    "service_source": "Microsoft Defender for Endpoint",
    "detection_source": "Antivirus",
    "product": "endpoint",
    "attack_techniques": ["T1059.001", "T1486"],
    "technique_names": ["Data Encrypted for Impact (T1486)", "PowerShell (T1059.001)"],
    "alert_time": at(-21),
    "first_seen_at": at(-20),
    "last_updated_at": at(1),
    "evidence_count": 13,
    "has_alert_info": True,
    "device_id": PC,
    "original_device_id": OLD_ID,
    "device_match": "as_of",
    "device_seen_at": at(-22),
    "device_age_seconds": 3600,
    "device_name": "pc1.contoso.com",
    "os_platform": "Windows11",
    "os_version": "22H2",
    "os_build": 22621,
    "device_type": "Workstation",
    "device_category": "Endpoint",
    "machine_group": "Finance",
    "device_tags": ["VIP", "old"],
    "onboarding_status": "Onboarded",
    "sensor_health_state": "Active",
    "exposure_level": "Low",
    "asset_value": "High",
    "is_internet_facing": True,
    "public_ip": "198.51.100.7",
    "join_type": "Hybrid Azure AD Join",
    "aad_device_id": OBJECT_ID,
    "logged_on_users": USERS,
    "device_changes": [{"what": "exposure_level", "then": "Low", "now": "High"}],
    "devices": [
        {
            "device_id": PC,
            "original_device_id": OLD_ID,
            "device_name": "pc1.contoso.com",
            "role": "Impacted",
            "device_match": "as_of",
            "device_seen_at": at(-22),
            "os_platform": "Windows11",
            "machine_group": "Finance",
            "exposure_level": "Low",
            "asset_value": "High",
            "is_internet_facing": True,
            "device_matched_by": "id",
        },
        {
            "device_id": SERVER,
            "original_device_id": SERVER,
            "device_name": "srv",
            "role": "Related",
            "device_match": "unknown",
        },
    ],
    "accounts": [
        {
            "name": "jane",
            "domain": "CONTOSO",
            "upn": "jane@contoso.com",
            "sid": SID,
            "object_id": OBJECT_ID,
            "role": "Impacted",
        }
    ],
    "files": [
        {
            "name": "note.txt",
            "folder": "C:\\Users",
            "sha1": NOTE,
            "size": 7,
            "threat_family": "Locker",
            "verdict": "Suspicious",
        }
    ],
    "processes": [
        {
            "file_name": "lock.exe",
            "folder": "C:\\Temp",
            "command_line": "lock.exe -all",
            "sha1": SHA1,
            "sha256": SHA256,
            "process_id": 4711,
            "started": "2026-03-10T11:59:00Z",
            "parent_file_name": "winword.exe",
            "parent_command_line": "winword.exe x.docm",
            "role": "Related",
            "verdict": "Malicious",
        }
    ],
    "ip_addresses": [{"address": "203.0.113.9", "country": "ZZ"}],
    "urls": [
        {"url": "https://Evil.example/x", "host": "evil.example"},
        {"url": "https://evil.example/mail", "host": "evil.example"},
    ],
    "mails": [
        {
            "network_message_id": "m-1",
            "subject": "Invoice",
            "sender": "a@evil.example",
            "recipient": "jane@contoso.com",
        }
    ],
    "mailboxes": [{"upn": "jane@contoso.com", "address": "jane@contoso.com"}],
    "registry": [{"key": "HKLM\\Run", "value_name": "lock", "value_data": "lock.exe"}],
    "cloud_resources": [
        {
            "name": "vm",
            "platform": "Azure",
            "type": "Virtual Machine",
            "resource_id": "/Subscriptions/s/vm",
            "subscription_id": "s",
        }
    ],
    "applications": [{"name": "Helper", "application_id": "4712", "oauth_application_id": "ab-1"}],
    "logon_sessions": [
        {
            "kind": "cloudlogonsession",
            "session_id": "session-1",
            "started": "2026-03-10T11:00:00Z",
            "user_agent": "curl/8",
        }
    ],
    "hashes": [
        {"sha1": NOTE, "file_name": "note.txt"},
        {"sha256": SHA256, "sha1": SHA1, "md5": MD5, "file_name": "lock.exe"},
    ],
    "entities": [
        *({"kind": kind, "value": value, "identity": value} for kind, value in THINGS if kind < "file"),
        {"kind": "device", "value": OLD_ID, "identity": PC},
        *({"kind": kind, "value": value, "identity": value} for kind, value in THINGS if kind >= "file"),
        *(
            {"kind": "user", "value": value, "identity": OBJECT_ID}
            for value in (OBJECT_ID, "contoso\\jane", "jane@contoso.com", SID.lower())
        ),
    ],
    "remediation_state": "Active",
    "verdict": "Malicious",
    "risk_score": 100,
    "risk_reasons": [
        {"reason": reason, "points": points}
        for reason, points in (
            ("Microsoft rates the alert High", 50),
            ("The activity is Impact", 15),
            ("A telling technique of ATT&CK: T1486", 8),
            ("Worst verdict on the evidence: Malicious", 10),
            ("State of the threat: Active", 2),
            ("The organisation values the device High", 8),
            ("The device can be reached from the internet", 5),
            ("The device is tagged VIP", 4),
            ("The alert names 2 devices", 6),
            ("The alert rests on 13 pieces of evidence", 1),
            ("More than 100 points count as 100", -9),
        )
    ],
    "muted_by": "Drill: red team of November",
    "lead_version": "cb04ce2f2d2e0bd79dc821b26d875d5f",
    "scoring_version": ScoringConfig(mutes=(MUTE,)).version,
    "portal_url": f"https://security.microsoft.com/alerts/{ALERT}?tid={TENANT}",
    "sources": [
        {"table": EVIDENCE, "blob": blob(9), "byte_offset": 33},
        *({"table": EVIDENCE, "blob": blob(10), "byte_offset": offset} for offset in (44, *range(50, 61))),
        {"table": INFO, "blob": blob(9), "byte_offset": 11},
        {"table": INFO, "blob": blob(10), "byte_offset": 22},
    ],
    "other_entities": [{"kind": "security-group", "name": "CN=Owners"}],
    "device_matched_by": "id",
}
"""What the lead says, column by column; fields that are null are left out."""


def said(value: Any) -> Any:
    """A value without the fields of structs that are null."""
    if isinstance(value, list):
        return [said(entry) for entry in value]
    if isinstance(value, dict):
        return {name: field for name, field in value.items() if field is not None}
    return value


@pytest.mark.parametrize("column", LEAD_SCHEMA)
def test_each_column_says_what_the_records_say(column: str) -> None:
    assert said(the_lead()[column]) == EXPECTED[column]


def test_no_column_is_left_empty_and_none_left_out() -> None:
    assert list(EXPECTED) == list(LEAD_SCHEMA)
    assert [name for name, value in EXPECTED.items() if value in (None, [], "", False)] == []
