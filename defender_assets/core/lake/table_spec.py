"""The specification of a Delta table, and schema evolution. The tables are listed in `catalog`.

A missing column is added, with nulls in existing rows. An unknown column (of a newer version) stays, with nulls in new
rows. Any other difference is an error: delta-rs would cast silently.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import polars as pl
from deltalake import ColumnProperties, DeltaTable, Schema, WriterProperties

from defender_assets.core.errors import LakeError
from defender_assets.core.lake.arrow import arrow_schema
from defender_assets.core.schemas.column import Column

logger = logging.getLogger(__name__)

# Opening a table, and each lookup of a day's version, reads the log since the last checkpoint: a file per commit.
# Fences never expire, because delta-rs gives transactions no date (docs/decisions.md).
PROPERTIES = {
    "delta.checkpointInterval": "20",
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}

MANY_FILES = 100
ROWS_AT_ONCE = 200_000


@dataclass(frozen=True)
class Upstream:
    """A table that a derived table reads: partition D reads the upstream's partitions D-`days` to D."""

    name: str
    days: int


@dataclass(frozen=True)
class Compaction:
    """A day with more than `more_than` small files is compacted: sorted by `order`, split by its first column.

    At most about `at_once` rows are in memory; with `whole_hours` (raw) only mergeable hours are rewritten, and
    `at_once` is bytes of content.
    """

    order: tuple[str, ...]
    more_than: int = MANY_FILES
    at_once: int = ROWS_AT_ONCE
    whole_hours: bool = False


@dataclass(frozen=True)
class TableSpec:
    """One Delta table: its schema, partitioning, fences, compaction and upstreams.

    Args:
        name: of the table and of its asset.
        columns: in order.
        partition_by: partition columns.
        large_values: a column of large values. It gets no dictionary and no statistics, because Parquet would store
            whole values as minimum and maximum in its footers.
        fence_column: if rows of several fences share a day, the column with the fences' names.
        compaction: None if each run replaces the whole day.
        upstreams: the tables that a derived table reads, in the order in which they are opened.
        daily: whether the daily run updates a partition of it.
    """

    name: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ("export_date",)
    large_values: str | None = None
    fence_column: str | None = None
    compaction: Compaction | None = None
    upstreams: tuple[Upstream, ...] = ()
    daily: bool = True

    @cached_property
    def schema(self) -> pl.Schema:
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def upstream_version(self, day: date, version_of: Callable[[str, date], int]) -> int:
        """Return the sum of the upstream versions, including the look-back, that partition `day` is built from."""
        return sum(
            version_of(upstream.name, day - timedelta(days=back))
            for upstream in self.upstreams
            for back in range(upstream.days + 1)
        )

    def writer(self) -> WriterProperties:
        if self.large_values is None:
            return WriterProperties(compression="ZSTD", compression_level=1)
        return WriterProperties(
            compression="ZSTD",
            compression_level=1,
            max_row_group_size=8,
            # long enough for a blob's path: a truncated minimum and maximum would differ
            statistics_truncate_length=1024,
            column_properties={
                self.large_values: ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")
            },
        )


def schema_of(table: DeltaTable) -> pl.Schema:
    """Return the columns of this snapshot of a table, including those of newer versions."""
    return pl.Schema(table.schema().to_arrow())


def missing_columns(table: DeltaTable, spec: TableSpec) -> pl.Schema:
    """Return the columns of the spec that this snapshot of the table lacks.

    Raises:
        LakeError: when a column has another type, or the table other partition columns.
    """
    current = schema_of(table)
    if current == spec.schema:
        return pl.Schema()
    partitions = tuple(table.metadata().partition_columns)
    if partitions != spec.partition_by:
        raise LakeError(
            f"table {spec.name} is partitioned by {', '.join(partitions) or 'nothing'} instead of "
            f"{', '.join(spec.partition_by)}: another program wrote it; set DEFENDER_LAKE_URI to another lake"
        )
    for name, dtype in spec.schema.items():
        if name in current and current[name] != dtype:
            raise LakeError(
                f"table {spec.name}, column {name}: the lake holds {current[name]}, this version writes {dtype}; "
                "use the version that wrote the lake, or move the table's folder away and run its days again"
            )
    return pl.Schema({name: dtype for name, dtype in spec.schema.items() if name not in current})


def add_columns(table: DeltaTable, spec: TableSpec) -> None:
    """Add the missing columns on this snapshot, which then includes them.

    Raises:
        CommitFailedError: when another writer changed the schema first; open the table again.
        LakeError: as `missing_columns`.
    """
    missing = missing_columns(table, spec)
    if missing:
        table.alter.add_columns(Schema.from_arrow(arrow_schema(missing)).fields)
        logger.info("%s: an older version wrote it; added %s", spec.name, ", ".join(missing))


def add_missing_columns(rows: pl.LazyFrame, missing: pl.Schema) -> pl.LazyFrame:
    """Return the rows with the missing columns as nulls."""
    return rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())
