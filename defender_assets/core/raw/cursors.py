"""Cursors: the largest committed `byte_end` of each generation of a blob, from the Delta log.

A file's statistics suffice if minimum and maximum are equal in both `blob` and `blob_created_at`; of other files the
partition is read.
"""

import hashlib
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
    days = list(days)
    return cursors_of(read_ranges(raw, days), days)


def cursors_of(ranges: pl.DataFrame, days: Iterable[date]) -> Cursors:
    """Return the cursors of all generations on the days, from the byte ranges in raw."""
    cursors: Cursors = {day: defaultdict(dict) for day in days}
    for day, blob, created_at, byte_end in ranges.group_by(*_GENERATION).agg(pl.col("byte_end").max()).iter_rows():
        cursors[day][blob][created_at] = byte_end
    return cursors


def read_ranges(
    raw: DeltaTable, days: Iterable[date], upto: int | None = None, files: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the byte ranges in raw on the days: one per file if the log has it, else one per chunk.

    Columns `export_date`, `blob`, `blob_created_at`, `byte_start`, `byte_end`. The chunks of a file are contiguous,
    because one commit wrote them. `upto` leaves later batches out. `files` are those of raw (`data_files`), if known.
    """
    files = data_files(raw) if files is None else files
    files = files.filter(pl.col("export_date").is_in(list(days)))
    if upto is not None:
        files = files.filter((pl.col("min.batch") <= upto).fill_null(value=True))
    same_blob = pl.col("min.blob") == pl.col("max.blob")
    same_generation = same_blob & (pl.col("min.blob_created_at") == pl.col("max.blob_created_at"))
    exact = same_generation.fill_null(value=False) & pl.col("max.byte_end").is_not_null()
    if upto is not None:
        exact &= (pl.col("max.batch") <= upto).fill_null(value=False)
    columns = {f"min.{name}": name for name in ("blob", "blob_created_at", "byte_start")} | {"max.byte_end": "byte_end"}
    ranges = files.filter(exact).select("export_date", *columns).rename(columns)
    partitions = files.filter(~exact).select(_PARTITION).unique()
    if partitions.is_empty():
        return ranges
    rows = scan(raw) if upto is None else scan(raw).filter(pl.col("batch") <= upto)
    from_rows = (
        rows.filter(pl.col("export_date").is_in(partitions["export_date"].unique().to_list()))
        .join(partitions.lazy(), on=_PARTITION, how="semi", nulls_equal=True)
        .select(ranges.columns)
        .collect()
    )
    return pl.concat([ranges.join(from_rows.select("blob").unique(), on="blob", how="anti"), from_rows])


def digest_bytes(ranges: pl.DataFrame) -> dict[date, str]:
    """Return a digest of the bytes that `read_ranges` found, by day: how many of which generation of which blob.

    Compaction does not change it. A day without bytes has none.
    """
    held = ranges.group_by(_GENERATION).agg(bytes=(pl.col("byte_end") - pl.col("byte_start")).sum()).sort(_GENERATION)
    text = pl.format("{} {} {}", "blob", pl.col("blob_created_at").dt.epoch("us"), "bytes")
    days = held.group_by("export_date").agg(text.alias("text").str.join("\n"))
    return {day: hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for day, text in days.iter_rows()}
