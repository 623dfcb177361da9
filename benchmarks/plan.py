"""A capacity plan for 1,000 tenants, a million devices and 1 TB a day: measured unit costs, then arithmetic.

The arithmetic is in `Group` and is printed, so that every figure of docs/scale.md can be reproduced. Prices and the
time of a list call against a real account cannot be measured here: they are printed as assumptions.
"""

import argparse
import math
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.export import DirectoryExport
from defender_assets.core.export.listing import list_day
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.raw import ingest
from defender_assets.core.raw.cursors import read_cursors
from defender_assets.core.schemas import DEVICE_INFO, RAW_SCHEMA, TABLES
from defender_assets.core.tables import build
from defender_assets.sensors.new_blobs import DEADLINE_SECONDS
from defender_assets.settings import DEFAULT_LOOKBACK, DEFAULT_SENSOR_SECONDS
from defender_assets.simulator import Scenario, simulate, write_directory

DAY = date(2026, 11, 3)
# MB that one CPU second turns into raw and typed rows. Update it from the figure that this benchmark prints.
PARSED_MB_PER_CPU_SECOND = 45.0

# Assumptions, not measurements.
LIST_SECONDS = 0.020
LIST_DOLLARS = 0.055 / 10_000
WRITE_DOLLARS = 0.065 / 10_000
READ_DOLLARS = 0.005 / 10_000

DAY_SECONDS = 24 * 3600
RANGE_MB = 8 * 1024**2 / 1e6
RECORD_KB = 1.5
ID_BYTES = 16  # a number of 128 bits, see `core.tables.deduplication`
COMMITS_A_RUN = 13  # raw, quarantine, typed of three tables; leads, stories, OCSF events, the brief


@dataclass(frozen=True)
class Group:
    """The tenants that one code location serves, from one account into one lake."""

    tenants: int
    gigabytes: float
    runs: int
    """Runs of the running day in 24 hours."""

    @property
    def lists_a_tick(self) -> int:
        """Each table: pages of tenants, then a listing of each tenant's days."""
        return len(TABLES) * (math.ceil(self.tenants / 5000) + (DEFAULT_LOOKBACK + 1) * self.tenants)

    @property
    def list_seconds(self) -> float:
        return self.lists_a_tick * LIST_SECONDS

    @property
    def records(self) -> float:
        return self.gigabytes * 1e6 / RECORD_KB

    @property
    def cores(self) -> float:
        """Processors that parse continuously."""
        return self.gigabytes * 1000 / PARSED_MB_PER_CPU_SECOND / 86_400

    @property
    def files_written(self) -> int:
        """Raw files of a day before compaction: one for each tenant whose hour grew, table and run."""
        return self.tenants * len(TABLES) * self.runs

    @property
    def files_kept(self) -> int:
        """Raw files of a day after compaction: one an hour, tenant and table."""
        return self.tenants * len(TABLES) * 24

    @property
    def reads(self) -> float:
        """Range reads: full ranges, and a partial one for each tenant, table and run."""
        return self.gigabytes * 1000 / RANGE_MB + self.files_written

    def dollars(self, sensor_seconds: int) -> float:
        """Requests of a day: lists, reads, writes."""
        lists = self.lists_a_tick * DAY_SECONDS / sensor_seconds * LIST_DOLLARS
        return lists + self.reads * READ_DOLLARS + self.files_written * WRITE_DOLLARS


def parse_rate(root: Path, devices: int) -> float:
    """Return MB of DeviceInfo per CPU second from a directory into typed rows, in a warm process."""
    scenario = Scenario(DAY, days=1, devices=devices, tenants=1, alerts_per_day=0, campaigns_per_tenant=0)
    write_directory((a for a in simulate(scenario) if a.container == DEVICE_INFO.container), root / "export")
    export = DirectoryExport(root / "export")
    size = sum(blob.size for blob in list_day(export, DEVICE_INFO.container, DAY).blobs)
    for lake in (Lake(str(root / "warming"), LAKE_TABLES), Lake(str(root / "lake"), LAKE_TABLES)):
        before = _cpu()
        ingest.ingest(lake, export, DEVICE_INFO, DAY)
        report = build.build_table_day(lake, DEVICE_INFO, DAY)
        spent = _cpu() - before
        print(f"  {size / 1e6:.0f} MB, {report.rows} records, {spent:.1f} CPU s")
    return size / 1e6 / spent


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def log_seconds(root: Path, files: int) -> tuple[float, float]:
    """Return the seconds to open a raw table of `files` files, and to read a day's cursors from it."""
    hours = pl.DataFrame({"hour": range(24)}).join(pl.DataFrame({"tenant": range(files // 24)}), how="cross")
    tenant = pl.format("{}", "tenant").str.zfill(32)
    rows = hours.select(
        tenant_id=tenant,
        export_date=pl.lit(DAY),
        hour=pl.col("hour").cast(pl.Int32),
        blob=pl.format("tenantId={}/y=2026/m=11/d=03/h={}/m=00/PT1H.json", tenant, "hour"),
        blob_created_at=pl.lit(DAY).cast(pl.Datetime("us", "UTC")),
        byte_start=pl.lit(0, pl.Int64),
        byte_end=pl.lit(1, pl.Int64),
        batch=pl.lit(1, pl.Int64),
        fetched_at=pl.lit(DAY).cast(pl.Datetime("us", "UTC")),
        content=pl.lit(b"x"),
    )
    rows = rows.match_to_schema(RAW_SCHEMA, missing_columns="insert")
    lake = Lake(str(root / f"log-{files}"), LAKE_TABLES)
    target = lake.fenced(DEVICE_INFO.raw, DAY)
    lake.commit(target, Commit([rows], 1))
    lake.open(DEVICE_INFO.raw).create_checkpoint()
    began = time.perf_counter()
    table = lake.open(DEVICE_INFO.raw)
    opened = time.perf_counter()
    cursors = read_cursors(table, [DAY])
    if len(cursors[DAY]) != files:
        raise RuntimeError(f"{len(cursors[DAY])} cursors of {files} files")
    return opened - began, time.perf_counter() - opened


def show(groups: dict[str, Group]) -> None:
    print(
        f"\nassumed: {LIST_SECONDS * 1000:.0f} ms and ${LIST_DOLLARS * 10_000:.3f} per 10,000 for a list call, "
        f"${WRITE_DOLLARS * 10_000:.3f} a write, ${READ_DOLLARS * 10_000:.3f} a read"
    )
    lines: dict[str, Callable[[Group], str]] = {
        "tenants": lambda g: f"{g.tenants:,}",
        "GB a day": lambda g: f"{g.gigabytes:,.0f}",
        "list calls a tick": lambda g: f"{g.lists_a_tick:,}",
        f"… seconds, of {DEADLINE_SECONDS}": lambda g: f"{g.list_seconds:,.0f}",
        "processors that parse": lambda g: f"{g.cores:.2f}",
        "records a day, million": lambda g: f"{g.records / 1e6:,.0f}",
        "… their ids in memory, GB": lambda g: f"{g.records * ID_BYTES / 1e9:.1f}",
        "runs of the running day": lambda g: f"{g.runs:,}",
        "Delta commits a day": lambda g: f"{g.runs * COMMITS_A_RUN:,}",
        "raw files written a day": lambda g: f"{g.files_written:,}",
        "raw files kept a day": lambda g: f"{g.files_kept:,}",
        "… in 365 days, million": lambda g: f"{g.files_kept * 365 / 1e6:.1f}",
        "range reads a day": lambda g: f"{g.reads:,.0f}",
        f"requests a day, $, a tick in {DEFAULT_SENSOR_SECONDS} s": lambda g: (
            f"{g.dollars(DEFAULT_SENSOR_SECONDS):,.2f}"
        ),
        "… a tick in 30 s": lambda g: f"{g.dollars(30):,.2f}",
    }
    print(f"{'':<30}" + "".join(f"{name:>16}" for name in groups))
    for name, format_value in lines.items():
        print(f"{name:<30}" + "".join(f"{format_value(group):>16}" for group in groups.values()))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks plan", description=__doc__)
    parser.add_argument("--devices", type=int, default=6000, help="devices whose day is parsed for the rate")
    parser.add_argument("--files", type=int, nargs="+", default=[240, 2400, 7200], help="files in the logs opened")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="plan-") as folder:
        rate = parse_rate(Path(folder), options.devices)
        print(f"parsed MB a processor second: {rate:.1f} (the plan takes {PARSED_MB_PER_CPU_SECOND})")
        for files in options.files:
            opening, cursors = log_seconds(Path(folder), files)
            print(f"log of {files:>6} files: opened in {opening * 1000:.0f} ms, cursors in {cursors * 1000:.0f} ms")
    show({"one group": Group(1000, 1000, 288), "20 groups, each": Group(50, 50, 288)})
