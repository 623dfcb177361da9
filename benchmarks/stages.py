"""Where the processor seconds of raw -> typed go: the stages one after the other, on one thread, in this process."""

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import polars as pl

from benchmarks.data import DAY, write
from benchmarks.throughput import TABLES
from defender_assets.core import raw
from defender_assets.core.batches import RawBatches
from defender_assets.core.export import DirectoryExport
from defender_assets.core.fences import version_of
from defender_assets.core.lake import Commit, Lake
from defender_assets.settings import LAYOUTS

Made = TypeVar("Made")
INSIDE = {
    "scan": "find the values",
    "_texts": "texts: measure, copy, hand over",
    "_record_ids": "record_id: BLAKE2b, and a call for each record",
    "_with_arrays": "lists, each distinct text once",
    "_instants": "instants",
    "_is_text": "is it UTF-8",
}


def stage(name: str, work: Callable[[], Made]) -> Made:
    """Do the work, print what it cost, return what it made."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    print(f"{name:<52}{time.process_time() - cpu:>8.2f}{time.perf_counter() - wall:>8.2f}", flush=True)
    return made


def load() -> None:
    from defender_assets.core.plain import reader

    reader.read_plain(next(iter(TABLES.values())), "", b"\n")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks stages", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=250)
    parser.add_argument("--table", choices=TABLES, default="DeviceInfo")
    options = parser.parse_args(arguments)
    table = TABLES[options.table]
    with TemporaryDirectory(prefix="stages-") as folder:
        size = write(Path(folder) / "export", table, options.megabytes)
        lake = Lake(str(Path(folder) / "lake"), LAYOUTS)
        print(f"{f'{table.hunting_name}, {size / 1e6:.0f} MB':<52}{'CPU-s':>8}{'wall':>8}")
        stage("account -> raw", lambda: raw.ingest(lake, DirectoryExport(Path(folder) / "export"), table, DAY))
        stage("load the compiled reader", load)
        from defender_assets.core.plain.reader import read_plain

        opened = lake.open(table.raw)
        chunks = RawBatches(opened, DAY, 0, version_of(opened, table.raw, DAY)).chunks
        read = stage("read raw", lambda: list(chunks()))
        profile = cProfile.Profile(time.process_time)

        def parse() -> pl.DataFrame:
            profile.enable()
            found = [read_plain(table, source.tenant_id, content) for source, content in read]
            profile.disable()
            return pl.concat([plain.rows for plain in found])

        rows = stage("read the lines, under a profiler", parse)
        for (_, _, function), (_, _, _, cumulated, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
            if function in INSIDE:
                print(f"  of it {INSIDE[function]:<46}{'':>8}{cumulated:>8.2f}")
        order = (table.key, "Timestamp", "record_id")
        rows = stage("make one piece of it", rows.rechunk)
        kept = stage(
            "drop copies, sort (by a few columns)",
            lambda: rows.select(order).with_row_index("row").unique("record_id").sort(order)["row"],
        )
        rows = stage("move the rows", lambda: rows[kept])
        provenance = {"tenant_id": pl.lit("x"), "export_date": pl.lit(DAY), "blob": pl.lit("x"), "unmapped": pl.lit("")}
        rows = rows.with_columns(**provenance, byte_offset="at").select(table.schema.names())
        target = lake.fenced(table.name, DAY)
        stage("commit", lambda: lake.commit(target, Commit([rows], 1)))
