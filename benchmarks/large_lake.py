"""The cost of one more alert or heartbeat in a large lake: CPU seconds of each derived table, and peak memory.

The look-back has a million rows of evidence and five million heartbeats of 100,000 devices (`big_day`), and the leads
of the week before. Each round adds to the day an alert, then a heartbeat, then an alert with 2,000 heartbeats, which is
what arrives in about five minutes. After each it builds leads, stories, queue, OCSF events and the brief in a fresh
process, whose imports are not counted. `--lake` keeps the lake for further measurements, such as with the code of
another checkout: run the module there.
"""

import argparse
import json
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.arguments import at_least_one
from benchmarks.big_day import DAY, Size, add_alert, add_heartbeats
from defender_assets.catalog import DERIVED, LAKE_TABLES, LEADS
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.stories import STORY_LOOKBACK_DAYS

TARGET_CPU_SECONDS = 8

ARRIVALS = {"an alert": (1, 0), "a heartbeat": (0, 1), "an alert and 2,000 heartbeats": (1, 2_000)}
"""What arrives before a build: alerts and heartbeats."""


def build_week_before(lake: Lake) -> None:
    """Build the leads of the days before."""
    for back in range(STORY_LOOKBACK_DAYS, 0, -1):
        build_partition(lake, LEADS, DAY - timedelta(days=back))


def add(lake: Lake, size: Size, alerts: int, heartbeats: int) -> None:
    """Append alerts and heartbeats to the day."""
    for _ in range(alerts):
        add_alert(lake, size)
    if heartbeats:
        add_heartbeats(lake, size, heartbeats)


def build_day(lake: Lake) -> dict[str, float]:
    """Build the derived tables of the day; return CPU seconds by table, and peak GiB."""
    spent, rows = {}, {}
    for derived in DERIVED:
        before = _cpu()
        rows[derived.name] = build_partition(lake, derived, DAY).rows.height
        spent[derived.name] = _cpu() - before
    peak = getrusage(RUSAGE_SELF).ru_maxrss / 2**20
    return {**spent, "all": sum(spent.values()), "leads": rows[LEADS.name], "peak GiB": peak}


def _cpu() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _run(*command: str) -> str:
    return subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.PIPE, text=True).stdout


def main(arguments: list[str]) -> None:
    """Fill the lake unless it exists, and print the medians of the rounds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks large_lake", description=__doc__)
    parser.add_argument("--rounds", type=at_least_one, default=3)
    parser.add_argument("--lake", help="a directory to keep the lake in; an existing one is not filled again")
    for name, value in asdict(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    options = vars(parser.parse_args(arguments))
    rounds, kept = options.pop("rounds"), options.pop("lake")
    with nullcontext(kept) if kept else TemporaryDirectory(prefix="large-lake-") as folder:
        lake = str(Path(folder) / "lake")
        if not Path(lake).exists():
            _run(
                "benchmarks.big_day", lake, *(f"--{name.replace('_', '-')}={value}" for name, value in options.items())
            )
            _run("benchmarks.large_lake", lake, "week")
        found: dict[str, list[dict[str, float]]] = {what: [] for what in ARRIVALS}
        for _ in range(rounds):
            for what, (alerts, heartbeats) in ARRIVALS.items():
                add(Lake(lake, LAKE_TABLES), Size(**options), alerts, heartbeats)
                found[what].append(json.loads(_run("benchmarks.large_lake", lake, "day")))
    for what, costs in found.items():
        print(f"-- {what}")
        for name in costs[0]:
            values = [cost[name] for cost in costs]
            print(f"{name:<28}{median(values):>10,.2f}   {min(values):,.2f} to {max(values):,.2f}")
    print(f"target: {TARGET_CPU_SECONDS} CPU seconds in all")


if __name__ == "__main__":
    target, what = sys.argv[1:]
    opened = Lake(target, LAKE_TABLES)
    if what == "week":
        build_week_before(opened)
    else:
        print(json.dumps(build_day(opened)))
