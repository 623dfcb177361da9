"""How far raw holds each generation of a blob: the largest committed `byte_end`, answered from the Delta log.

A file answers from its statistics only when minimum and maximum agree in both `blob` and `blob_created_at`; any other
file's partition is opened. What a listing means against these cursors is `export.blobs.generation`'s question.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.lake import scan

Cursors = dict[date, dict[str, dict[datetime, int]]]
"""Day -> blob path -> creation time of the generation -> cursor in bytes."""

_PARTITION = ("export_date", "tenant_id", "hour")


def read_cursors(raw: DeltaTable, days: Iterable[date]) -> Cursors:
    """Return the cursors of all generations that raw holds on the days, from exactly this opening of the table."""
    wanted = list(days)
    files = _statistics(raw).filter(pl.col("export_date").is_in(wanted))
    sure = (
        (pl.col("first_blob") == pl.col("last_blob")) & (pl.col("first_created") == pl.col("last_created"))
    ).fill_null(value=False) & pl.col("byte_end").is_not_null()
    answered = files.filter(sure).select(
        "export_date", blob="first_blob", blob_created_at="first_created", byte_end="byte_end"
    )
    unsure = files.filter(~sure).select(_PARTITION).unique()
    if unsure.height:
        opened = (
            scan(raw)
            .filter(pl.col("export_date").is_in(unsure["export_date"].unique().to_list()))
            .join(unsure.lazy(), on=_PARTITION, how="semi", nulls_equal=True)
            .select("export_date", "blob", "blob_created_at", "byte_end")
            .collect()
        )
        answered = pl.concat([answered, opened])
    furthest = answered.group_by("export_date", "blob", "blob_created_at").agg(pl.col("byte_end").max())
    cursors: Cursors = {day: defaultdict(dict) for day in wanted}
    for day, blob, created_at, byte_end in furthest.iter_rows():
        cursors[day][blob][created_at] = byte_end
    return cursors


def _statistics(raw: DeltaTable) -> pl.DataFrame:
    """Return a row per file: its partition values and the bounds of `blob`, `blob_created_at`, `byte_end`."""
    actions = pl.DataFrame(raw.get_add_actions(flatten=True))
    expected = {
        "partition.export_date": ("export_date", pl.Date()),
        "partition.tenant_id": ("tenant_id", pl.String()),
        "partition.hour": ("hour", pl.Int32()),
        "min.blob": ("first_blob", pl.String()),
        "max.blob": ("last_blob", pl.String()),
        "min.blob_created_at": ("first_created", pl.Datetime("us", "UTC")),
        "max.blob_created_at": ("last_created", pl.Datetime("us", "UTC")),
        "max.byte_end": ("byte_end", pl.Int64()),
    }
    return actions.select(
        (pl.col(name).cast(dtype) if name in actions.columns else pl.lit(None, dtype)).alias(alias)
        for name, (alias, dtype) in expected.items()
    )
