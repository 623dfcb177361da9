"""The units of one host on PostgreSQL: the code server runs the days; the web server and the daemon have no key."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from defender_assets.core.export import Export
from defender_assets.core.lake.lake import Lake
from defender_assets.settings import load_settings
from defender_assets_tests.integration.live.processes import WebServer, wait_for
from defender_assets_tests.integration.scale.exports import Written, assert_exact, matches_truth, write
from defender_assets_tests.integration.scale.hosts import ONE_HOST, Host, Unit, running
from defender_assets_tests.integration.scale.servers import run_postgres
from defender_assets_tests.support.emulator import run_emulator

pytestmark = pytest.mark.scale

UNITS = [ONE_HOST / f"defender-{name}.service" for name in ("code", "daemon", "webserver")]


@dataclass(frozen=True)
class Site:
    """The running host, its export and its lake."""

    host: Host
    server: WebServer
    export: Export
    lake: Lake
    written: Written


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("one")
    with run_postgres() as database, run_emulator() as emulator:
        written = write(emulator, days=4, tenants=2)
        settings = {
            "AZURE_STORAGE_CONNECTION_STRING": emulator.connection_string,
            "DEFENDER_LAKE_URI": str(folder / "lake"),
            "DEFENDER_START_DATE": written.days[0].isoformat(),
        }
        host = Host(folder, settings, {"DAGSTER_POSTGRES_URL": database})
        host.prepare()
        ours = load_settings(settings, folder)
        with running(host, UNITS) as server:
            yield Site(host, server, ours.export(), ours.lake(), written)


def test_the_units_complete_every_day(site: Site, tmp_path: Path) -> None:
    wait_for(lambda: matches_truth(site.lake, site.export, site.written), "the truth", site.host, 2)
    assert_exact(site.lake, site.export, site.written, tmp_path)


def test_runs_are_kept_in_postgresql(site: Site) -> None:
    wait_for(lambda: bool(site.server.runs()), "a run", site.host)
    assert list(site.host.folder.rglob("*.db")) == []


def test_only_the_code_server_gets_the_keys() -> None:
    assert {path.stem: "settings.env" in Unit.read(path).files for path in UNITS} == {
        "defender-code": True,
        "defender-daemon": False,
        "defender-webserver": False,
    }
