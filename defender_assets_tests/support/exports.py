"""Builders of exports for tests: lines in Microsoft's format, blob paths, and a directory to write them to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets_tests.support.days import today

TENANT = "11111111-2222-4333-8444-555555555555"
OTHER_TENANT = "99999999-8888-4777-8666-555555555555"
DAY = date(2026, 11, 3)
MOMENT = "2026-11-03T08:15:30.1234567Z"

_SMALLEST: Mapping[str, Mapping[str, Any]] = {
    ALERT_INFO.name: {
        "Timestamp": MOMENT,
        "AlertId": "da0",
        "Title": "Suspicious behaviour",
        "Category": "Execution",
        "Severity": "Medium",
        "ServiceSource": "Microsoft Defender for Endpoint",
        "DetectionSource": "EDR",
        "AttackTechniques": '["Process Injection (T1055)"]',
        "MachineGroup": None,
    },
    ALERT_EVIDENCE.name: {"Timestamp": MOMENT, "AlertId": "da0", "EntityType": "Machine", "DeviceId": "dev0"},
    DEVICE_INFO.name: {"Timestamp": MOMENT, "DeviceId": "dev0", "DeviceName": "host0", "ReportId": 2**60 + 1},
}


def properties(table: Table, **changes: Any) -> str:
    """A minimal record of a table, as JSON text."""
    return json.dumps({**_SMALLEST[table.name], **changes})


def line(table: Table, props: str, *, tenant: str = TENANT, time: str = MOMENT) -> bytes:
    """A line of the export with these `properties` (JSON text), CRLF included."""
    envelope = (
        f'{{"time":"{time}","tenantId":"{tenant}","operationName":"Publish","category":"{table.category}",'
        f'"_TimeReceivedBySvc":"{time}","properties":{props},"Tenant":"DefaultTenant"}}'
    )
    return envelope.encode() + b"\r\n"


def records(table: Table, first: int, count: int, *, tenant: str = TENANT) -> bytes:
    """Lines of distinct, numbered records."""
    return b"".join(
        line(table, properties(table, **{table.key: f"{table.key}-{number}"}), tenant=tenant)
        for number in range(first, first + count)
    )


def blob_path(day: date = DAY, hour: int | None = None, tenant: str = TENANT) -> str:
    """The path of the blob of an hour in Microsoft's layout.

    By default it is the hour from 8, and for the current day its first one: a later hour may not have begun.
    """
    if hour is None:
        hour = 0 if day == today() else 8
    return f"tenantId={tenant}/y={day:%Y}/m={day:%m}/d={day:%d}/h={hour:02}/m=00/PT1H.json"


@dataclass(frozen=True)
class Folder:
    """An export in a directory that tests write to."""

    root: Path

    def append(self, table: Table, path: str, content: bytes) -> Path:
        """Append bytes to a blob; create it if it is missing."""
        file = self.root / table.container / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as opened:
            opened.write(content)
        return file


def local_lake(folder: Path) -> Lake:
    """An empty lake in a folder."""
    return Lake(str(folder), LAKE_TABLES)


def compacted_above(lake: Lake, files: int) -> Lake:
    """The lake, with days compacted when they have more small files than `files`."""
    return replace(
        lake,
        tables=tuple(
            replace(spec, compaction=replace(spec.compaction, more_than=files)) if spec.compaction else spec
            for spec in lake.tables
        ),
    )
