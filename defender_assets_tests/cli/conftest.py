"""A small simulated tenant, materialized once by the core, and the commands run on it as a user runs them.

The export also holds an alert whose title an attacker wrote: see `hostile`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from defender_assets.cli import main
from defender_assets.core.tables import ALERT_INFO
from defender_assets.settings import Settings
from defender_assets.simulator import Scenario, export_directory
from defender_assets.simulator.tenants import build_tenant
from defender_assets_tests.cli.hostile import HOSTILE_LINE, HOSTILE_TITLE
from defender_assets_tests.day_runs import run_day
from defender_assets_tests.exports import Folder, blob_path, line, properties

SCENARIO = Scenario(start=date(2026, 11, 1), days=2, devices=6, tenants=2, alerts_per_day=3, campaigns_per_tenant=1)

Run = Callable[..., Result]


@dataclass(frozen=True)
class Held:
    """An export with a lake that holds all of it."""

    export_dir: Path
    lake_dir: Path

    @property
    def days(self) -> list[date]:
        return [SCENARIO.start + timedelta(days=number) for number in range(SCENARIO.days)]

    @property
    def tenant(self) -> str:
        return build_tenant(SCENARIO, 0).tenant_id


@pytest.fixture(scope="session")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """What the reading commands read; no test changes it."""
    root = tmp_path_factory.mktemp("held")
    made = Held(root / "export", root / "lake")
    export_directory(SCENARIO, made.export_dir)
    record = properties(ALERT_INFO, Title=HOSTILE_TITLE, AlertId="da-hostile", Severity="High")
    path = blob_path(made.days[0], 23, made.tenant)
    Folder(made.export_dir).append(ALERT_INFO, path, line(ALERT_INFO, record, tenant=made.tenant) + HOSTILE_LINE)
    settings = Settings(export_dir=made.export_dir, lake_uri=str(made.lake_dir))
    lake, export = settings.lake(), settings.export()
    for day in made.days:
        run_day(lake, export, day)
    return made


@pytest.fixture
def run() -> Run:
    """Run a command as a user does; an exception that gets through fails the test."""

    def command(*arguments: str) -> Result:
        result = CliRunner().invoke(main, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return command


@pytest.fixture
def on_held(held: Held, monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    """Run a command with settings that name the materialized tenant."""
    monkeypatch.setenv("DEFENDER_EXPORT_DIR", str(held.export_dir))
    monkeypatch.setenv("DEFENDER_LAKE_URI", str(held.lake_dir))
    return run
