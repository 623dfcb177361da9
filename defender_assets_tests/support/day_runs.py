"""A day's run without Dagster, for tests that interrupt it: in this process, or in one that is killed at a commit.

On request, a run kills itself with SIGKILL before, during or after its N-th commit.
"""

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path

import polars as pl

from defender_assets.catalog import DERIVED
from defender_assets.core.export import DirectoryExport, Export
from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.core.pipeline.derived_table import DerivedTable, build_partition
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import QUARANTINE, TABLES
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.support import forks
from defender_assets_tests.support.exports import local_lake

# guarantee 4 does not promise which copy's provenance is kept
NOT_PROMISED = (
    *("exported_at", "received_at", "blob", "byte_offset", "blob_created_at"),
    *("sources", "first_seen_at", "last_updated_at", "built_version"),
)


def run_day(lake: Lake, export: Export, day: date, tables: Iterable[DerivedTable] = DERIVED) -> None:
    """Build all assets of a day, or only some of the derived tables, in the order of the data flow."""
    for table in TABLES:
        ingest(lake, export, table, day)
        assert build_table_day(lake, table, day).balanced
    for derived in tables:
        build_partition(lake, derived, day)


def promised(lake: Lake) -> dict[str, pl.DataFrame]:
    """The rows of each table that must be equal in two lakes of the same export."""
    frames = {}
    for table in TABLES:
        frames[table.name] = lake.read(table.name).drop(NOT_PROMISED, strict=False).sort("export_date", "record_id")
    line = ("table_name", "tenant_id", "blob", "byte_offset")
    frames[QUARANTINE] = lake.read(QUARANTINE).drop("batch", "blob_created_at").sort(line)
    for derived in DERIVED:
        frames[derived.name] = promised_rows(lake, derived)
    return {name: frame.collect() for name, frame in frames.items()}


def promised_rows(lake: Lake, derived: DerivedTable) -> pl.LazyFrame:
    """The rows of one derived table that must be equal in two lakes of the same export, in order."""
    key = next(name for name in ("lead_id", "story_id", "finding_uid", "headline") if name in derived.schema)
    rows = lake.read(derived.name).drop(NOT_PROMISED, strict=False).sort("export_date", "tenant_id", key)
    if "html" in derived.schema:
        # the delay of records depends on `exported_at`, which differs between copies
        return rows.with_columns(pl.col("html").str.replace(r'<dd class="lag">[^<]+</dd>', ""))
    return rows


def bytes_held(lake: Lake) -> dict[tuple[str, str], bytes]:
    """The bytes of each blob in raw, joined; fails when a byte is missing or repeated."""
    content = {}
    for table in TABLES:
        for (blob,), chunks in lake.read(table.raw).collect().group_by("blob"):
            ordered = chunks.sort("byte_start")
            assert ordered["byte_start"].to_list() == [0, *ordered["byte_end"].to_list()[:-1]], blob
            content[table.raw, str(blob)] = b"".join(ordered["content"])
    return content


def assert_same(found: Lake, expected: Lake) -> None:
    """Assert that two lakes have the same bytes, records, bad lines, leads and stories."""
    assert bytes_held(found) == bytes_held(expected)
    ours = promised(found)
    for name, frame in promised(expected).items():
        assert ours[name].equals(frame), name


@dataclass(frozen=True)
class DayRun:
    """A run of a day in a separate process, which kills itself at the commit in `dies`."""

    export: Path
    lake: Path
    day: date
    dies: tuple[str, int] | None = None


def run_at_once(folder: Path, *runs: DayRun) -> list[int]:
    """Run them at the same time, each in a process; return each exit code: 0, or the negative number of its signal.

    What they write to standard error is printed.
    """
    started = [forks.start(folder / "runs.log", _run, run) for run in runs]
    codes = [fork.exit_code() for fork in started]
    print(started[-1].said())  # noqa: T201 (pytest shows it with a failure)
    return codes


def die_at(moment: str, number: int) -> None:
    """Let this process kill itself before, during or after its `number`-th commit."""
    commit = Lake.commit
    commits = 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def dying(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        yield from frames
        die()

    def commit_and_die(lake: Lake, target: FencedTable, rows: Commit) -> None:
        nonlocal commits
        commits += 1
        if commits < number:
            commit(lake, target, rows)
            return
        if moment == "before":
            die()
        if moment == "during":
            commit(lake, target, Commit(dying(rows.frames), rows.version, rows.replaces))
        commit(lake, target, rows)
        die()

    setattr(Lake, "commit", commit_and_die)  # noqa: B010 (the parameters' names differ, which an assignment would not pass)


def _run(_: Connection, run: DayRun) -> None:
    if run.dies:
        die_at(*run.dies)
    run_day(local_lake(run.lake), DirectoryExport(run.export), run.day)
