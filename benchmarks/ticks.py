"""The cost of a tick at the start of a day, after 3,000 small commits to it, and after maintenance.

A tick is the work of the sensor and of the run that it requests for one small append: find stale days among four, read
the bytes into raw, parse them. It excludes the start of the Dagster run, which costs the same for any size of the lake.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.arguments import at_least_one
from defender_assets.catalog import DERIVED, LAKE_TABLES
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake import compaction
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.maintenance import maintain
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw import ingest
from defender_assets.core.schemas import DEVICE_INFO, TABLES
from defender_assets.core.tables import build

TENANT = "11111111-2222-4333-8444-555555555555"
DAY = date(2026, 11, 3)
EARLIER = [DAY - timedelta(days=back) for back in (3, 2, 1)]
TARGET = 2.0


@dataclass
class Site:
    """A growing export in a directory and its lake; `timings` are milliseconds by phase and step."""

    root: Path
    commits: int
    grown: int = 0
    timings: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    @property
    def export(self) -> DirectoryExport:
        return DirectoryExport(self.root / "export")

    @property
    def lake(self) -> Lake:
        return Lake(str(self.root / "lake"), LAKE_TABLES)

    def append(self, day: date, records: int = 3) -> None:
        """Write a few heartbeats to the blob of the hour; the day's appends are spread over its 24 hours."""
        hour = min(23, self.grown * 24 // self.commits)
        path = f"tenantId={TENANT}/y={day:%Y}/m={day:%m}/d={day:%d}/h={hour:02}/m=00/PT1H.json"
        file = self.export.root / DEVICE_INFO.container / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as opened:
            for number in range(records):
                opened.write(heartbeat(day, hour, self.grown * records + number))
        self.grown += 1

    def work(self, day: date) -> None:
        """Process an append as a run does, without leads and stories."""
        ingest.ingest(self.lake, self.export, DEVICE_INFO, day)
        build.build_table_day(self.lake, DEVICE_INFO, day)


def heartbeat(day: date, hour: int, number: int) -> bytes:
    """A line of DeviceInfo in the format of the export, of about 1.2 KB."""
    moment = f"{day}T{hour:02}:{number // 60 % 60:02}:{number % 60:02}.1234567Z"
    properties = {
        "Timestamp": moment,
        "DeviceId": f"{number % 997:040x}",
        "DeviceName": f"host{number % 997}.corp.example",
        "OSPlatform": "Windows11",
        "ReportId": 2**59 + number,
        "AdditionalFields": json.dumps({"filler": "x" * 800}),
    }
    envelope = {"time": moment, "tenantId": TENANT, "category": DEVICE_INFO.category, "properties": properties}
    return json.dumps(envelope).encode() + b"\r\n"


def measure(site: Site, phase: str, ticks: int) -> None:
    """Time more ticks than the interval of checkpoints, because the cost varies within it."""
    steps: Mapping[str, Callable[[], object]] = {
        "survey": lambda: find_stale_days(site.lake, site.export, [*EARLIER, DAY]),
        "raw": lambda: ingest.ingest(site.lake, site.export, DEVICE_INFO, DAY),
        "typed": lambda: build.build_table_day(site.lake, DEVICE_INFO, DAY),
    }
    timings = site.timings.setdefault(phase, {name: [] for name in [*steps, "tick"]})
    for _ in range(ticks):
        site.append(DAY)
        began = time.perf_counter()
        for name, step in steps.items():
            before = time.perf_counter()
            step()
            timings[name].append((time.perf_counter() - before) * 1000)
        timings["tick"].append((time.perf_counter() - began) * 1000)


def show(site: Site) -> None:
    first = next(iter(site.timings.values()))
    print(f"{'milliseconds, median':<28}{''.join(f'{name:>10}' for name in first)}{'ratio':>8}")
    for phase, timings in site.timings.items():
        numbers = "".join(f"{median(values):>10.1f}" for values in timings.values())
        print(f"{phase:<28}{numbers}{median(timings['tick']) / median(first['tick']):>8.2f}")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks ticks", description=__doc__)
    parser.add_argument("--commits", type=int, default=3000)
    parser.add_argument("--ticks", type=at_least_one, default=41, help="ticks to time in each phase")
    parser.add_argument("--without-compaction", action="store_true", help="runs do not compact their day")
    options = parser.parse_args(arguments)
    if options.without_compaction:
        compaction.TOO_MANY_FILES = 10 * options.commits
    with TemporaryDirectory(prefix="ticks-") as folder:
        site = Site(Path(folder), options.commits)
        for day in EARLIER:
            site.append(day)
            for table in TABLES:
                ingest.ingest(site.lake, site.export, table, day)
                build.build_table_day(site.lake, table, day)
            for derived in DERIVED:
                build_partition(site.lake, derived, day)
        measure(site, "warm-up", 5)
        site.timings.clear()
        measure(site, "start of the day", options.ticks)
        began = time.perf_counter()
        while site.grown < options.commits:
            site.append(DAY)
            site.work(DAY)
        print(f"grew to {site.grown} commits in {time.perf_counter() - began:.0f} s")
        measure(site, f"after {site.grown} commits", options.ticks)
        began = time.perf_counter()
        done = [maintain(site.lake, layout.name).describe() for layout in LAKE_TABLES]
        print(f"maintenance took {time.perf_counter() - began:.1f} s:", *done, sep="\n  ")
        measure(site, "after maintenance", options.ticks)
        show(site)
        print(f"target: at most {TARGET:.0f} times the start")
