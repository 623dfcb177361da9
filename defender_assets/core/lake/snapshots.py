"""Snapshots of tables: all rows, or the rows of some days. Nothing is written here."""

from datetime import date
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable


class Opening(DeltaTable):
    """An opening whose local files are named as they are.

    delta-rs 1.6 quotes a local path as a URL does, and Polars 2.1 takes that for the name of the file: a lake below
    `My Lake` would never be read.
    """

    @property
    def table_uri(self) -> str:
        """Return where the table lies."""
        return _as_named(super().table_uri)

    def file_uris(self, *selection: Any, **options: Any) -> list[str]:
        """Return where its data files lie."""
        return [_as_named(uri) for uri in super().file_uris(*selection, **options)]


def _as_named(uri: str) -> str:
    return uri if "://" in uri.removeprefix("file://") else unquote(uri)


def scan(table: DeltaTable) -> pl.LazyFrame:
    """Return the rows of exactly this opening of a table."""
    return pl.scan_delta(table)


def scan_days(table: DeltaTable, first: date, last: date) -> pl.LazyFrame:
    """Return the rows of the days `first` to `last`, both included, of exactly this snapshot of a table."""
    return days_between(scan(table), first, last)


def days_between(rows: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Return the rows of the partitions `first` to `last`, both included."""
    return rows.filter(pl.col("export_date").is_between(first, last))
