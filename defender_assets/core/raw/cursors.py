"""How far raw holds each generation of a blob: the largest committed `byte_end`, answered from the Delta log.

A file answers from its statistics only when minimum and maximum agree in both `blob` and `blob_created_at`; any other
file's partition is opened. What a listing means against these cursors is `export.blobs.generation`'s question.
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


def read_cursors(raw: DeltaTable, days: Iterable[date]) -> Cursors:
    """Return the cursors of all generations that raw holds on the days, from exactly this opening of the table."""
    wanted = list(days)
    ranges = read_ranges(raw, wanted)
    cursors: Cursors = {day: defaultdict(dict) for day in wanted}
    furthest = ranges.group_by("export_date", "blob", "blob_created_at").agg(pl.col("byte_end").max())
    for day, blob, created_at, byte_end in furthest.iter_rows():
        cursors[day][blob][created_at] = byte_end
    return cursors


def read_ranges(raw: DeltaTable, days: Iterable[date]) -> pl.DataFrame:
    """Return the ranges of bytes that raw holds on the days: one per file where the log tells it, else one per chunk.

    Columns `export_date`, `blob`, `blob_created_at`, `byte_start`, `byte_end`. The chunks of a file are contiguous, as
    one commit wrote them.
    """
    files = data_files(raw).filter(pl.col("export_date").is_in(list(days)))
    one_generation = (pl.col("min.blob") == pl.col("max.blob")) & (
        pl.col("min.blob_created_at") == pl.col("max.blob_created_at")
    )
    sure = one_generation.fill_null(value=False) & pl.col("max.byte_end").is_not_null()
    answered = files.filter(sure).select(
        "export_date",
        byte_start="min.byte_start",
        byte_end="max.byte_end",
        blob="min.blob",
        blob_created_at="min.blob_created_at",
    )
    unsure = files.filter(~sure).select(_PARTITION).unique()
    if unsure.height:
        opened = (
            scan(raw)
            .filter(pl.col("export_date").is_in(unsure["export_date"].unique().to_list()))
            .join(unsure.lazy(), on=_PARTITION, how="semi", nulls_equal=True)
            .select(answered.columns)
            .collect()
        )
        sure_elsewhere = answered.join(opened.select("blob").unique(), on="blob", how="anti")
        answered = pl.concat([sure_elsewhere, opened])
    return answered
