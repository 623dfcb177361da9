"""The fixture `small_lake`: two small simulated tenants, materialized by the core, for tests that only read.

The export also contains an alert whose texts all come from an attacker: see `hostile_text`.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from defender_assets.core.lake.lake import Lake
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets.settings import Settings
from defender_assets.simulator import Scenario, export_directory
from defender_assets.simulator.tenants import build_tenant
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import Folder, blob_path, line, local_lake, properties
from defender_assets_tests.support.hostile_text import HOSTILE_HTML, HOSTILE_LINE, HOSTILE_TITLE

SCENARIO = Scenario(start=date(2026, 11, 1), days=2, devices=6, tenants=2, alerts_per_day=3, campaigns_per_tenant=1)


@dataclass(frozen=True)
class SmallLake:
    """An export, and a lake with all of it."""

    export_dir: Path
    lake_dir: Path

    @property
    def days(self) -> list[date]:
        return [SCENARIO.start + timedelta(days=number) for number in range(SCENARIO.days)]

    @property
    def tenant(self) -> str:
        return build_tenant(SCENARIO, 0).tenant_id

    @property
    def lake(self) -> Lake:
        return local_lake(self.lake_dir)


def make_small_lake(root: Path) -> SmallLake:
    """Simulate, add the hostile alert on the first day, and run the days."""
    made = SmallLake(root / "export", root / "lake")
    export_directory(SCENARIO, made.export_dir)
    _add_hostile_alert(made)
    settings = Settings(export_dir=made.export_dir, lake_uri=str(made.lake_dir))
    lake, export = settings.lake(), settings.export()
    for day in made.days:
        run_day(lake, export, day)
    return made


def _add_hostile_alert(small_lake: SmallLake) -> None:
    alert, device = {"AlertId": f"da-{HOSTILE_HTML}"}, {"DeviceId": "dev-hostile", "DeviceName": HOSTILE_HTML}
    path = blob_path(small_lake.days[0], 23, small_lake.tenant)
    rows: list[tuple[Table, dict[str, str | None]]] = [
        (ALERT_INFO, {"Title": HOSTILE_TITLE + HOSTILE_HTML, "Category": HOSTILE_HTML, "Severity": "High", **alert}),
        (ALERT_EVIDENCE, {"EntityType": "Machine", **device, **alert}),
        (ALERT_EVIDENCE, {"EntityType": "User", "AccountUpn": HOSTILE_HTML, "DeviceId": None, **alert}),
        (ALERT_EVIDENCE, {"EntityType": "Process", "ProcessCommandLine": HOSTILE_HTML, "DeviceId": None, **alert}),
        (DEVICE_INFO, {"OSPlatform": HOSTILE_HTML, "MachineGroup": HOSTILE_HTML, "ExposureLevel": "High", **device}),
    ]
    for table, changes in rows:
        record = properties(table, **{"Timestamp": f"{small_lake.days[0]}T23:15:30.1234567Z", **changes})
        Folder(small_lake.export_dir).append(table, path, line(table, record, tenant=small_lake.tenant))
    Folder(small_lake.export_dir).append(ALERT_INFO, path, HOSTILE_LINE)
