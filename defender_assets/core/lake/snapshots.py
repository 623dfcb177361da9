"""Reading snapshots of tables: all rows, or the rows of some days, in the columns that this version knows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from polars.exceptions import ComputeError

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)
Fact = TypeVar("Fact")


class Change(NamedTuple):
    """The rows that a part of a table has now and had not then, and the other way round; None for none."""

    added: pl.LazyFrame | None
    removed: pl.LazyFrame | None


class Snapshot(DeltaTable):
    """A Delta table with decoded local paths, and with the columns as which its rows are read.

    delta-rs 1.6 percent-encodes local paths, and Polars 2.1 does not decode them: a lake below `My Lake` could not be
    read.
    """

    read_as: pl.Schema | None = None
    """The columns and types of this version; None reads what the table has."""
    _facts: tuple[int, dict[str, Any]] = (-1, {})

    def once(self, what: str, find: Callable[[], Fact]) -> Fact:
        """Return what `find` reads in the log, reading it once for each version of the table."""
        version = self.version()
        if self._facts[0] != version:
            self._facts = version, {}
        facts = self._facts[1]
        if what not in facts:
            facts[what] = find()
        return cast("Fact", facts[what])

    @property
    def table_uri(self) -> str:
        return _decoded(super().table_uri)

    def file_uris(self, *selection: Any, **options: Any) -> list[str]:
        return [_decoded(uri) for uri in super().file_uris(*selection, **options)]


def _decoded(uri: str) -> str:
    return uri if "://" in uri.removeprefix("file://") else unquote(uri)


def schema_of(table: DeltaTable) -> pl.Schema:
    """Return the columns of this snapshot of a table, including those of newer versions."""

    def read() -> pl.Schema:
        return pl.Schema(table.schema().to_arrow())

    return table.once("schema", read) if isinstance(table, Snapshot) else read()


def scan(table: DeltaTable) -> pl.LazyFrame:
    """Return the rows of exactly this snapshot of a table.

    Columns and fields of structs that the table does not have yet are null. Columns of a newer version are kept, and
    fields of a newer version are left out.
    """
    rows = scan_stored(table)
    known = table.read_as if isinstance(table, Snapshot) else None
    return rows if known is None else conformed(rows, schema_of(table), known)


def scan_stored(table: DeltaTable) -> pl.LazyFrame:
    """Return the rows of this snapshot of a table with all that it stores, fields of newer versions included."""
    return pl.scan_delta(table)


def conformed(rows: Frame, current: Mapping[str, pl.DataType], wanted: Mapping[str, pl.DataType]) -> Frame:
    """Return the rows with the wanted columns and types in their order, then any other ones.

    A column that is missing is null. Fields of structs are matched by name: missing ones are null, others are left out.
    """
    names = [*wanted, *(name for name in current if name not in wanted)]
    changed = {name: dtype for name, dtype in wanted.items() if current.get(name) != dtype}
    if not changed and names == list(current):
        return rows
    return rows.with_columns(
        pl.col(name).cast(dtype) if name in current else pl.lit(None, dtype).alias(name)
        for name, dtype in changed.items()
    ).select(names)


def scan_files(table: DeltaTable, files: Iterable[tuple[str, date]]) -> pl.LazyFrame:
    """Return the rows of some data files, given by path and day, of a table that is partitioned by day alone.

    Columns are those of `scan`.
    """
    current = schema_of(table)
    known = (table.read_as if isinstance(table, Snapshot) else None) or current
    root, options = table.table_uri.rstrip("/"), table._storage_options  # noqa: SLF001 (as pl.scan_delta does)
    scans = [
        pl.scan_parquet(
            _decoded(f"{root}/{path}"), storage_options=options, glob=False, hive_partitioning=False
        ).with_columns(export_date=pl.lit(day))
        for path, day in files
    ]
    return pl.concat(conformed(rows, rows.collect_schema(), known).select(known.names()) for rows in scans)


def scan_days(table: DeltaTable, first: date, last: date) -> pl.LazyFrame:
    """Return the rows of the days `first` to `last`, both included, of exactly this snapshot."""
    return days_between(scan(table), first, last)


def days_between(rows: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Return the rows of the partitions `first` to `last`, both included."""
    return rows.filter(pl.col("export_date").is_between(first, last))


def in_batches(rows: pl.LazyFrame, size: int, expected: int | None = None) -> Iterator[pl.DataFrame]:
    """Yield all rows in any order, about `size` at a time.

    Polars 2.1 leaves out the rows of an empty or cut file without an error when they are read in batches, so they are
    counted first, unless it is known how many are `expected`.

    Raises:
        PolarsError: when a file cannot be read. The frames yielded before are not all rows.
    """
    height = 0
    if expected is None:
        expected = rows.select(pl.len()).collect().item()
    for frame in rows.collect_batches(chunk_size=size, maintain_order=False):
        height += frame.height
        yield frame
    if height != expected:
        raise ComputeError(f"{height} of {expected} rows could be read")
