"""The peak memory of a rebuild of a day whose lines are all quarantined.

A process fills raw and the quarantine. A fresh one rebuilds the day, and another one does so after the quarantine has
lost its rows.
"""

import argparse
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.data import DAY
from benchmarks.processes import cost
from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import DEVICE_INFO, QUARANTINE
from defender_assets.core.tables.build import build_table_day

LINE_BYTES = 100_000
_PATH = "tenantId=11111111-2222-4333-8444-555555555555/y={0:%Y}/m={0:%m}/d={0:%d}/h=23/m=00/PT1H.json"


def fill(lake: Lake, folder: Path, megabytes: int) -> None:
    """Write lines of random letters to an export, and bring them into the lake."""
    file = folder / DEVICE_INFO.container / _PATH.format(DAY)
    file.parent.mkdir(parents=True)
    letters = Random(1)
    with file.open("wb") as opened:
        for _ in range(megabytes * 1_000_000 // LINE_BYTES):
            opened.write(letters.randbytes(LINE_BYTES // 2 - 1).hex().encode() + b"\r\n")
    ingest(lake, DirectoryExport(folder), DEVICE_INFO, DAY)
    build_table_day(lake, DEVICE_INFO, DAY)


def rebuild(lake: Lake) -> None:
    """Rebuild the day, and check that the quarantine holds all lines."""
    report = build_table_day(lake, DEVICE_INFO, DAY, rebuild=True)
    if not report.balanced or lake.open(QUARANTINE).count() != report.tally.quarantined or report.rows:
        raise SystemExit(f"rebuild: {report}")


def main(arguments: list[str]) -> None:
    """Print the cost of the rebuild for each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks garbage", description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[300, 600])
    for megabytes in parser.parse_args(arguments).megabytes:
        with TemporaryDirectory(prefix="garbage-") as folder:
            command = [sys.executable, "-m", "benchmarks.garbage", folder]
            filled = cost([*command, str(megabytes)])
            rebuilt = {"as it is": cost(command)}
            _lake(folder).open(QUARANTINE).delete()
            rebuilt["without its quarantine"] = cost(command)
        print(f"{megabytes:5} MB of bad lines: filled with {filled.cpu:.1f} CPU-s, peak {filled.peak_mb:.0f} MB")
        for how, spent in rebuilt.items():
            print(f"         rebuilt {how}: {spent.wall:.1f} s, {spent.cpu:.1f} CPU-s, peak {spent.peak_mb:.0f} MB")


def _lake(folder: str) -> Lake:
    return Lake(str(Path(folder, "lake")), LAKE_TABLES)


if __name__ == "__main__":
    target, *size = sys.argv[1:]
    if size:
        fill(_lake(target), Path(target, "export"), int(size[0]))
    else:
        rebuild(_lake(target))
