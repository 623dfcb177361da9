"""One alert as rows of AlertInfo and AlertEvidence: its versions, and when each row is exported."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from defender_assets.simulator.products import CLOUD, DIGITS, ENDPOINT, ID_PREFIXES, LAGS, SERVICE_SOURCES, XDR
from defender_assets.simulator.scenes import Scene

_SEVERITIES = ("Informational", "Low", "Medium", "High")
_LONGEST_ENDPOINT_LAG = 37 * MINUTE

# Probabilities.
_CHANGES = 0.25
_CHANGES_AGAIN = 0.15
_EVIDENCE_FIRST = 0.15
_SLOW_ENDPOINT = 0.01
_OLDER_CELL = 0.12


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert before it is written as rows."""

    alert_id: str
    detection: Detection
    scene: Scene
    created: int
    """Ticks of the event."""
    title: str
    shapes: tuple[str, ...]
    has_info: bool = True
    """Whether its AlertInfo row is exported."""
    cause: str = ""
    """Equal for unrelated alerts with the same cause, "" for a single alert. Only realistic tenants set it."""
    also: tuple[Scene, ...] = ()
    """Scenes of further devices; each adds a Machine row."""

    @property
    def time(self) -> str:
        """The Timestamp of the first version, as written."""
        return stamp(self.created, DIGITS[self.detection.product])


def new_alert(rng: Random, detection: Detection, scene: Scene, created: int) -> Alert:
    """An alert with all the entities that the detection reports."""
    alert_id = _alert_id(rng, detection.product, created)
    return Alert(alert_id, detection, scene, created, detection.title, detection.shapes)


def _alert_id(rng: Random, product: str, created: int) -> str:
    """An id with the product's prefix; for the endpoint and XDR it contains the .NET ticks of the alert's creation."""
    match ID_PREFIXES[product]:
        case "da" | "ra" as prefix:
            return f"{prefix}{dotnet_ticks(created)}_{rng.randrange(-(2**31), 2**31)}"
        case "ca" as prefix:
            return prefix + hexadecimal(rng, 24)
        case "ad" as prefix:
            return prefix + hexadecimal(rng, 64)
        case prefix:
            return prefix + guid(rng)


def alert_records(rng: Random, alert: Alert) -> Iterator[Record]:
    """All rows of all versions of the alert, not in order of arrival."""
    detection, product = alert.detection, alert.detection.product
    constant = {
        # XDR alerts still appear under the older service name as well.
        "ServiceSource": detection.source if product == XDR else SERVICE_SOURCES[product],
        "DetectionSource": detection.source,
        "AttackTechniques": json_text(detection.techniques) if detection.techniques else "",
    }
    older_cell = rng.random() < _OLDER_CELL and product != CLOUD
    for event, severity, shapes in _versions(rng, alert):
        exported = event + _lag(rng, product)
        common = {"Timestamp": stamp(event, DIGITS[product]), "AlertId": alert.alert_id, "Title": alert.title}
        if alert.has_info:
            late = rng.randrange(MINUTE, 20 * MINUTE) if rng.random() < _EVIDENCE_FIRST else 0
            info = common | {"Category": detection.category, "Severity": severity} | constant | {"MachineGroup": None}
            yield _record(rng, exported + late, ALERT_INFO, info)
        for shape, scene in _entities(alert, shapes):
            exported += rng.randrange(SECOND)
            columns = SHAPES[shape](scene, event)
            columns |= {"AdditionalFields": json_text(columns["AdditionalFields"])}
            row = EMPTY_EVIDENCE | common | constant | {"Categories": json_text([detection.category])}
            row |= {"Severity": severity} | columns
            if older_cell:
                for name in NEWEST_EVIDENCE_COLUMNS:
                    del row[name]
            yield _record(rng, exported, ALERT_EVIDENCE, row)


def _entities(alert: Alert, shapes: tuple[str, ...]) -> Iterator[tuple[str, Scene]]:
    """Each entity with its scene; a repeated shape is another entity of its kind."""
    repeated = Counter[str]()
    for shape in shapes:
        number = repeated[shape]
        repeated[shape] += 1
        yield shape, replace(alert.scene, serial=alert.scene.serial + number * 7) if number else alert.scene
    yield from (("Machine", scene) for scene in alert.also if "Machine" in shapes)


def _versions(rng: Random, alert: Alert) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Event time, severity and evidence of each version. Each change adds a version with a later Timestamp."""
    event, severity, shapes = alert.created, alert.detection.severity, alert.shapes
    changes = 0
    if rng.random() < _CHANGES:
        changes = 2 if rng.random() < _CHANGES_AGAIN else 1
    grows = changes > 0 and len(shapes) > 2 and rng.random() < 0.5  # noqa: PLR2004 - an alert keeps two entities
    yield event, severity, shapes[:-1] if grows else shapes
    for change in range(changes):
        event += rng.randrange(10 * MINUTE, 180 * MINUTE)
        if change or not grows:
            level = _SEVERITIES.index(severity)
            steps = {0: (1,), len(_SEVERITIES) - 1: (-1,)}.get(level, (-1, 1))
            severity = _SEVERITIES[level + rng.choice(steps)]
        yield event, severity, shapes


def _lag(rng: Random, product: str) -> int:
    if product == ENDPOINT and rng.random() < _SLOW_ENDPOINT:
        return _LONGEST_ENDPOINT_LAG
    least, most = LAGS[product]
    return int(rng.uniform(least, most) * MINUTE)


def _record(rng: Random, exported: int, table: str, columns: dict[str, Any]) -> Record:
    return Record(exported, exported - rng.randrange(SECOND, 30 * SECOND), table, json_bytes(columns))
