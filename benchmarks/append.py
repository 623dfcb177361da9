"""Seconds from an append to the export until its lead is in the table, with a code server and a daemon as deployed.

The settings are the defaults. The export is a directory or, with `--azure`, the emulator, which then has the lake too.
Each append is an alert with its evidence on a device. It comes at a random moment after the lead of the one before.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import dagster as dg
import polars as pl
from azure.storage.blob import BlobServiceClient

from benchmarks.arguments import at_least_one
from benchmarks.installation import Installation, cpu_of, cpu_of_ended_children
from defender_assets.catalog import LEADS
from defender_assets.core.export import Export
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, Table
from defender_assets.sensors.new_blobs import UNFINISHED
from defender_assets.settings import load_settings
from defender_assets.simulator import Scenario, simulate, write_account, write_directory
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.emulator import run_emulator
from defender_assets_tests.support.exports import blob_path, line, properties
from defender_assets_tests.support.waiting import wait_until

DAYS = 4
POLL_SECONDS = 0.2
MEDIAN_TARGET, WORST_TARGET = 20, 40
STAGES = ("until the tick", "the tick", "in the queue", "process start", "raw and typed", "leads")


@dataclass(frozen=True)
class Site:
    """An export that grows, the lake that follows it, and the Dagster instance."""

    at: Installation
    export: Export
    lake: Lake
    append: Callable[[Table, bytes], None]


def _to_directory(root: Path) -> Callable[[Table, bytes], None]:
    def append(table: Table, content: bytes) -> None:
        now = datetime.now(UTC)
        file = root / table.container / blob_path(now.date(), now.hour)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as opened:
            opened.write(content)

    return append


def _to_account(service: BlobServiceClient) -> Callable[[Table, bytes], None]:
    def append(table: Table, content: bytes) -> None:
        now = datetime.now(UTC)
        client = service.get_blob_client(table.container, blob_path(now.date(), now.hour))
        if not client.exists():
            client.create_append_blob()
        client.append_block(content)

    return append


@contextmanager
def site(root: Path, variables: Mapping[str, str], *, azure: bool) -> Iterator[Site]:
    """Write an export of some days; prepare an installation that reads it."""
    days = [day_before(back) for back in range(DAYS - 1, -1, -1)]
    scenario = Scenario(
        days[0], days=DAYS, devices=20, tenants=1, alerts_per_day=8, campaigns_per_tenant=3, until=datetime.now(UTC)
    )
    settings = {"DEFENDER_START_DATE": days[0].isoformat(), **variables}
    with ExitStack() as stack:
        if azure:
            emulator = stack.enter_context(run_emulator())
            service = stack.enter_context(emulator.service())
            write_account(simulate(scenario), service)
            append = _to_account(service)
            settings |= {
                "AZURE_STORAGE_CONNECTION_STRING": emulator.connection_string,
                "DEFENDER_LAKE_URI": "az://lake/tables",
            }
        else:
            write_directory(simulate(scenario), root / "export")
            append = _to_directory(root / "export")
            settings |= {"DEFENDER_EXPORT_DIR": str(root / "export"), "DEFENDER_LAKE_URI": str(root / "lake")}
        at = Installation(root / "installation", settings)
        at.prepare()
        loaded = load_settings(settings, at.folder)
        yield Site(at, loaded.export(), loaded.lake(), append)


def is_up_to_date(at: Site) -> bool:
    """Whether no day is behind, so that the daemon has nothing to do."""
    return not find_stale_days(at.lake, at.export, [day_before(back) for back in range(DAYS)])


def append_and_wait(at: Site, number: int) -> tuple[float, float]:
    """Append an alert; return the moments of the append and of its lead, in seconds since 1970."""
    alert = f"da{number:08}"
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    for table in (ALERT_EVIDENCE, ALERT_INFO):
        record = properties(table, AlertId=alert, Timestamp=moment)
        at.append(table, line(table, record, time=moment))
    began = time.time()
    leads = at.lake.open(LEADS.name)

    def has_lead() -> bool:
        before = leads.version()
        leads.update_incremental()
        if leads.version() == before:
            return False
        rows = scan_days(leads, day_before(1), day_before(0)).filter(pl.col("alert_id") == alert)
        return not rows.select("lead_id").collect().is_empty()

    wait_until(has_lead, "the lead", at.at.log_tails, pause=POLL_SECONDS)
    return began, time.time()


def stages_of(instance: dg.DagsterInstance, began: float, ended: float) -> Sequence[float]:
    """Return the seconds of each of the STAGES; none if a run that was already in flight found the append."""
    for record in instance.get_run_records(dg.RunsFilter(job_name="ingest_day"), limit=20):
        run = record.dagster_run
        created, (leads,) = record.create_timestamp.timestamp(), instance.get_run_step_stats(run.run_id, [LEADS.name])
        launched = getattr(instance.get_run_stats(run.run_id), "launch_time", None)
        moments = [_tick_time(instance, run), created, launched, record.start_time, leads.start_time]
        if began < created < ended and None not in moments:
            known = [began, *(moment for moment in moments if moment is not None), ended]
            return [after - before for before, after in pairwise(known)]
    return []


def _tick_time(instance: dg.DagsterInstance, run: dg.DagsterRun) -> float | None:
    """Return when the tick began that requested a run."""
    for state in instance.all_instigator_state():
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=50):
            if str(tick.tick_id) == run.tags.get("dagster/tick"):
                return tick.timestamp
    return None


@dataclass
class Measured:
    """What the appends took: seconds in all and by stage, and the load of the machine at the time."""

    totals: list[float] = field(default_factory=list)
    stages: list[Sequence[float]] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)

    def add(self, total: float, stages: Sequence[float]) -> None:
        self.totals.append(total)
        self.stages.append(stages)
        self.loads.append(os.getloadavg()[0])
        shown = ", ".join(f"{name} {spent:.1f}" for name, spent in zip(STAGES, stages, strict=False))
        print(f"{total:6.1f} s at a load of {self.loads[-1]:.0f}: {shown or 'by a run in flight'}", flush=True)

    def show(self) -> None:
        print(
            f"{len(self.totals)} appends, load {min(self.loads):.0f} to {max(self.loads):.0f}, {os.cpu_count()} cores"
        )
        print(f"median {median(self.totals):.1f} s, worst {max(self.totals):.1f} s")
        print(f"targets, on an idle machine: median {MEDIAN_TARGET} s, worst {WORST_TARGET} s")
        known = [stages for stages in self.stages if stages]
        for name, spent in zip(STAGES, zip(*known, strict=True), strict=False):
            print(f"  {name:<16}{median(spent):>6.1f} s, at most {max(spent):.1f} s")


def measure(at: Site, appends: int, seed: int) -> Measured:
    """Start the processes, wait until they have nothing to do, and append; print the CPU seconds of the processes."""
    rng, measured = random.Random(seed), Measured()
    with (
        at.at.code_server() as code,
        at.at.daemon() as daemon,
        dg.DagsterInstance.from_config(str(at.at.home)) as instance,
    ):

        def is_idle() -> bool:
            unfinished = instance.get_run_records(dg.RunsFilter(statuses=[*UNFINISHED]), limit=1)
            return not unfinished and is_up_to_date(at)

        wait_until(is_idle, "the end of the first runs", at.at.log_tails, pause=2)
        started, cpu = time.time(), (cpu_of(code) + cpu_of(daemon), cpu_of_ended_children(code))
        for number in range(appends):
            # any moment of the interval between two ticks is as likely as another
            time.sleep(rng.uniform(5, 15))
            began, ended = append_and_wait(at, number)
            wait_until(is_idle, "the end of the run", at.at.log_tails, pause=1)
            measured.add(ended - began, stages_of(instance, began, ended))
        minutes = (time.time() - started) / 60
        idle, runs = cpu_of(code) + cpu_of(daemon) - cpu[0], cpu_of_ended_children(code) - cpu[1]
        print(f"CPU seconds: code server and daemon {idle / minutes:.1f} a minute, runs {runs / appends:.1f} an append")
    return measured


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks append", description=__doc__)
    parser.add_argument("--appends", type=at_least_one, default=12)
    parser.add_argument("--azure", action="store_true", help="export and lake in the emulator, not in a directory")
    parser.add_argument("--sensor-seconds", metavar="N", help="DEFENDER_SENSOR_SECONDS, by default not set")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    variables = {"DEFENDER_SENSOR_SECONDS": options.sensor_seconds} if options.sensor_seconds else {}
    with TemporaryDirectory(prefix="append-") as folder, site(Path(folder), variables, azure=options.azure) as at:
        measure(at, options.appends, options.seed).show()
