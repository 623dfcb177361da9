"""A real daemon's sensor brings a lake with unfinished work up to date with a growing account; the UI shows it."""

import json
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from defender_assets.catalog import DERIVED
from defender_assets.core.export import Export
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import DEVICE_INFO, QUARANTINE, TABLES
from defender_assets.settings import load_settings
from defender_assets_tests.integration.live.growing import GrowingExport
from defender_assets_tests.integration.live.processes import (
    QUICKER_DEFINITIONS,
    Installation,
    WebServer,
    running,
    wait_for,
)
from defender_assets_tests.support.day_runs import promised_rows, run_day
from defender_assets_tests.support.days import keep_clear_of_midnight
from defender_assets_tests.support.emulator import run_emulator
from defender_assets_tests.support.waiting import HANG_SECONDS

pytestmark = [pytest.mark.live, pytest.mark.azure]

KILLED_RUN_MAX_SECONDS = 20
"""Maximum run time of the killed run, in seconds. Other runs may take longer."""


@dataclass(frozen=True)
class Site:
    """The running installation, its export and lake, and the expected result."""

    installation: Installation
    server: WebServer
    export: Export
    lake: Lake
    truth: GrowingExport

    @property
    def days(self) -> list[date]:
        """The days of the export: with raw bytes and a killed run, stale, and current."""
        return self.truth.days


def kill_a_run(installation: Installation, lake: Lake, day: date) -> None:
    """Run the day in a process that is killed right after its first commit. Run monitoring marks the run as failed."""
    process = installation.start(
        "killed",
        *("dagster", "asset", "materialize", "--select", "*", "--partition", day.isoformat()),
        *("-m", "defender_assets_tests.integration.live.dying"),
    )
    assert process.wait(HANG_SECONDS) == -signal.SIGKILL, installation.log_tails()
    assert any(Path(lake.uri, table.raw, f"export_date={day}").exists() for table in TABLES)
    with dg.DagsterInstance.from_config(str(installation.home)) as instance:
        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.STARTED
        instance.add_run_tags(run.run_id, {MAX_RUNTIME_SECONDS_TAG: str(KILLED_RUN_MAX_SECONDS)})


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Web server and daemon for a growing account and a lake with several kinds of unfinished work."""
    folder = tmp_path_factory.mktemp("live")
    keep_clear_of_midnight(seconds=600)
    with run_emulator() as emulator, emulator.service() as service:
        truth = GrowingExport(service)
        killed, stale, _ = truth.days
        installation = Installation(
            folder,
            {
                "AZURE_STORAGE_CONNECTION_STRING": emulator.connection_string,
                "DEFENDER_LAKE_URI": str(folder / "lake"),
                "DEFENDER_START_DATE": truth.start_date.isoformat(),
            },
            definitions=QUICKER_DEFINITIONS,
        )
        installation.prepare()
        settings = load_settings(installation.settings, folder)
        lake, export = settings.lake(), settings.export()
        seeded_rng = random.Random(3)
        for _ in range(2):
            truth.grow(seeded_rng, 0.5)
        ingest(lake, export, DEVICE_INFO, killed)
        run_day(lake, export, stale)
        kill_a_run(installation, lake, killed)
        with truth.growing(rounds=2, pause=2) as written, running(installation) as server:
            site = Site(installation, server, export, lake, truth)
            wait_for(lambda: written.is_set() or truth.problem is not None, "the end of growth", installation)
            assert truth.problem is None
            yield site


def matches_truth(site: Site) -> bool:
    behind = find_stale_days(site.lake, site.export, site.days)
    # the next run looks through the bytes after the last newlines, then none is behind
    return sum(day.missing_bytes for day in behind) in {0, site.truth.pending()} and not any(
        day.stale for day in behind
    )


def wait_for_truth(site: Site) -> None:
    # each check lists the account
    wait_for(lambda: site.server.is_idle() and matches_truth(site), "the truth", site.installation, 2)


def test_the_sensor_alone_completes_every_day(site: Site) -> None:
    wait_for_truth(site)

    counts: dict[tuple[str, str, date], int] = {}
    for table in TABLES:
        rows = site.lake.read(table.name).select("tenant_id", "export_date", "record_id").collect()
        for tenant_id, day, count, distinct in (
            rows.group_by("tenant_id", "export_date")
            .agg(pl.len().alias("count"), pl.col("record_id").n_unique().alias("distinct"))
            .iter_rows()
        ):
            assert count == distinct
            counts[table.hunting_name, tenant_id, day] = count
    assert counts == site.truth.distinct()


def test_the_result_equals_that_of_an_undisturbed_run(site: Site, tmp_path: Path) -> None:
    wait_for_truth(site)
    undisturbed = Lake(str(tmp_path / "undisturbed"), site.lake.tables)
    for day in site.days:
        run_day(undisturbed, site.export, day)
    for table in TABLES:
        columns = [column.name for column in table.columns]
        order = ["export_date", "record_id"]
        found, expected = (
            lake.read(table.name).select(*order, "tenant_id", "unmapped", *columns).sort(order).collect()
            for lake in (site.lake, undisturbed)
        )
        assert found.equals(expected)
    for derived in DERIVED:
        found, expected = (promised_rows(lake, derived).collect() for lake in (site.lake, undisturbed))
        assert found.equals(expected)
        assert found.height
    bad = [
        lake.read(QUARANTINE).sort("table_name", "blob", "byte_offset").drop("batch", "blob_created_at").collect()
        for lake in (site.lake, undisturbed)
    ]
    assert bad[0].equals(bad[1])
    assert bad[0].height


def test_only_the_killed_run_failed(site: Site) -> None:
    wait_for_truth(site)
    wait_for(site.server.is_idle, "the end of all runs", site.installation)
    runs = site.server.runs()
    failed = [(run["jobName"], run["tags"].get("dagster/partition")) for run in runs if run["status"] == "FAILURE"]
    assert failed == [("__ASSET_JOB", site.days[0].isoformat())]
    by_partition = [run for run in runs if run["jobName"] == "ingest_day"]
    expected = {day.isoformat() for day in site.truth.days_with_bytes}
    assert {run["tags"]["dagster/partition"] for run in by_partition} == expected
    assert all(run["tags"]["dagster/sensor_name"] == "new_blobs_sensor" for run in by_partition)
    # the sensor requests one at its first tick; the schedule may request another at any time
    by_sensor = [run["jobName"] for run in runs if "dagster/sensor_name" in run["tags"]]
    assert by_sensor.count("sweep_older_days") == 1


def test_the_web_server_shows_assets_groups_partitions_and_materializations(site: Site) -> None:
    data = site.server.graphql(
        "{ assetNodes { assetKey { path } groupName isMaterializable partitionDefinition { type } partitionKeys "
        "assetMaterializations(limit: 1) { partition } assetObservations(limit: 1) { label } } }"
    )
    nodes = {"/".join(node["assetKey"]["path"]): node for node in data["assetNodes"]}
    assert {name: node["groupName"] for name, node in nodes.items()} == {
        **{name: "export" for table in TABLES for name in (table.container, table.raw)},
        **{table.name: "tables" for table in TABLES},
        "quarantined_records": "tables",
        "device_enriched_leads": "leads",
        "lead_stories": "leads",
        "lead_queue": "leads",
        "ocsf_detection_findings": "leads",
        "daily_briefs": "leads",
        "lead_verdicts": "leads",
        "detection_quality": "leads",
    }
    for name in ("lead_verdicts", "detection_quality"):
        of_triage = nodes.pop(name)
        assert not of_triage["isMaterializable"]
        assert of_triage["partitionDefinition"] is None
    for name in (table.container for table in TABLES):
        container = nodes.pop(name)
        assert not container["isMaterializable"]
        assert container["assetObservations"]
    for node in nodes.values():
        assert node["partitionDefinition"]["type"] == "TIME_WINDOW"
        assert node["partitionKeys"][0] == site.truth.start_date.isoformat()
        assert site.days[-1].isoformat() in node["partitionKeys"]
        assert node["assetMaterializations"][0]["partition"] in {day.isoformat() for day in site.days}


def test_the_sensor_and_the_schedules_are_on_by_default(site: Site) -> None:
    selector = '{ repositoryName: "__repository__", repositoryLocationName: "defender_assets" }'
    data = site.server.graphql(
        f"{{ sensorsOrError(repositorySelector: {selector}) {{ ... on Sensors {{ results {{ name sensorState "
        "{ status ticks(limit: 50) { status error { message } } } } } } "
        f"schedulesOrError(repositorySelector: {selector}) {{ ... on Schedules {{ results {{ name scheduleState "
        "{ status } } } } }"
    )
    (sensor,) = data["sensorsOrError"]["results"]
    schedules = {each["name"]: each["scheduleState"]["status"] for each in data["schedulesOrError"]["results"]}
    assert (sensor["name"], sensor["sensorState"]["status"]) == ("new_blobs_sensor", "RUNNING")
    names = ("daily_sweep", "hourly_check", "hourly_maintenance", "hourly_quality", "weekly_audit")
    assert schedules == dict.fromkeys(names, "RUNNING")
    assert [tick["error"] for tick in sensor["sensorState"]["ticks"] if tick["error"]] == []


def content_of(file: Path) -> bytes:
    """The bytes of a file; none if it was deleted after the listing, as SQLite's journals are."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return b""


def test_no_log_file_or_response_contains_the_key(site: Site) -> None:
    string = site.installation.settings["AZURE_STORAGE_CONNECTION_STRING"]
    key = string.partition("AccountKey=")[2].partition(";")[0]
    assert len(key) > 60
    files = [file for file in site.installation.folder.rglob("*") if file.is_file()]
    assert len(files) > 20
    assert [file for file in files if key.encode() in content_of(file)] == []
    for query in ("{ instance { info } }", "{ workspaceOrError { __typename } }"):
        assert key not in json.dumps(site.server.graphql(query))
