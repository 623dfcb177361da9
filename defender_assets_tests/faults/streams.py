"""Lines of an export with a known expected result: good, blank, or quarantined with a reason."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets_tests.support.exports import DAY, blob_path, line, properties

LONGEST_LINE = 2_000
"""Replaces the limit of 16 MiB in these tests, so that a line above it is cheap."""

# the column that contains the record's number
MARK: Mapping[str, str] = {ALERT_INFO.name: "Title", ALERT_EVIDENCE.name: "Title", DEVICE_INFO.name: "DeviceName"}
KINDS = (
    "good", "good", "good", "lf", "blank", "not_json", "foreign_tenant", "no_key", "bad_timestamp",
    "wrapped", "wrapped_bad", "long",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A line with its end. `records` are the numbers of its good records; `reason` is why it is quarantined."""

    text: bytes
    records: tuple[int, ...] = ()
    reason: str | None = None

    @property
    def content(self) -> bytes:
        """Its content in quarantine."""
        return self.text.removesuffix(b"\n").removesuffix(b"\r")


@dataclass(frozen=True, order=True)
class Slot:
    """The location of a blob."""

    table_name: str
    tenant: str
    day: date
    hour: int

    @property
    def path(self) -> str:
        return blob_path(self.day, self.hour, self.tenant)


def record(table: Table, number: int) -> str:
    """The properties of a record. Alerts, devices and users are few, so that leads and stories share them."""
    moment = f"{DAY}T0{number % 8}:{number % 60:02}:00Z"
    changes: dict[str, object] = {"Timestamp": moment, MARK[table.name]: f"r{number}"}
    if table is DEVICE_INFO:
        changes |= {"DeviceId": f"dev{number % 2}", "ReportId": number, "OSPlatform": "Windows11"}
        changes |= {"PublicIP": f"20.0.0.{number}"}
    else:
        changes["AlertId"] = f"da{number % 4}"
    if table is ALERT_EVIDENCE:
        of_device = {"EntityType": "Machine", "DeviceId": f"dev{number % 2}"}
        of_user = {"EntityType": "User", "DeviceId": None, "AccountObjectId": f"user{number % 3}"}
        changes |= of_device if number % 3 else of_user
    return properties(table, **changes)


def make_line(table: Table, tenant: str, kind: str, number: int) -> Line:  # noqa: PLR0911 (one of each kind)
    """A line of one of the `KINDS`, for the folder of a tenant."""
    props = record(table, number)
    good = Line(line(table, props, tenant=tenant), (number,))
    if kind == "lf":
        return replace(good, text=good.content + b"\n")
    if kind == "blank":
        return Line(b"\r\n")
    if kind == "not_json":
        return Line(f"cut {number}".encode() + b"\r\n", reason="not_json")
    if kind == "foreign_tenant":
        return Line(line(table, props, tenant="00000000-0000-4000-8000-000000000000"), reason="foreign_tenant")
    if kind == "no_key":
        return Line(line(table, json.dumps({"Timestamp": "2026-11-03T00:00:00Z"}), tenant=tenant), reason="no_key")
    if kind == "bad_timestamp":
        bad = json.dumps({**json.loads(props), "Timestamp": "yesterday"})
        return Line(line(table, bad, tenant=tenant), reason="bad_timestamp")
    if kind in {"wrapped", "wrapped_bad"}:
        second = make_line(table, tenant, "good" if kind == "wrapped" else "no_key", number + 1)
        text = b'{"records":[' + good.content + b"," + second.content + b"]}\r\n"
        return Line(text, good.records + second.records) if kind == "wrapped" else Line(text, reason="no_key")
    if kind == "long":
        return Line(b"x" * (LONGEST_LINE + 50 * number) + b"\r\n", reason="line_too_long")
    return good
