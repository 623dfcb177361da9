"""The specification of a Delta table, and schema evolution. The tables are listed in `catalog`.

Schemas only grow. A missing column, or a missing field of a struct or of a list of structs, is added, with nulls in
existing rows. Unknown ones (of a newer version) stay, with nulls in new rows. Any other difference is an error, because
delta-rs would cast silently.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import polars as pl
from deltalake import ColumnProperties, DeltaTable, Schema, WriterProperties
from polars.datatypes import DataTypeClass

from defender_assets.core.errors import LakeError
from defender_assets.core.lake.arrow import arrow_schema
from defender_assets.core.lake.snapshots import schema_of
from defender_assets.core.schemas.column import Column, column_schema, integer

logger = logging.getLogger(__name__)

# Opening a table, and each lookup of a day's version, reads the log since the last checkpoint: a file per commit.
# Fences never expire, because delta-rs gives transactions no date (docs/decisions.md).
PROPERTIES = {
    "delta.checkpointInterval": "20",
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}

BUILT_VERSION = integer("built_version", "Version of the partition that this row was written with")
"""Last column of derived tables. It shows, in the log's statistics, rows that Delta's `restore()` brought back."""

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
        partition_by: partition columns; none in a table without days.
        large_values: a column of large values. It gets no dictionary and no statistics, because Parquet would store
            whole values as minimum and maximum in its footers.
        distinct_values: columns whose values rarely repeat. They get no dictionary, which Parquet would build and drop.
        fence_column: if rows of several fences share a day, the column with the fences' names.
        compaction: None if each run replaces the whole day.
        upstreams: the tables that a derived table reads, in the order in which they are opened.
        daily: whether the daily run updates a partition of it.
    """

    name: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ("export_date",)
    large_values: str | None = None
    distinct_values: tuple[str, ...] = ()
    fence_column: str | None = None
    compaction: Compaction | None = None
    upstreams: tuple[Upstream, ...] = ()
    daily: bool = True

    @cached_property
    def schema(self) -> pl.Schema:
        return column_schema(self.columns)

    @property
    def has_days(self) -> bool:
        """Return whether the rows belong to days. Other tables have one fence, and no retention."""
        return "export_date" in self.schema

    @property
    def properties(self) -> dict[str, str]:
        """Return the properties of the Delta table."""
        # by default only the first 32 columns have statistics
        built = {"delta.dataSkippingStatsColumns": BUILT_VERSION.name} if BUILT_VERSION in self.columns else {}
        return PROPERTIES | built

    def upstream_days(self, day: date) -> Iterator[tuple[str, date]]:
        """Yield the upstream partitions, look-back included, that partition `day` is built from."""
        for upstream in self.upstreams:
            for back in range(upstream.days + 1):
                yield upstream.name, day - timedelta(days=back)

    def writer(self) -> WriterProperties:
        if self.large_values is None:
            return WriterProperties(
                compression="ZSTD",
                compression_level=1,
                column_properties={name: ColumnProperties(dictionary_enabled=False) for name in self.distinct_values},
            )
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


def missing_columns(table: DeltaTable, spec: TableSpec) -> pl.Schema:
    """Return the columns of the spec that this snapshot of the table lacks, and those that lack fields, with them.

    Raises:
        LakeError: when a column or field has another type, or the table other partition columns.
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
    grown = grown_schema(current, spec.schema, spec.name)
    return pl.Schema({name: dtype for name, dtype in grown.items() if current.get(name) != dtype})


def grown_schema(current: pl.Schema, wanted: pl.Schema, table: str) -> pl.Schema:
    """Return the stored columns with the wanted ones, and the wanted fields of structs, that they lack at the end.

    Raises:
        LakeError: when a column or field of the table has another type.
    """
    columns = dict(current)
    for name, dtype in wanted.items():
        where = f"table {table}, column {name}"
        columns[name] = _grown(columns[name], dtype, where) if name in columns else dtype
    return pl.Schema(columns)


def _grown(current: pl.DataType, wanted: pl.DataType, where: str) -> pl.DataType:
    if isinstance(current, pl.List) and isinstance(wanted, pl.List):
        return pl.List(_grown(_instance(current.inner), _instance(wanted.inner), where))
    if isinstance(current, pl.Struct) and isinstance(wanted, pl.Struct):
        fields = {field.name: _instance(field.dtype) for field in current.fields}
        for field in wanted.fields:
            dtype = _instance(field.dtype)
            known = fields.get(field.name)
            fields[field.name] = _grown(known, dtype, f"{where}, field {field.name}") if known is not None else dtype
        return pl.Struct(fields)
    if current != wanted:
        raise LakeError(
            f"{where}: the lake holds {current}, this version writes {wanted}; another program changed the table: use "
            "the version that wrote the lake, or set DEFENDER_LAKE_URI to another lake"
        )
    return current


def _instance(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    """Return the type of a nested field as an instance; Polars takes a class such as `pl.String` for one as well."""
    return dtype if isinstance(dtype, pl.DataType) else dtype()


def add_columns(table: DeltaTable, spec: TableSpec) -> None:
    """Add the missing columns and fields on this snapshot, which then includes them.

    Raises:
        CommitFailedError: when another writer changed the schema first; open the table again.
        LakeError: as `missing_columns`.
    """
    missing = missing_columns(table, spec)
    if missing:
        table.alter.add_columns(Schema.from_arrow(arrow_schema(missing)).fields)
        logger.info(
            "%s: an older version wrote it; columns that are new or have new fields: %s", spec.name, ", ".join(missing)
        )
