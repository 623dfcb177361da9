"""Which days of a table hold many small files, and which of those may be merged: told by the Delta log alone.

The merging stands in `compaction`.
"""

from datetime import date

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.chunks import MEBIBYTE

# larger files are worth no rewriting: a very large day would never have few
SMALL_BYTES = 32 * MEBIBYTE
_HOUR = ("export_date", "tenant_id", "hour")


def full_days(table: DeltaTable, more_than: int) -> list[tuple[date, int]]:
    """Return the days of this opening with more small files to merge than that, and how many, the fullest first.

    In raw these are the files of hours that hold several: a day of many tenants has many files and nothing to merge.
    """
    files = files_of(table)
    if "hour" in table.metadata().partition_columns:
        files = files.join(hours_to_merge(files), on=_HOUR, how="semi")
    days = files.filter("small").group_by("export_date").len().filter(pl.col("len") > more_than)
    return days.sort("len", "export_date", descending=True).rows()


def files_of(table: DeltaTable) -> pl.DataFrame:
    """Return a row per file of this opening: day, size, and for raw tenant, hour, generation and bytes."""
    held = pl.DataFrame(table.get_add_actions(flatten=True))
    columns = {
        "partition.export_date": pl.Date(),
        "size_bytes": pl.Int64(),
        "partition.tenant_id": pl.String(),
        "partition.hour": pl.Int32(),
        "min.blob": pl.String(),
        "max.blob": pl.String(),
        "min.blob_created_at": pl.Datetime("us", "UTC"),
        "max.blob_created_at": pl.Datetime("us", "UTC"),
        "min.byte_start": pl.Int64(),
        "max.byte_end": pl.Int64(),
    }
    return held.select(
        (pl.col(name).cast(dtype) if name in held.columns else pl.lit(None, dtype)).alias(
            name.removeprefix("partition.")
        )
        for name, dtype in columns.items()
    ).with_columns(small=pl.col("size_bytes") < SMALL_BYTES)


def hours_to_merge(files: pl.DataFrame) -> pl.DataFrame:
    """Return day, tenant and hour of raw's partitions with several small files of one generation of one blob.

    A file of several generations could no longer answer the cursor from the log, so an hour whose blob was recreated
    stays as it is. So does one with holes: the byte balance takes a file's bounds for its bytes.
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
