"""A day's run without Dagster, for tests that interrupt it: in this process, or as one that dies at a commit.

`python -m defender_assets_tests.support.day_runs EXPORT LAKE DAY [before|during|after N]` runs a day and, when asked,
kills itself with SIGKILL before, during or after its N-th commit.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import polars as pl

from defender_assets.catalog import DERIVED
from defender_assets.core.export import DirectoryExport, Export
from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.core.pipeline.derived_table import DerivedTable, build_partition
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import QUARANTINE, TABLES
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.support.exports import local_lake

# design.md, guarantee 4: which copy's provenance is kept is not promised
NOT_PROMISED = ("exported_at", "received_at", "blob", "byte_offset", "sources", "first_seen_at", "last_updated_at")


def run_day(lake: Lake, export: Export, day: date) -> None:
    """All assets of a day, in the order of the data's way."""
    for table in TABLES:
        ingest(lake, export, table, day)
        assert build_table_day(lake, table, day).balanced
    for derived in DERIVED:
        build_partition(lake, derived, day)


def promised(lake: Lake) -> dict[str, pl.DataFrame]:
    """What two lakes of the same export must agree in, table by table."""
    held = {}
    for table in TABLES:
        held[table.name] = lake.read(table.name).drop(NOT_PROMISED, strict=False).sort("export_date", "record_id")
    line = ("table_name", "tenant_id", "blob", "byte_offset")
    held[QUARANTINE] = lake.read(QUARANTINE).drop("batch", "blob_created_at").sort(line)
    for derived in DERIVED:
        held[derived.name] = promised_rows(lake, derived)
    return {name: frame.collect() for name, frame in held.items()}


def promised_rows(lake: Lake, derived: DerivedTable) -> pl.LazyFrame:
    """What two lakes of the same export must agree in, of one derived table, in order."""
    key = next(name for name in ("lead_id", "story_id", "finding_uid", "headline") if name in derived.schema)
    rows = lake.read(derived.name).drop(NOT_PROMISED, strict=False).sort("export_date", "tenant_id", key)
    if "html" in derived.schema:
        # how late records arrived is told by `exported_at`, which is the copy's
        return rows.with_columns(pl.col("html").str.replace(r'<dd class="lag">[^<]+</dd>', ""))
    return rows


def bytes_held(lake: Lake) -> dict[tuple[str, str], bytes]:
    """The bytes that raw holds of each blob, put together; fails when a byte is missing or there twice."""
    held = {}
    for table in TABLES:
        for (blob,), chunks in lake.read(table.raw).collect().group_by("blob"):
            ordered = chunks.sort("byte_start")
            assert ordered["byte_start"].to_list() == [0, *ordered["byte_end"].to_list()[:-1]], blob
            held[table.raw, str(blob)] = b"".join(ordered["content"])
    return held


def assert_same(found: Lake, expected: Lake) -> None:
    """Two lakes hold the same bytes, records, bad lines, leads and stories."""
    assert bytes_held(found) == bytes_held(expected)
    for name, frame in promised(expected).items():
        assert promised(found)[name].equals(frame), name


def start(export: Path, lake: Path, day: date, *die: str) -> subprocess.Popen[bytes]:
    """A process that runs the day."""
    command = [
        sys.executable,
        "-m",
        "defender_assets_tests.support.day_runs",
        str(export),
        str(lake),
        day.isoformat(),
        *die,
    ]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE)


def _die_at(moment: str, number: int) -> None:
    commit = Lake.commit
    commits = 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def dying(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        yield from frames
        die()

    def deadly(lake: Lake, target: FencedTable, rows: Commit) -> None:
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

    setattr(Lake, "commit", deadly)  # noqa: B010 (the parameters' names differ, which an assignment would not pass)


if __name__ == "__main__":
    export_root, lake_root, day_text, *death = sys.argv[1:]
    if death:
        _die_at(death[0], int(death[1]))
    run_day(local_lake(Path(lake_root)), DirectoryExport(Path(export_root)), date.fromisoformat(day_text))
