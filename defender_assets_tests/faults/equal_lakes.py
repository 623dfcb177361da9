"""A second lake built once from the same raw bytes, and the comparison of the tables of two lakes (guarantee 4)."""

import shutil
from pathlib import Path

import polars as pl

from defender_assets.catalog import DERIVED
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.schemas import QUARANTINE, TABLES
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.faults.truth import DAYS
from defender_assets_tests.support.day_runs import NOT_PROMISED, promised_rows
from defender_assets_tests.support.exports import local_lake


def built_at_once(lake: Lake, folder: Path, *, parsed: bool = True) -> Lake:
    """A lake in `folder` whose tables are built, each once, from a copy of the raw tables of a local lake.

    Without `parsed`, quarantine and the typed tables are copied too: after a table was restored they may have more than
    raw.
    """
    copied = [table.raw for table in TABLES]
    if not parsed:
        copied += [QUARANTINE, *(table.name for table in TABLES)]
    for name in copied:
        lake.open(name)
        shutil.copytree(Path(lake.table_uri(name)), folder / name)
    fresh = local_lake(folder)
    for day in DAYS if parsed else ():
        for table in TABLES:
            assert build_table_day(fresh, table, day).balanced
    for derived in DERIVED:
        for day in DAYS:
            build_partition(fresh, derived, day)
    return fresh


def tables_of(lake: Lake) -> dict[str, pl.DataFrame]:
    """The rows of each table that must be equal in two lakes with the same raw bytes."""
    typed = {table.name: (lake.read(table.name), ["export_date", "record_id"]) for table in TABLES}
    line = ["export_date", "table_name", "tenant_id", "blob", "blob_created_at", "byte_offset"]
    frames = {QUARANTINE: lake.read(QUARANTINE).drop("batch").sort(line)}
    frames |= {derived.name: promised_rows(lake, derived) for derived in DERIVED}
    frames |= {
        name: rows.drop(NOT_PROMISED, strict=False).sort("tenant_id", *key) for name, (rows, key) in typed.items()
    }
    return {name: frame.collect() for name, frame in frames.items()}


def assert_same_tables(found: Lake, expected: Lake) -> None:
    """Records, bad lines, leads and stories of two lakes are equal."""
    ours, theirs = tables_of(found), tables_of(expected)
    for name, frame in theirs.items():
        assert ours[name].equals(frame), f"{name}: {ours[name].height} rows, {frame.height} when built at once"
