"""How a Delta table is laid out, and how a table that another version of this project made is brought to that.

A column that the table lacks is added, and is null in the rows that were there. A column that this version does not
know stays, and is null in the rows that this version writes. Anything else that differs is refused: delta-rs would
cast silently. Opening and committing stand in `lake`.
"""

import logging
from dataclasses import dataclass

import polars as pl
from deltalake import ColumnProperties, DeltaTable, Schema, WriterProperties

from defender_assets.core.delta.arrow import arrow_schema
from defender_assets.core.failures import LakeError

logger = logging.getLogger(__name__)

# Opening a table, and each question for a day's version, reads the log behind the last checkpoint. The log holds a
# file per commit; a fence never leaves it, for delta-rs dates no transaction (see docs/decisions.md).
PROPERTIES = {
    "delta.checkpointInterval": "20",
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}


@dataclass(frozen=True)
class Layout:
    """How a Delta table is laid out: its schema, its partition columns and how its files are written.

    `chunks` names a column of large values: it gets no dictionary and no statistics, otherwise Parquet keeps
    whole values as minimum and maximum in its footers.
    """

    name: str
    schema: pl.Schema
    partition_by: tuple[str, ...] = ("export_date",)
    chunks: str | None = None

    def writer(self) -> WriterProperties:
        """Return how Parquet files of this table are written."""
        if self.chunks is None:
            return WriterProperties(compression="ZSTD", compression_level=1)
        plain = ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")
        return WriterProperties(
            compression="ZSTD",
            compression_level=1,
            max_row_group_size=8,
            # long enough for a blob's whole path: a cut minimum and maximum would not agree
            statistics_truncate_length=1024,
            column_properties={self.chunks: plain},
        )


def schema_of(table: DeltaTable) -> pl.Schema:
    """Return the columns of this opening of a table, those included that only a newer version knows."""
    return pl.Schema(table.schema().to_arrow())


def columns_lacking(table: DeltaTable, layout: Layout) -> pl.Schema:
    """Return the columns of the layout that this opening of the table has not got.

    Raises:
        LakeError: when a column has another type, or the table is partitioned otherwise.
    """
    held = schema_of(table)
    if held == layout.schema:
        return pl.Schema()
    partitions = tuple(table.metadata().partition_columns)
    if partitions != layout.partition_by:
        raise LakeError(
            f"table {layout.name} is partitioned by {', '.join(partitions) or 'nothing'} instead of "
            f"{', '.join(layout.partition_by)}: another program wrote it; name a lake of its own in DEFENDER_LAKE_URI"
        )
    for name, dtype in layout.schema.items():
        if name in held and held[name] != dtype:
            raise LakeError(
                f"table {layout.name}, column {name}: the lake holds {held[name]}, this version writes {dtype}; "
                "use the version that wrote the lake, or move the table's folder away and run its days again"
            )
    return pl.Schema({name: dtype for name, dtype in layout.schema.items() if name not in held})


def add_columns(table: DeltaTable, layout: Layout) -> None:
    """Add what the table lacks of its layout, on this very opening; it then shows the columns.

    Raises:
        CommitFailedError: when another writer changed the schema first; open the table again.
        LakeError: as `columns_lacking`.
    """
    lacking = columns_lacking(table, layout)
    if lacking:
        table.alter.add_columns(Schema.from_arrow(arrow_schema(lacking)).fields)
        logger.info("%s: an older version wrote it; added %s", layout.name, ", ".join(lacking))


def with_lacking(rows: pl.LazyFrame, lacking: pl.Schema) -> pl.LazyFrame:
    """Return the rows with nulls for the columns that their table lacks."""
    return rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in lacking.items())
