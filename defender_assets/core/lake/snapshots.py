"""Reading snapshots of tables: all rows, or the rows of some days."""

from datetime import date
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable


class Snapshot(DeltaTable):
    """A Delta table with decoded local paths.

    delta-rs 1.6 percent-encodes local paths, and Polars 2.1 does not decode them: a lake below `My Lake` could not be
    read.
    """

    @property
    def table_uri(self) -> str:
        return _decoded(super().table_uri)

    def file_uris(self, *selection: Any, **options: Any) -> list[str]:
        return [_decoded(uri) for uri in super().file_uris(*selection, **options)]


def _decoded(uri: str) -> str:
    return uri if "://" in uri.removeprefix("file://") else unquote(uri)


def scan(table: DeltaTable) -> pl.LazyFrame:
    """Return the rows of exactly this snapshot of a table."""
    return pl.scan_delta(table)


def scan_days(table: DeltaTable, first: date, last: date) -> pl.LazyFrame:
    """Return the rows of the days `first` to `last`, both included, of exactly this snapshot."""
    return days_between(scan(table), first, last)


def days_between(rows: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Return the rows of the partitions `first` to `last`, both included."""
    return rows.filter(pl.col("export_date").is_between(first, last))
