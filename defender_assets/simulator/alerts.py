"""One alert as rows of AlertInfo and AlertEvidence: its versions, and when each row is exported.

Which alerts there are is in `noise` and `campaigns`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from defender_assets.simulator.catalogue import Detection
from defender_assets.simulator.clock import MINUTE, SECOND, dotnet_ticks, stamp
from defender_assets.simulator.evidence import SHAPES
from defender_assets.simulator.format import (
    ALERT_EVIDENCE,
    ALERT_INFO,
    EMPTY_EVIDENCE,
    NEWEST_EVIDENCE_COLUMNS,
    Record,
    json_bytes,
    json_text,
)
from defender_assets.simulator.names import guid, hexadecimal
from defender_assets.simulator.products import (
    CLOUD,
    CLOUD_APPS,
    DIGITS,
    DLP,
    ENDPOINT,
    ENTRA_ID,
    IDENTITY,
    LAGS,
    OFFICE,
    SERVICE_SOURCES,
    XDR,
)
from defender_assets.simulator.scenes import Scene

_ID_PREFIXES = {
    ENDPOINT: "da",
    IDENTITY: "aa",
    OFFICE: "fa",
    CLOUD_APPS: "ca",
    ENTRA_ID: "ad",
    XDR: "ra",
    DLP: "dl",
    CLOUD: "dc",
}
_SEVERITIES = ("Informational", "Low", "Medium", "High")
_LONGEST_ENDPOINT_LAG = 37 * MINUTE

_CHANGES = 0.25
_CHANGES_AGAIN = 0.15
_EVIDENCE_FIRST = 0.15
_SLOW_ENDPOINT = 0.01
_OLDER_CELL = 0.12


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert, before its rows are spelt."""

    alert_id: str
    detection: Detection
    scene: Scene
    created: int
    """Ticks of the event."""
    title: str
    shapes: tuple[str, ...]
    has_info: bool = True
    """Whether its AlertInfo ever comes."""
    cause: str = ""
    """Equal for alerts about one and the same thing, "" for an alert that stands alone (known in `everyday` only)."""

    @property
    def time(self) -> str:
        """The first version's Timestamp, as written."""
        return stamp(self.created, DIGITS[self.detection.product])


def alert_id(chance: Random, product: str, created: int) -> str:
    """An id with the product's prefix; for the endpoint it holds the .NET ticks of the alert's creation."""
    match _ID_PREFIXES[product]:
        case "da" | "ra" as prefix:
            return f"{prefix}{dotnet_ticks(created)}_{chance.randrange(-(2**31), 2**31)}"
        case "ca" as prefix:
            return prefix + hexadecimal(chance, 24)
        case "ad" as prefix:
            return prefix + hexadecimal(chance, 64)
        case prefix:
            return prefix + guid(chance)


def alert_records(chance: Random, alert: Alert) -> Iterator[Record]:
    """All rows of all versions of the alert, not in the order of arrival."""
    product = alert.detection.product
    older_cell = chance.random() < _OLDER_CELL and product != CLOUD
    for event, severity, shapes in _versions(chance, alert):
        exported = event + _lag(chance, product)
        common = {"Timestamp": stamp(event, DIGITS[product]), "AlertId": alert.alert_id, "Title": alert.title}
        if alert.has_info:
            late = chance.randrange(MINUTE, 20 * MINUTE) if chance.random() < _EVIDENCE_FIRST else 0
            yield _record(chance, exported + late, ALERT_INFO, common | _info(alert.detection, severity))
        for shape in shapes:
            exported += chance.randrange(SECOND)
            row = EMPTY_EVIDENCE | common | _evidence(alert, shape, event, severity)
            if older_cell:
                for name in NEWEST_EVIDENCE_COLUMNS:
                    del row[name]
            yield _record(chance, exported, ALERT_EVIDENCE, row)


def _versions(chance: Random, alert: Alert) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Event time, severity and evidence of each version; one more with a later Timestamp when something changed."""
    event, severity, shapes = alert.created, alert.detection.severity, alert.shapes
    changes = 0
    if chance.random() < _CHANGES:
        changes = 2 if chance.random() < _CHANGES_AGAIN else 1
    grows = changes > 0 and len(shapes) > 2 and chance.random() < 0.5  # noqa: PLR2004 - an alert keeps two entities
    yield event, severity, shapes[:-1] if grows else shapes
    for change in range(changes):
        event += chance.randrange(10 * MINUTE, 180 * MINUTE)
        if change or not grows:
            level = _SEVERITIES.index(severity)
            steps = {0: (1,), len(_SEVERITIES) - 1: (-1,)}.get(level, (-1, 1))
            severity = _SEVERITIES[level + chance.choice(steps)]
        yield event, severity, shapes


def _lag(chance: Random, product: str) -> int:
    if product == ENDPOINT and chance.random() < _SLOW_ENDPOINT:
        return _LONGEST_ENDPOINT_LAG
    least, most = LAGS[product]
    return int(chance.uniform(least, most) * MINUTE)


def _record(chance: Random, exported: int, table: str, columns: dict[str, Any]) -> Record:
    return Record(exported, exported - chance.randrange(SECOND, 30 * SECOND), table, json_bytes(columns))


def _techniques(detection: Detection) -> str:
    return json_text(detection.techniques) if detection.techniques else ""


def _service_source(detection: Detection) -> str:
    # XDR alerts still come under the older name as well.
    return detection.source if detection.product == XDR else SERVICE_SOURCES[detection.product]


def _info(detection: Detection, severity: str) -> dict[str, Any]:
    return {
        "Category": detection.category,
        "Severity": severity,
        "ServiceSource": _service_source(detection),
        "DetectionSource": detection.source,
        "AttackTechniques": _techniques(detection),
        "MachineGroup": None,
    }


def _evidence(alert: Alert, shape: str, event: int, severity: str) -> dict[str, Any]:
    columns = SHAPES[shape](alert.scene, event)
    return {
        "Categories": json_text([alert.detection.category]),
        "AttackTechniques": _techniques(alert.detection),
        "ServiceSource": _service_source(alert.detection),
        "DetectionSource": alert.detection.source,
        "Severity": severity,
        **columns,
        "AdditionalFields": json_text(columns["AdditionalFields"]),
    }
