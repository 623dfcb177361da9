"""The demo's simulated export: two small tenants and four days up to now, the same at each run."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defender_assets.core.errors import ExportError
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.settings import DEMO, DEMO_EXPORT_DIR, DEMO_SCENARIO, is_configured

if TYPE_CHECKING:
    from defender_assets.simulator import Scenario

DAYS = 4
NEW_COLUMN = "AlertPriority"


def prepare_export(folder: Path) -> tuple["Scenario", dict[str, Any]]:
    """Write the demo's export below the working directory unless it is complete; return scenario and ground truth.

    Raises:
        ExportError: another version wrote the demo that is there.
    """
    import msgspec

    from defender_assets.simulator import Scenario, export_directory
    from defender_assets.simulator.ground_truth import FILE_NAME

    scenario_file, export_dir = folder / DEMO_SCENARIO, folder / DEMO_EXPORT_DIR
    try:
        if scenario_file.exists():
            scenario = msgspec.json.decode(scenario_file.read_bytes(), type=Scenario)
        else:
            now = datetime.now(UTC).replace(microsecond=0)
            scenario = Scenario(start=now.date() - timedelta(days=DAYS - 1), days=DAYS, until=now)
            scenario_file.parent.mkdir(parents=True, exist_ok=True)
            scenario_file.write_bytes(msgspec.json.format(msgspec.json.encode(scenario)))
        truth = export_dir / FILE_NAME
        if truth.exists():
            return scenario, dict(msgspec.json.decode(truth.read_bytes()))
        simulated = export_directory(scenario, export_dir)
        _add_new_column(scenario, export_dir)
        return scenario, simulated
    except (msgspec.MsgspecError, ValueError):
        raise ExportError(
            f"another version of this project wrote the demo in {folder / DEMO}: remove it (rm -r {DEMO}) and run again"
        ) from None


def faulty_day(scenario: "Scenario") -> date:
    """Return the day with things to fix: the second one, if there are several.

    One of its records has a field without a column, and one of its lines was quarantined by an older version.
    """
    return scenario.start + timedelta(days=min(1, scenario.days - 1))


def _add_new_column(scenario: "Scenario", export_dir: Path) -> None:
    """Write an alert once more with a field that the schema does not have, as when Microsoft adds a column.

    So one check of the demo fails, and says what to do. A file of its own leaves the simulator's files as they are.
    """
    if found := _alert_of(export_dir, faulty_day(scenario)):
        blob, line, _ = found
        begin = b'"properties":{'
        changed = line.replace(begin, begin + f'"{NEW_COLUMN}":"P2",'.encode(), 1)
        blob.with_name("PT1H_2.json").write_bytes(changed)


def readable_line(scenario: "Scenario", export_dir: Path) -> tuple[Path, bytes] | None:
    """Return a file to add to the faulty day, with one alert that the export does not have; none if it is there."""
    found = _alert_of(export_dir, faulty_day(scenario))
    if found is None:
        return None
    blob, line, alert_id = found
    file = blob.with_name("PT1H_3.json")
    return None if file.exists() else (file, line.replace(alert_id.encode(), f"{alert_id}-demo".encode()))


def _alert_of(export_dir: Path, day: date) -> tuple[Path, bytes, str] | None:
    """Return the first line of AlertInfo of a day, its file and its AlertId."""
    pattern = f"{ALERT_INFO.container}/tenantId=*/y={day:%Y}/m={day:%m}/d={day:%d}/h=*/m=00/PT1H.json"
    for blob in sorted(export_dir.glob(pattern)):
        for line in blob.read_bytes().splitlines(keepends=True):
            # malformed lines are of no use here
            with suppress(ValueError, KeyError):
                properties = json.loads(line)["properties"]
                if properties["Severity"]:
                    return blob, line, properties["AlertId"]
    return None


def old_demo(folder: Path) -> str:
    """Return a line that names an older version's demo and the command that removes it; empty if there is none.

    Once a setting is made, `.defender/lake` and `.defender/dagster` may be the user's own: the command leaves them.
    """
    own = () if is_configured(folder) else ("lake", "dagster")
    names = [f".defender/{name}" for name in ("demo.json", "export", *own)]
    if not (folder / names[0]).exists():
        return ""
    there = " ".join(name for name in names if (folder / name).exists())
    return (
        f".defender holds the demo of an older version. Unless you put data of your own there, remove it: rm -r {there}"
    )
