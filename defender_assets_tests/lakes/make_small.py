"""The script that made the archives `of_COMMIT.zip`: an export of a few records, and its lake as that commit wrote it.

It runs in a clone of the commit, with the commit's code:

    cd CLONE && PYTHONPATH=. python …/defender_assets_tests/lakes/make_small.py …/of_COMMIT.zip

Add an archive for the last commit of each issue. Never make an existing one again: later versions must open what that
commit wrote.
"""

import json
import sys
from datetime import date
from importlib import import_module
from pathlib import Path
from shutil import make_archive
from tempfile import TemporaryDirectory
from typing import Any

from defender_assets.core.export import DirectoryExport

DAY = date(2026, 11, 3)
TENANT = "b56c8b94-4e43-4c48-8986-29cd7e3ffd04"
BLOB = f"tenantId={TENANT}/y=2026/m=11/d=03/h=09/m=00/PT1H.json"
DEVICE, USER = "d" * 40, {"AccountName": "jane", "AccountDomain": "CONTOSO", "AccountSid": "S-1-5-21-1-2-3-1001"}
FIELDS = json.dumps({"LastVerdict": "Malicious", "Location": {"CountryCode": "ZZ"}})
BEATS = [
    {
        "Timestamp": "2026-11-03T08:00:00Z",
        "DeviceId": DEVICE,
        "DeviceName": "pc1.contoso.com",
        "ReportId": 639000000000000001,
        "OSPlatform": "Windows11",
        "LoggedOnUsers": json.dumps([{"UserName": "jane", "DomainName": "CONTOSO", "Sid": USER["AccountSid"]}]),
    }
]
ALERTS = [
    {
        "Timestamp": f"2026-11-03T09:0{number}:00Z",
        "AlertId": f"da{number}",
        "Title": title,
        "Severity": "High",
        "Category": category,
        "ServiceSource": "Microsoft Defender for Endpoint",
        "DetectionSource": "EDR",
        "AttackTechniques": json.dumps([technique]),
    }
    for number, (title, category, technique) in enumerate(
        [
            ("Credentials were read", "CredentialAccess", "LSASS Memory (T1003.001)"),
            ("Files are encrypted", "Impact", "Data Encrypted for Impact (T1486)"),
        ]
    )
]
ENTITIES: list[dict[str, Any]] = [
    {"EntityType": "Machine", "DeviceId": DEVICE, "DeviceName": "pc1.contoso.com", "EvidenceRole": "Impacted"},
    {"EntityType": "User", "EvidenceRole": "Impacted", "AccountUpn": "jane@contoso.com", **USER},
    {"EntityType": "File", "FileName": "a.exe", "FolderPath": "C:\\Temp", "SHA256": "5" * 64, "FileSize": 7},
    {"EntityType": "Ip", "RemoteIP": "203.0.113.9", "AdditionalFields": FIELDS},
]


def write_export(root: Path) -> None:
    """Write one hour of the three tables, with one line that cannot be read."""
    evidences = [
        {**entity, **{name: alert[name] for name in ("Timestamp", "AlertId", "Title", "Severity", "ServiceSource")}}
        for alert in ALERTS
        for entity in ENTITIES
    ]
    for table, records in (("AlertInfo", ALERTS), ("AlertEvidence", evidences), ("DeviceInfo", BEATS)):
        path = root / f"insights-logs-advancedhunting-{table.lower()}" / BLOB
        path.parent.mkdir(parents=True)
        bad = b"not a record\r\n" if table == "AlertInfo" else b""
        path.write_bytes(b"".join(line(table, record) for record in records) + bad)


def line(table: str, record: dict[str, Any]) -> bytes:
    """Return a line of the export."""
    envelope = {
        "time": "2026-11-03T09:30:00.0000000Z",
        "tenantId": TENANT,
        "operationName": "Publish",
        "category": f"AdvancedHunting-{table}",
        "properties": record,
    }
    return json.dumps(envelope, separators=(",", ":")).encode() + b"\r\n"


def hide_path(lake: Path) -> None:
    """Replace the folder's path in the logs, in which delta-rs notes where it created a table."""
    for log in lake.glob("*/_delta_log/*.json"):
        log.write_text(log.read_text().replace(str(lake.resolve()), "/lake"))


def support_module(name: str) -> Any:
    """Return a module of the tests of this commit; until 019075f they had no folder `support`."""
    try:
        return import_module(f"defender_assets_tests.support.{name}")
    except ModuleNotFoundError:
        return import_module(f"defender_assets_tests.{name}")


if __name__ == "__main__":
    archive = Path(sys.argv[1])
    with TemporaryDirectory() as made:
        folder = Path(made)
        write_export(folder / "export")
        lake = support_module("exports").local_lake(folder / "lake")
        support_module("day_runs").run_day(lake, DirectoryExport(folder / "export"), DAY)
        hide_path(folder / "lake")
        make_archive(str(archive.with_suffix("")), "zip", folder)
