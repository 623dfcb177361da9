"""A span of days of a table: which days, and each record once. What the records mean is told elsewhere."""

from datetime import date

import polars as pl


def days_between(frame: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Return the rows of the partitions `first` to `last`, both included."""
    return frame.filter(pl.col("export_date").is_between(first, last))


def distinct_records(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return each record of a typed table once: of its copies the one on the earliest day.

    Azure delivers at least once, and copies that fall on two days stay in both partitions. The earliest `export_date`
    is also what tells whether a record is new on a day. The schema is the one given; the order is of no meaning.
    """
    return frame.sort("export_date", "exported_at", "blob", "byte_offset").unique(
        subset=["tenant_id", "record_id"], keep="first", maintain_order=True
    )
