"""CPU seconds and new pages of each stage from raw to typed, run one after the other on one thread in this process.

A page is 4 KB of memory that the process has not touched before: the system must clear it first.
"""

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TypeVar

from benchmarks.data import DAY, write
from benchmarks.throughput import TABLES
from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.fences import version_of
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.raw import ingest
from defender_assets.core.raw.batches import RawBatches
from defender_assets.core.tables.deduplication import distinct_order
from defender_assets.core.tables.parsing import lines
from defender_assets.core.tables.parsing.coded_rows import CodedRows, concat

Made = TypeVar("Made")
INSIDE = {
    "has_utf8": "is it UTF-8",
    "_texts": "texts and lists: number, unescape",
    "numbers": "instants, numbers and flags as series",
    "digests": "record_id: BLAKE2b, and a call for each record",
}
"""Parts of the compiled reader; the rest of its time finds the values and reads instants."""


def stage(name: str, work: Callable[[], Made]) -> Made:
    """Do the work, print its cost, return its result."""
    wall, cpu, pages = time.perf_counter(), time.process_time(), new_pages()
    made = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{name:<52}{cpu:>8.2f}{wall:>8.2f}{new_pages() - pages:>10}", flush=True)
    return made


def new_pages() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def timed(module: ModuleType, name: str, spent: dict[str, float]) -> None:
    """Measure the CPU seconds of a function of a module. A profiler would overstate many small calls."""
    function = getattr(module, name)

    def measured(*arguments: object) -> object:
        cpu = time.process_time()
        made = function(*arguments)
        spent[name] = spent.get(name, 0) + time.process_time() - cpu
        return made

    setattr(module, name, measured)


def load() -> None:
    from defender_assets.core.tables.parsing.fast import reader

    reader.parse_fast(next(iter(TABLES.values())), "", b"\n")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks stages", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=250)
    parser.add_argument("--table", choices=TABLES, default="DeviceInfo")
    options = parser.parse_args(arguments)
    table = TABLES[options.table]
    with TemporaryDirectory(prefix="stages-") as folder:
        size = write(Path(folder) / "export", table, options.megabytes)
        lake = Lake(str(Path(folder) / "lake"), LAKE_TABLES)
        print(f"{f'{table.hunting_name}, {size / 1e6:.0f} MB':<52}{'CPU-s':>8}{'wall':>8}{'pages':>10}")
        stage("account -> raw", lambda: ingest.ingest(lake, DirectoryExport(Path(folder) / "export"), table, DAY))
        stage("load the compiled reader", load)
        from defender_assets.core.tables.parsing.fast import reader

        opened = lake.open(table.raw)
        chunks = RawBatches(opened, DAY, 0, version_of(opened, table.raw, DAY)).chunks
        read = stage("read raw", lambda: list(chunks()))
        spent: dict[str, float] = {}
        for name in INSIDE:
            timed(reader, name, spent)

        def parsed() -> list[CodedRows]:
            return [
                piece.records
                for source, content in read
                for piece in lines.parse_fast_chunks(reader.parse_fast, table, [(source, content)])
            ]

        pieces = stage("read the lines", parsed)
        for name, label in INSIDE.items():
            print(f"  of it {label:<46}{spent[name]:>8.2f}")
        rows = stage("join the pieces", lambda: concat(table, pieces))
        order = stage("drop copies, sort", lambda: distinct_order(rows, rows.ids.clear()))
        frame = stage("make the rows in this order", lambda: rows.frame(order))
        target = lake.fenced(table.name, DAY)
        stage("commit", lambda: lake.commit(target, Commit([frame], 1)))
