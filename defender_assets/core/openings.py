"""What one opening of a table shows: its rows, those of some days, how many the log counts. Nothing is written."""

from datetime import date

import polars as pl
from deltalake import DeltaTable


def scan(table: DeltaTable) -> pl.LazyFrame:
    """Return the rows of exactly this opening of a table."""
    return pl.scan_delta(table)


def scan_days(table: DeltaTable, first: date, last: date) -> pl.LazyFrame:
    """Return the rows of the days `first`…`last`, both included, of exactly this opening of a table."""
    return scan(table).filter(pl.col("export_date").is_between(first, last))


def row_count(table: DeltaTable, day: date) -> int:
    """Return how many rows the Delta log counts in a day of this opening of a table."""
    files = pl.DataFrame(table.get_add_actions(flatten=True))
    if "partition.export_date" not in files.columns:
        return 0
    return int(files.filter(pl.col("partition.export_date") == day)["num_records"].sum())
