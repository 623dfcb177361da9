"""The ground truth of an export: counts for each table, tenant and day, and the campaigns.

The counts come from the appends themselves, so they are correct for any `until`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec

from defender_assets.simulator.campaigns import Campaign
from defender_assets.simulator.export import campaigns_of, simulate
from defender_assets.simulator.format import DEVICE_INFO, TABLES, container
from defender_assets.simulator.scenario import Append, Scenario

FILE_NAME = "ground_truth.json"

_TABLE_OF = {container(table): table for table in TABLES}
# No append arrives later than this after the day of its blob.
_DAYS_UNTIL_COMPLETE = 3


class _Envelope(msgspec.Struct):
    category: str
    tenantId: str  # noqa: N815 - Microsoft's spelling
    properties: msgspec.Raw


class _Row(msgspec.Struct):
    Timestamp: str = ""
    AlertId: str = ""
    DeviceId: str | None = None


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_row = msgspec.json.Decoder(_Row).decode


@dataclass(slots=True)
class _Total:
    blobs: int = 0
    appends: int = 0
    bytes: int = 0
    lines: int = 0
    blank: int = 0
    bad: int = 0
    records: int = 0
    duplicates: int = 0
    seen: set[int] = field(default_factory=set)


class GroundTruth:
    """Counts the appends of a scenario; memory grows with the distinct records of about three days."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._campaigns = campaigns_of(scenario)
        self._totals: dict[tuple[str, str, str], _Total] = {}
        self._tails: dict[str, bytes] = {}
        self._alerts: dict[str, set[str]] = {}

    def watch(self, appends: Iterable[Append]) -> Iterator[Append]:
        """The same appends; each is counted when the consumer asks for the next one."""
        for append in appends:
            yield append
            self.observe(append)

    def observe(self, append: Append) -> None:
        """Count one append. The appends to one blob must come in byte order."""
        path = f"{append.container}/{append.blob}"
        key = table, tenant_id, _ = _key_of(path)
        if key not in self._totals:
            self._forget(append.at.date() - timedelta(days=_DAYS_UNTIL_COMPLETE))
        total = self._totals.setdefault(key, _Total())
        if path not in self._tails:
            self._tails[path] = b""
            total.blobs += 1
        total.appends += 1
        total.bytes += len(append.data)
        *lines, self._tails[path] = (self._tails[path] + append.data).split(b"\n")
        for text in lines:
            total.lines += 1
            self._count(total, table, tenant_id, text)

    def _count(self, total: _Total, table: str, tenant_id: str, text: bytes) -> None:
        if not text.strip():
            total.blank += 1
            return
        try:
            envelope = _decode_envelope(text)
            row = _decode_row(envelope.properties)
        except msgspec.DecodeError:
            total.bad += 1
            return
        key = row.DeviceId if table == DEVICE_INFO else row.AlertId
        ours = envelope.category == f"AdvancedHunting-{table}" and envelope.tenantId == tenant_id
        if not (ours and key and row.Timestamp[:4].isdigit()):
            total.bad += 1
            return
        total.records += 1
        identity = hash(bytes(envelope.properties))
        if identity in total.seen:
            total.duplicates += 1
        total.seen.add(identity)
        if table != DEVICE_INFO:
            self._alerts.setdefault(tenant_id, set()).add(key)

    def _forget(self, before: date) -> None:
        for (_, _, arrival), total in self._totals.items():
            if date.fromisoformat(arrival) < before:
                total.seen = set()

    def as_dict(self) -> dict[str, Any]:
        """Everything observed so far, ready for JSON.

        `totals`: one entry for each table, tenant_id and day of arrival, with blobs, appends, bytes, lines (with a line
        end), blank, bad, records (= lines - blank - bad), duplicates (the bytes of `properties` came before), distinct
        (= records - duplicates), and pending (bytes after the last line end).
        `alerts`: the number of AlertIds of each tenant. `campaigns`: see `_arrived_part`.
        """
        pending = Counter[tuple[str, str, str]]()
        for path, tail in self._tails.items():
            pending[_key_of(path)] += len(tail)
        totals = []
        for key, total in sorted(self._totals.items()):
            counts = {name: getattr(total, name) for name in _Total.__slots__ if name != "seen"}
            names = dict(zip(("table", "tenant_id", "day"), key, strict=True))
            totals.append(names | counts | {"distinct": total.records - total.duplicates, "pending": pending[key]})
        arrived = (_arrived_part(each, self._alerts.get(each.tenant_id, set())) for each in self._campaigns)
        return {
            "scenario": msgspec.to_builtins(asdict(self._scenario)),
            "totals": totals,
            "alerts": {tenant_id: len(alert_ids) for tenant_id, alert_ids in sorted(self._alerts.items())},
            "campaigns": [campaign for campaign in arrived if campaign["alert_ids"]],
        }

    def write(self, path: Path) -> None:
        """Write `as_dict` as JSON, unless the file already has the same content."""
        text = msgspec.json.format(msgspec.json.encode(self.as_dict()))
        if not path.exists() or path.read_bytes() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)


def ground_truth(scenario: Scenario) -> dict[str, Any]:
    """The ground truth of a scenario."""
    observed = GroundTruth(scenario)
    for append in simulate(scenario):
        observed.observe(append)
    return observed.as_dict()


def _key_of(path: str) -> tuple[str, str, str]:
    """Table, tenant_id and day of a blob."""
    name, tenant, year, month, day, *_ = path.split("/")
    return _TABLE_OF[name], tenant.removeprefix("tenantId="), f"{year[2:]}-{month[2:]}-{day[2:]}"


def _arrived_part(campaign: Campaign, arrived: set[str]) -> dict[str, Any]:
    """The part of a campaign that has arrived: its alerts in order of their events, and what two or more share."""
    alerts = [alert for alert in campaign.alerts if alert.alert_id in arrived]
    ties = []
    for (kind, value), alert_ids in campaign.ties().items():
        shared_by = [alert_id for alert_id in alert_ids if alert_id in arrived]
        if len(shared_by) > 1:
            ties.append({"kind": kind, "value": value, "alert_ids": shared_by})
    return {
        "campaign_id": campaign.campaign_id,
        "tenant_id": campaign.tenant_id,
        "alert_ids": [alert.alert_id for alert in alerts],
        "alerts": [
            {"alert_id": each.alert_id, "product": each.detection.product, "time": each.time, "title": each.title}
            for each in alerts
        ],
        "ties": ties,
    }
