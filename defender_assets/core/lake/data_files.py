"""The data files of a snapshot as its Delta log describes them, and fragmented days.

Data files are only opened to count rows that the log does not count.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.lake.snapshots import Snapshot, scan
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.schemas.column import INSTANT
from defender_assets.core.text import MEBIBYTE

SMALL_BYTES = 32 * MEBIBYTE
"""Compaction leaves larger files alone: a very large day would never have few files."""

_HOUR = ("export_date", "tenant_id", "hour")
_COLUMNS = {
    "path": pl.String(),
    "size_bytes": pl.Int64(),
    "num_records": pl.Int64(),
    "modification_time": pl.Datetime("ms"),
    "partition.export_date": pl.Date(),
    "partition.tenant_id": pl.String(),
    "partition.hour": pl.Int32(),
    "min.blob": pl.String(),
    "max.blob": pl.String(),
    "min.blob_created_at": INSTANT,
    "max.blob_created_at": INSTANT,
    "min.byte_start": pl.Int64(),
    "max.byte_end": pl.Int64(),
    "min.batch": pl.Int64(),
    "max.batch": pl.Int64(),
    "min.table_name": pl.String(),
    "max.table_name": pl.String(),
    "min.built_version": pl.Int64(),
    "max.built_version": pl.Int64(),
}


def data_files(table: DeltaTable) -> pl.DataFrame:
    """Return a row per data file: its size, its partition values, and the statistics that this project needs.

    Columns: `path`, `size_bytes`, `num_records`, `modification_time`, `export_date`, `tenant_id`, `hour`, and `min.` /
    `max.` of `blob`, `blob_created_at`, `byte_start` (minimum) and `byte_end` (maximum), `batch`, `table_name`,
    `built_version`. A value missing in the log is null. `small` is true for files that compaction may merge.
    """
    return table.once("data files", lambda: _read(table)) if isinstance(table, Snapshot) else _read(table)


def _read(table: DeltaTable) -> pl.DataFrame:
    actions = pl.DataFrame(table.get_add_actions(flatten=True))
    return actions.select(
        (pl.col(name).cast(dtype) if name in actions.columns else pl.lit(None, dtype)).alias(
            name.removeprefix("partition.")
        )
        for name, dtype in _COLUMNS.items()
    ).with_columns(small=pl.col("size_bytes") < SMALL_BYTES)


def files_of_day(table: DeltaTable, day: date | None) -> pl.DataFrame:
    """Return the rows of `data_files` for one day; all rows for None, in a table without days."""
    return data_files(table).filter(pl.col("export_date").eq_missing(pl.lit(day, pl.Date())))


def row_count(table: DeltaTable, day: date) -> int:
    """Return the number of rows of a day, as counted in this snapshot's log."""
    return int(files_of_day(table, day)["num_records"].sum())


@dataclass(frozen=True)
class HeldPartition:
    """The rows of a fence's day as the log counts them; the version they were built with, None if it does not say."""

    rows: int = 0
    built_version: int | None = None


def held_partitions(
    table: DeltaTable, spec: TableSpec, days: Collection[date] | None = None
) -> dict[tuple[str, date], HeldPartition]:
    """Return the partitions that have rows in this snapshot, by fence's table and day; `days` limits them.

    Rows are counted in the log. The rows of a day are read if a file of it lacks the statistics.
    """
    files = data_files(table)
    if days is not None:
        files = files.filter(pl.col("export_date").is_in(list(days)))
    fence = pl.lit(spec.name)
    known = pl.col("num_records").is_not_null()
    if spec.fence_column:
        low, high = (pl.col(f"{bound}.{spec.fence_column}") for bound in ("min", "max"))
        fence, known = low, known & (low == high).fill_null(value=False)
    unknown = files.filter(~known)["export_date"].unique()
    low, high = pl.col("min.built_version"), pl.col("max.built_version")
    counted = (
        files.filter(~pl.col("export_date").is_in(unknown.to_list()))
        .group_by(fence.alias("fence"), "export_date")
        .agg(
            rows=pl.col("num_records").sum(),
            built=pl.when((low.min() == high.max()) & low.is_not_null().all()).then(low.min()),
        )
        .filter(pl.col("rows") > 0)
    )
    if unknown.len():
        rows = scan(table).filter(pl.col("export_date").is_in(unknown.to_list()))
        name = pl.col(spec.fence_column) if spec.fence_column else fence
        read = rows.group_by(name.alias("fence"), "export_date").agg(rows=pl.len().cast(pl.Int64)).collect()
        counted = pl.concat([counted, read], how="diagonal")
    return {(name, day): HeldPartition(rows, built) for name, day, rows, built in counted.iter_rows()}


def fragmented_days(table: DeltaTable, more_than: int) -> list[tuple[date | None, int]]:
    """Return the days with more than `more_than` small files, with their number, the most fragmented first.

    A table without days has one, None.

    In raw only the files of mergeable hours count: a day of many tenants has many files, but nothing to merge.
    """
    files = data_files(table)
    small = files.group_by("export_date").agg(pl.col("small").sum()).filter(pl.col("small") > more_than)
    files = files.join(small, on="export_date", how="semi", nulls_equal=True)
    if not files.is_empty() and "hour" in table.metadata().partition_columns:
        files = files.join(mergeable_hours(files), on=_HOUR, how="semi")
    days = files.filter("small").group_by("export_date").len().filter(pl.col("len") > more_than)
    return days.sort("len", "export_date", descending=True).rows()


def mergeable_hours(files: pl.DataFrame) -> pl.DataFrame:
    """Return day, tenant and hour of raw's partitions with several small files of one generation of one blob.

    Hours with a recreated blob are excluded, because the statistics of a file with several generations give no cursor.
    So are hours with holes, because the byte balance derives a file's bytes from its bounds.
    """
    one_generation = pl.all_horizontal(
        (pl.col(f"min.{name}") == pl.col(f"max.{name}").first()).all()
        & (pl.col(f"max.{name}") == pl.col(f"max.{name}").first()).all()
        for name in ("blob", "blob_created_at")
    )
    contiguous = (pl.col("min.byte_start").slice(1) == pl.col("max.byte_end").head(pl.len() - 1)).all()
    hours = (
        files.sort(*_HOUR, "min.byte_start")
        .group_by(_HOUR)
        .agg(
            small=pl.col("small").sum(),
            known=pl.col("max.byte_end").is_not_null().all(),
            mergeable=one_generation & contiguous,
        )
    )
    return hours.filter("known", "mergeable", pl.col("small") > 1).select(_HOUR).sort(_HOUR)
