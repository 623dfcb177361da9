"""Throughput from bytes to typed Delta rows, with all guarantees, compared in turn with other tools.

`raw to typed` parses the content of raw; `account to typed` starts from the blobs of a directory and writes raw too.
Each measurement is a new process, and its seconds include the start. `in a run` also imports Dagster and the
definitions, as the process of a run does.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import polars as pl

from benchmarks.arguments import at_least_one
from benchmarks.data import DAY, write
from benchmarks.processes import Cost, cost, median_cost
from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw import ingest
from defender_assets.core.schemas import ALERT_EVIDENCE, DEVICE_INFO, Table
from defender_assets.core.schemas.column import LOGGED_ON_USERS, TEXTS
from defender_assets.core.tables import build

TABLES = {table.hunting_name: table for table in (DEVICE_INFO, ALERT_EVIDENCE)}
PYTHON = Path(sys.prefix) / "rivals" / "bin" / "python"
LIMITS = ("disk_read", "simdjson_pass")
RIVALS = ("duckdb_typed", "duckdb_all_types", "polars_scan", "orjson_pyarrow", "dlt_filesystem")
VERSIONS = ("polars", "deltalake", "numba", "msgspec", "dagster")
RIVAL_VERSIONS = ("duckdb", "polars", "deltalake", "dlt", "pyarrow", "orjson", "pysimdjson")
ALL_IN_ONE, BAD, IN_A_RUN = "account to typed", "… one line in 100,000 bad", "… in a run"


def ours(step: str, root: Path, table: Table) -> None:
    if IN_A_RUN in step:
        import defender_assets.definitions  # noqa: F401 (its cost is measured)
    export = DirectoryExport(root / ("bad" if BAD in step else "export"))
    lake = Lake(str(root / "lake"), LAKE_TABLES)
    if step.startswith("account"):
        ingest.ingest(lake, export, table, DAY)
    if "typed" in step:
        report = build.build_table_day(lake, table, DAY)
        assert report.balanced, report  # noqa: S101 (a wrong result is no measurement)


def measure(root: Path, table: Table, rounds: int, without: list[str], *, alone: bool) -> dict[str, list[Cost]]:
    kinds = {pl.Int64(): "BIGINT", pl.Boolean(): "BOOLEAN", LOGGED_ON_USERS: "STRUCT[]", TEXTS: "VARCHAR[]"}
    columns = json.dumps({column.name: kinds.get(column.dtype, "VARCHAR") for column in table.columns})
    rival = [str(PYTHON), str(Path(__file__).with_name("rivals.py"))]
    us = [sys.executable, "-m", "benchmarks.throughput"]
    steps = [
        (ALL_IN_ONE,),
        ("account to raw", "raw to typed"),
        (f"{ALL_IN_ONE} {IN_A_RUN}",),
        (f"account to raw {BAD}", f"raw to typed {BAD}"),
    ]
    costs: dict[str, list[Cost]] = {}
    for _ in range(rounds):
        for name in (*LIMITS, *RIVALS):
            if name not in without and not alone:
                out = root / "rival"
                costs.setdefault(name, []).append(cost([*rival, name, str(root / "export"), str(out), columns]))
                shutil.rmtree(out, ignore_errors=True)
        for group in steps[: 1 if alone else 4 if (root / "bad").exists() else 3]:
            for step in group:
                costs.setdefault(step, []).append(cost([*us, step, str(root), table.hunting_name]))
            shutil.rmtree(root / "lake")
    return costs


def show(size: int, costs: dict[str, list[Cost]]) -> None:
    """Print the medians, and the ratios to the fastest rival of the same round: median and range."""
    rivals = [costs[name] for name in RIVALS if name in costs]
    print(f"{'':<42}{'MB/s':>8}{'CPU-s':>8}{'peak MB':>9}{'of the fastest rival':>24}{'… by CPU':>24}")
    for name, each in costs.items():
        found = median_cost(each)
        line = f"{name:<42}{size / 1e6 / found.wall:>8.0f}{found.cpu:>8.1f}{found.peak_mb:>9.0f}"
        if rivals:
            rounds = list(zip(each, zip(*rivals, strict=True), strict=True))
            line += f"{ratios([min(r.wall for r in others) / own.wall for own, others in rounds]):>24}"
            line += f"{ratios([min(r.cpu for r in others) / own.cpu for own, others in rounds]):>24}"
        print(line, flush=True)
    if "dlt_filesystem" in costs:
        pairs = list(zip(costs["dlt_filesystem"], costs[ALL_IN_ONE], strict=True))
        wall, cpu = (ratios([dlt[each] / own[each] for dlt, own in pairs]) for each in (0, 1))
        print(f"against dlt: {wall} times its throughput, {cpu} by CPU")


def ratios(found: list[float]) -> str:
    return f"{median(found):.2f} ({min(found):.2f}–{max(found):.2f})"


def rival_versions() -> str:
    names = "; ".join(f"print('{name}', version('{name}'), end='  ')" for name in RIVAL_VERSIONS)
    script = f"from importlib.metadata import version; {names}"
    return subprocess.run([PYTHON, "-c", script], check=True, stdout=subprocess.PIPE, text=True).stdout


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks throughput", description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--rounds", type=at_least_one, default=5)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--without", nargs="+", choices=(*LIMITS, *RIVALS), default=[], help="rivals to leave out")
    parser.add_argument("--alone", action="store_true", help=f"only `{ALL_IN_ONE}`: memory and time by size")
    parser.add_argument(
        "--bad-every", type=int, default=100_000, help="one bad line in that many; 0: no measurement with bad lines"
    )
    parser.add_argument("--unique", action="store_true", help="no text twice, and 2.5 KB a record")
    parser.add_argument("--folder", help="where to write the data, which are deleted afterwards")
    options = parser.parse_args(arguments)
    print(f"Python {sys.version.split()[0]},", ", ".join(f"{name} {version(name)}" for name in VERSIONS))
    if not options.alone:
        print("rivals:", rival_versions())
    for name in options.tables:
        for megabytes in options.megabytes:
            with TemporaryDirectory(prefix="throughput-", dir=options.folder) as folder:
                root = Path(folder)
                size = write(root / "export", TABLES[name], megabytes, unique_texts=options.unique)
                if options.bad_every and not options.alone:
                    bad = options.bad_every
                    write(root / "bad", TABLES[name], megabytes, bad_every=bad, unique_texts=options.unique)
                kind = ", unique texts" if options.unique else ""
                print(f"{name}, {size / 1e6:.0f} MB{kind}, medians of {options.rounds}, load {os.getloadavg()[0]:.1f}")
                show(size, measure(root, TABLES[name], options.rounds, options.without, alone=options.alone))


if __name__ == "__main__":
    ours(sys.argv[1], Path(sys.argv[2]), TABLES[sys.argv[3]])
