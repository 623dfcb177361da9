"""Bytes into typed Delta rows, with all guarantees, beside what others would use: in turns, a fresh process each.

`raw -> typed` parses what raw holds, `account -> typed` starts from the blobs of a directory. Wall time is that of the
whole process, start included.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import polars as pl

from benchmarks.data import DAY, write
from defender_assets.core import raw, typed
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake import Lake
from defender_assets.core.tables import ALERT_EVIDENCE, DEVICE_INFO, Table
from defender_assets.settings import LAYOUTS

TABLES = {table.hunting_name: table for table in (DEVICE_INFO, ALERT_EVIDENCE)}
PYTHON = Path(sys.prefix) / "rivals" / "bin" / "python"
RIVALS = ("disk_read", "simdjson_pass", "duckdb_typed", "polars_scan", "orjson_pyarrow")


class Cost(NamedTuple):
    wall: float
    cpu: float
    peak_mb: float


def cost(command: list[str]) -> Cost:
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command}: status {status}")
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def ours(step: str, root: Path, table: Table) -> None:
    lake = Lake(str(root / "lake"), LAYOUTS)
    if step in {"raw", "account"}:
        raw.ingest(lake, DirectoryExport(root / "export"), table, DAY)
    if step in {"typed", "account"}:
        report = typed.derive(lake, table, DAY)
        assert report.balanced, report  # noqa: S101 (a wrong result is no measurement)


def measure(root: Path, table: Table, rounds: int) -> dict[str, list[Cost]]:
    kinds = {pl.Int64(): "BIGINT", pl.Boolean(): "BOOLEAN"}
    columns = json.dumps({column.name: kinds.get(column.dtype, "VARCHAR") for column in table.columns})
    script = str(Path(__file__).with_name("rivals.py"))
    us = [sys.executable, "-m", "benchmarks.throughput"]
    costs: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        for name in RIVALS:
            out = root / "rival"
            command = [str(PYTHON), script, name, str(root / "export"), str(out), columns]
            costs.setdefault(name, []).append(cost(command))
            shutil.rmtree(out, ignore_errors=True)
        for steps in (("account",), ("raw", "typed")):
            for step in steps:
                costs.setdefault(step, []).append(cost([*us, "--step", step, str(root), table.hunting_name]))
            shutil.rmtree(root / "lake")
    return costs


def show(size: int, costs: dict[str, list[Cost]]) -> None:
    best = min(median(each.wall for each in costs[name]) for name in RIVALS[2:])
    print(f"{'':<16}{'MB/s':>8}{'CPU-s':>8}{'peak MB':>9}{'of the fastest rival':>22}")
    for name, each in costs.items():
        wall = median(one.wall for one in each)
        cpu, peak = median(one.cpu for one in each), max(one.peak_mb for one in each)
        print(f"{name:<16}{size / 1e6 / wall:>8.0f}{cpu:>8.1f}{peak:>9.0f}{best / wall:>22.2f}")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks throughput", description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="*", default=[10, 100])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tables", nargs="*", choices=TABLES, default=list(TABLES))
    options, _ = parser.parse_known_args(arguments)
    for name in options.tables:
        for megabytes in options.megabytes:
            with TemporaryDirectory(prefix="throughput-") as folder:
                size = write(Path(folder) / "export", TABLES[name], megabytes)
                print(f"{name}, {size / 1e6:.0f} MB, medians of {options.rounds}, load {os.getloadavg()[0]:.1f}")
                show(size, measure(Path(folder), TABLES[name], options.rounds))


if __name__ == "__main__":
    ours(sys.argv[2], Path(sys.argv[3]), TABLES[sys.argv[4]])
