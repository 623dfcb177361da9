"""The cost of the leads of a day: seconds, CPU seconds and peak memory.

The day has a million rows of evidence and five million heartbeats of 100,000 devices. A separate process generates the
typed tables (`big_day`), and each build of the day is a separate process, so that only its own memory is counted.
`--alert-days 1` puts all evidence on the day itself.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.arguments import at_least_one
from benchmarks.big_day import DAY, Size
from defender_assets.catalog import LAKE_TABLES, LEADS
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition

TARGET_SECONDS, TARGET_GIB = 60, 3


def build(lake: str) -> None:
    """Build the leads of the day and print the cost as JSON."""
    before = time.perf_counter()
    report = build_partition(Lake(lake, LAKE_TABLES), LEADS, DAY, force=True)
    seconds = time.perf_counter() - before
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {"leads": report.rows.height, "as_of": report.rows.filter(device_match="as_of").height}
    print(json.dumps(found | {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "gib": used.ru_maxrss / 2**20}))


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks leads", description=__doc__)
    parser.add_argument("--runs", type=at_least_one, default=3)
    for name, value in asdict(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    options = vars(parser.parse_args(arguments))
    runs = options.pop("runs")
    with TemporaryDirectory(prefix="leads-") as folder:
        lake = str(Path(folder) / "lake")
        sizes = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        subprocess.run([sys.executable, "-m", "benchmarks.big_day", lake, *sizes], check=True)
        command = [sys.executable, "-m", "benchmarks.leads", lake]
        found = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(runs)]
    print(", ".join(f"{name} {value:,}" for name, value in options.items()))
    print("median of", runs, {name: round(median(run[name] for run in found), 2) for name in found[0]})
    print(f"target: under {TARGET_SECONDS} s and {TARGET_GIB} GiB on 2 cores")


if __name__ == "__main__":
    build(sys.argv[1])
