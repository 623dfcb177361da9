"""Cursors: the largest committed `byte_end` of each generation of a blob, from the Delta log.

A file's statistics suffice if minimum and maximum are equal in both `blob` and `blob_created_at`; of other files the
partition is read.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.lake.data_files import data_files
from defender_assets.core.lake.snapshots import scan

Cursors = dict[date, dict[str, dict[datetime, int]]]
"""Day -> blob path -> creation time of the generation -> cursor in bytes."""

_PARTITION = ("export_date", "tenant_id", "hour")
_GENERATION = ("export_date", "blob", "blob_created_at")


def read_cursors(raw: DeltaTable, days: Iterable[date]) -> Cursors:
    """Return the cursors of all generations on the days, in exactly this snapshot of raw."""
    cursors: Cursors = {day: defaultdict(dict) for day in days}
    ranges = read_ranges(raw, cursors)
    for day, blob, created_at, byte_end in ranges.group_by(*_GENERATION).agg(pl.col("byte_end").max()).iter_rows():
        cursors[day][blob][created_at] = byte_end
    return cursors


def read_ranges(raw: DeltaTable, days: Iterable[date]) -> pl.DataFrame:
    """Return the byte ranges in raw on the days: one per file if the log has it, else one per chunk.

    Columns `export_date`, `blob`, `blob_created_at`, `byte_start`, `byte_end`. The chunks of a file are contiguous,
    because one commit wrote them.
    """
    files = data_files(raw).filter(pl.col("export_date").is_in(list(days)))
    same_blob = pl.col("min.blob") == pl.col("max.blob")
    same_generation = same_blob & (pl.col("min.blob_created_at") == pl.col("max.blob_created_at"))
    exact = same_generation.fill_null(value=False) & pl.col("max.byte_end").is_not_null()
    columns = {f"min.{name}": name for name in ("blob", "blob_created_at", "byte_start")} | {"max.byte_end": "byte_end"}
    ranges = files.filter(exact).select("export_date", *columns).rename(columns)
    partitions = files.filter(~exact).select(_PARTITION).unique()
    if partitions.is_empty():
        return ranges
    from_rows = (
        scan(raw)
        .filter(pl.col("export_date").is_in(partitions["export_date"].unique().to_list()))
        .join(partitions.lazy(), on=_PARTITION, how="semi", nulls_equal=True)
        .select(ranges.columns)
        .collect()
    )
    return pl.concat([ranges.join(from_rows.select("blob").unique(), on="blob", how="anti"), from_rows])
