"""What a Delta table is like: columns, partitions, fences, compaction, upstreams. And how an older one is upgraded.

A column that the table lacks is added, and is null in the rows that were there. A column that this version does not
know stays, and is null in the rows that this version writes. Anything else that differs is refused: delta-rs would
cast silently. Which tables exist is listed in `catalog`.
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

# Opening a table, and each question for a day's version, reads the log behind the last checkpoint. The log holds a
# file per commit; a fence never leaves it, for delta-rs dates no transaction (see docs/decisions.md).
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
    """When and how the small files of a day become few: sorted by `order`, of which the first column cuts the frames.

    A day of more than `more_than` small files is compacted. At most about `at_once` rows are held in memory; with
    `whole_hours` (raw) only mergeable hours are rewritten, and `at_once` counts bytes of content.
    """

    order: tuple[str, ...]
    more_than: int = MANY_FILES
    at_once: int = ROWS_AT_ONCE
    whole_hours: bool = False


@dataclass(frozen=True)
class TableSpec:
    """One Delta table: its columns, its partitions, its fences, how it is compacted and what it is derived from.

    Args:
        name: of the table, which is the name of its asset too.
        columns: in order.
        partition_by: partition columns.
        large_values: a column of large values. It gets no dictionary and no statistics, otherwise Parquet keeps whole
            values as minimum and maximum in its footers.
        fence_column: where rows of several fences share a day, the column whose values name the fences.
        compaction: None where each run replaces the day as a whole.
        upstreams: what a derived table reads, in the order in which it is opened.
        daily: whether a day's run brings a partition of it up to date.
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
        """Return the Polars schema of the table."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def upstream_version(self, day: date, version_of: Callable[[str, date], int]) -> int:
        """Return the sum of the upstream versions, look-back included, that partition `day` would be built from."""
        return sum(
            version_of(upstream.name, day - timedelta(days=back))
            for upstream in self.upstreams
            for back in range(upstream.days + 1)
        )

    def writer(self) -> WriterProperties:
        """Return how Parquet files of this table are written."""
        if self.large_values is None:
            return WriterProperties(compression="ZSTD", compression_level=1)
        plain = ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")
        return WriterProperties(
            compression="ZSTD",
            compression_level=1,
            max_row_group_size=8,
            # long enough for a blob's whole path: a cut minimum and maximum would not agree
            statistics_truncate_length=1024,
            column_properties={self.large_values: plain},
        )


def schema_of(table: DeltaTable) -> pl.Schema:
    """Return the columns of this snapshot of a table, including those that only a newer version knows."""
    return pl.Schema(table.schema().to_arrow())


def missing_columns(table: DeltaTable, spec: TableSpec) -> pl.Schema:
    """Return the columns of the spec that this snapshot of the table lacks.

    Raises:
        LakeError: when a column has another type, or the table is partitioned otherwise.
    """
    held = schema_of(table)
    if held == spec.schema:
        return pl.Schema()
    partitions = tuple(table.metadata().partition_columns)
    if partitions != spec.partition_by:
        raise LakeError(
            f"table {spec.name} is partitioned by {', '.join(partitions) or 'nothing'} instead of "
            f"{', '.join(spec.partition_by)}: another program wrote it; set DEFENDER_LAKE_URI to another lake"
        )
    for name, dtype in spec.schema.items():
        if name in held and held[name] != dtype:
            raise LakeError(
                f"table {spec.name}, column {name}: the lake holds {held[name]}, this version writes {dtype}; "
                "use the version that wrote the lake, or move the table's folder away and run its days again"
            )
    return pl.Schema({name: dtype for name, dtype in spec.schema.items() if name not in held})


def add_columns(table: DeltaTable, spec: TableSpec) -> None:
    """Add the columns that the table lacks, on this very snapshot, which then shows them.

    Raises:
        CommitFailedError: when another writer changed the schema first; open the table again.
        LakeError: as `missing_columns`.
    """
    missing = missing_columns(table, spec)
    if missing:
        table.alter.add_columns(Schema.from_arrow(arrow_schema(missing)).fields)
        logger.info("%s: an older version wrote it; added %s", spec.name, ", ".join(missing))


def add_missing_columns(rows: pl.LazyFrame, missing: pl.Schema) -> pl.LazyFrame:
    """Return the rows with nulls in the columns that their table lacks."""
    return rows.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())
