"""A backfill of many days of a small tenant through Dagster: the cost of each day, and the start-up cost of a run.

The first part runs the days one by one in one process. The second part runs the same few days in each possible way: a
process for each run (as the default launcher), a warm process (as a Celery worker), one run of a range, and a process
for each run with two at a time.
"""

import argparse
import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import dagster as dg

from defender_assets.definitions import build_defs
from defender_assets.jobs import INGEST_DAY
from defender_assets.settings import Settings
from defender_assets.simulator import Scenario, simulate, write_directory

START = date(2026, 1, 1)
TARGET = 1.25
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@dataclass(frozen=True)
class Cost:
    """Wall seconds, CPU seconds (children included), resident MB of the process afterwards."""

    wall: float
    cpu: float
    resident: float


@contextmanager
def costs(into: list[Cost]) -> Iterator[None]:
    """Measure the block."""
    wall, cpu = time.perf_counter(), _cpu()
    yield
    into.append(Cost(time.perf_counter() - wall, _cpu() - cpu, resident_mb()))


def _cpu() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def resident_mb() -> float:
    """Resident memory of this process in MB, after a garbage collection."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def settings_of(root: Path, lake: str) -> Settings:
    return Settings(export_dir=root / "export", lake_uri=str(root / lake), start_date=START)


def run(settings: Settings, instance: dg.DagsterInstance, first: date, last: date | None = None) -> None:
    """Run a day, or a range of days in one run."""
    job = build_defs(settings).resolve_job_def(INGEST_DAY.name)
    span = {} if last is None else dict(zip(_RANGE, (first.isoformat(), last.isoformat()), strict=True))
    key = first.isoformat() if last is None else None
    job.execute_in_process(run_config=_QUIET, instance=instance, partition_key=key, tags=span)


def days_from(first: date, count: int) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]


def run_each_day(root: Path, days: Sequence[date]) -> list[Cost]:
    """One run for each day in this process, with one instance on SQLite as `make` sets it up."""
    found: list[Cost] = []
    settings = settings_of(root, "lake")
    (root / "home").mkdir()
    shutil.copy("dagster.yaml", root / "home")
    with dg.DagsterInstance.from_config(str(root / "home")) as instance:
        for day in days:
            with costs(found):
                run(settings, instance, day)
    return found


def show_days(found: Sequence[Cost]) -> None:
    """Groups of ten days, and the later groups compared with the first after a complete look-back of 30 days."""
    middle = len(found) // 2
    tens = {"1 to 10": 0, "31 to 40": 30, f"{middle - 4} to {middle + 5}": middle - 5, "last 10": len(found) - 10}
    print(f"{'days, medians':<16}{'wall s':>10}{'CPU s':>10}{'RSS MB':>10}")
    medians = {}
    for name, at in tens.items():
        part = found[at : at + 10]
        medians[name] = Cost(*(median(getattr(cost, field) for cost in part) for field in ("wall", "cpu", "resident")))
        print(f"{name:<16}{medians[name].wall:>10.2f}{medians[name].cpu:>10.2f}{medians[name].resident:>10.0f}")
    for early in ("1 to 10", "31 to 40"):
        first, last = medians[early], medians["last 10"]
        ratios = f"{last.wall / first.wall:>10.2f}{last.cpu / first.cpu:>10.2f}{last.resident / first.resident:>10.2f}"
        print(f"{'last / ' + early:<16}{ratios}")
    print(f"target: at most {TARGET} against the days 31 to 40 (the look-back of leads is complete from day 31 on)")


def process(root: Path, lake: str, day: date) -> subprocess.Popen[bytes]:
    """A process that imports everything and runs a day, as the default launcher does."""
    command = [sys.executable, "-m", "benchmarks.backfill", str(root), lake, day.isoformat()]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def in_processes(root: Path, lake: str, days: Sequence[date], at_once: int) -> None:
    waiting, running = list(days), list[subprocess.Popen[bytes]]()
    while waiting or running:
        while waiting and len(running) < at_once:
            running.append(process(root, lake, waiting.pop(0)))
        if code := running.pop(0).wait():
            raise RuntimeError(f"a run ended with code {code}")


def ways(root: Path, days: Sequence[date]) -> Mapping[str, list[Cost]]:
    """The same days in each way, twice in turn, each into a separate lake."""
    found: dict[str, list[Cost]] = {}

    def warm(lake: str) -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            for day in days:
                run(settings_of(root, lake), instance, day)

    def at_once(lake: str) -> None:
        with dg.DagsterInstance.ephemeral() as instance:
            run(settings_of(root, lake), instance, days[0], days[-1])

    each: Mapping[str, Callable[[str], None]] = {
        "a process for each": lambda lake: in_processes(root, lake, days, 1),
        "… two at a time": lambda lake: in_processes(root, lake, days, 2),
        "warm process": warm,
        "one run of a range": at_once,
    }
    for turn in range(2):
        for name, way in each.items():
            with costs(found.setdefault(name, [])):
                way(f"lake-{len(found)}-{turn}")
    return found


def show_ways(found: Mapping[str, list[Cost]], days: int) -> None:
    print(f"\n{f'a day, of {days}; the best of two':<36}{'wall s':>10}{'CPU s':>10}")
    for name, each in found.items():
        print(f"{name:<36}{min(c.wall for c in each) / days:>10.2f}{min(c.cpu for c in each) / days:>10.2f}")


def show_imports() -> None:
    """The cost of imports before a run can begin."""
    print(f"\n{'imports, medians of 3':<36}{'wall s':>10}{'CPU s':>10}")
    for name in (
        "dagster",
        "polars",
        "azure.storage.blob",
        "azure.identity",
        "defender_assets.definitions",
    ):
        found: list[Cost] = []
        for _ in range(3):
            with costs(found):
                subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
        print(f"{name:<36}{median(c.wall for c in found):>10.2f}{median(c.cpu for c in found):>10.2f}")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks backfill", description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--ways", type=int, default=6, metavar="DAYS", help="days to run in each way")
    options = parser.parse_args(arguments)
    if options.days < 50:
        parser.error("--days: 50 or more, so that the groups of ten do not overlap")
    scenario = Scenario(START, days=options.days, devices=20, tenants=1, alerts_per_day=8, campaigns_per_tenant=3)
    with TemporaryDirectory(prefix="backfill-") as folder:
        root = Path(folder)
        written = write_directory(simulate(scenario), root / "export")
        print(f"{options.days} days of {written / options.days / 1e6:.2f} MB")
        show_days(run_each_day(root, days_from(START, options.days)))
        show_ways(ways(root, days_from(START, options.ways)), options.ways)
        show_imports()


if __name__ == "__main__":
    where, into, day_text = sys.argv[1:]
    with dg.DagsterInstance.ephemeral() as ephemeral:
        run(settings_of(Path(where), into), ephemeral, date.fromisoformat(day_text))
