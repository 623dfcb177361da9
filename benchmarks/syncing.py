"""The cost of syncing commits on a local disk: runs of a day with and without it, in pairs, in one process.

Both runs of a pair bring the same export into empty lakes. Which of the two comes first alternates.
"""

import argparse
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

from benchmarks.arguments import at_least_one
from benchmarks.data import DAY
from defender_assets.catalog import DERIVED, LAKE_TABLES
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake import files
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import TABLES
from defender_assets.core.tables.build import build_table_day
from defender_assets.simulator.scenario import Scenario
from defender_assets.simulator.writers import export_directory


def run_day(folder: Path, export: DirectoryExport, *, synced: bool) -> float:
    """Bring the day into an empty lake, leads and stories included; return the wall seconds."""
    lake = Lake(str(folder), LAKE_TABLES)
    with nullcontext() if synced else patch.object(files, "_sync", lambda _: None):
        began = time.perf_counter()
        for table in TABLES:
            ingest(lake, export, table, DAY)
            build_table_day(lake, table, DAY)
        for derived in DERIVED:
            build_partition(lake, derived, DAY)
        return time.perf_counter() - began


def main(arguments: list[str]) -> None:
    """Print the seconds of each pair, and the median ratio with its range."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks syncing", description=__doc__)
    parser.add_argument("--pairs", type=at_least_one, default=10)
    options = parser.parse_args(arguments)
    pairs = []
    with TemporaryDirectory(prefix="syncing-", dir=Path.cwd()) as root:
        folder = Path(root)
        export_directory(Scenario(DAY, 1), folder / "export")
        export = DirectoryExport(folder / "export")
        # the first run imports and compiles
        run_day(folder / "first", export, synced=False)
        for number in range(options.pairs):
            spent = {}
            for synced in (True, False) if number % 2 else (False, True):
                spent[synced] = run_day(folder / f"{number}-{synced}", export, synced=synced)
            pairs.append(spent[True] / spent[False])
            print(f"pair {number + 1}: synced {spent[True]:.2f} s, without {spent[False]:.2f} s, ratio {pairs[-1]:.2f}")
    print(f"ratio {median(pairs):.2f} (median of {len(pairs)}; {min(pairs):.2f} to {max(pairs):.2f})")
