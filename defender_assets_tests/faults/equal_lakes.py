"""A second lake built once from the same raw bytes, and the comparison of the tables of two lakes (guarantee 4)."""

import shutil
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from defender_assets.catalog import DERIVED
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import DerivedTable, build_partition
from defender_assets.core.schemas import QUARANTINE, TABLES
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.faults.truth import DAYS
from defender_assets_tests.support.day_runs import NOT_PROMISED, promised_rows
from defender_assets_tests.support.exports import local_lake


def built_at_once(
    lake: Lake, folder: Path, *, parsed: bool = True, derivations: Iterable[DerivedTable] = DERIVED
) -> Lake:
    """A lake in `folder` whose tables are built, each once, from a copy of the raw tables of a local lake.

    Days without a row in the copied tables are left out: no table may have a row of them. `derivations` are the derived
    tables to build. Without `parsed`, quarantine and the typed tables are copied too: after a table was restored they
    may have more than raw.
    """
    copied = [table.raw for table in TABLES]
    if not parsed:
        copied += [QUARANTINE, *(table.name for table in TABLES)]
    for name in copied:
        lake.open(name)
        shutil.copytree(Path(lake.table_uri(name)), folder / name)
    fresh = local_lake(folder)
    days = [day for day in DAYS if any(_has_rows(fresh, name, day) for name in copied)]
    for day in days if parsed else ():
        for table in TABLES:
            assert build_table_day(fresh, table, day).balanced
    for derived in derivations:
        for day in days:
            build_partition(fresh, derived, day)
    return fresh


def _has_rows(lake: Lake, name: str, day: date) -> bool:
    return not lake.read(name).filter(pl.col("export_date") == day).select("export_date").head(1).collect().is_empty()


def tables_of(lake: Lake, derivations: Iterable[DerivedTable]) -> dict[str, pl.DataFrame]:
    """The rows of each table that must be equal in two lakes with the same raw bytes."""
    typed = {table.name: (lake.read(table.name), ["export_date", "record_id"]) for table in TABLES}
    line = ["export_date", "table_name", "tenant_id", "blob", "blob_created_at", "byte_offset"]
    frames = {QUARANTINE: lake.read(QUARANTINE).drop("batch").sort(line)}
    frames |= {derived.name: promised_rows(lake, derived) for derived in derivations}
    frames |= {
        name: rows.drop(NOT_PROMISED, strict=False).sort("tenant_id", *key) for name, (rows, key) in typed.items()
    }
    return {name: frame.collect() for name, frame in frames.items()}


def assert_same_tables(found: Lake, expected: Lake, derivations: Sequence[DerivedTable] = DERIVED) -> None:
    """Records, bad lines and the rows of derived tables of two lakes are equal."""
    ours, theirs = tables_of(found, derivations), tables_of(expected, derivations)
    for name, frame in theirs.items():
        assert ours[name].equals(frame), f"{name}: {ours[name].height} rows, {frame.height} when built at once"
