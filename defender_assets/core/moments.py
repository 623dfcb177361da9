"""Which Timestamps are moments. A clock can be unset (.NET writes the year 1) or wrong by years."""

from datetime import UTC, datetime, timedelta

import polars as pl

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST_AFTER_ARRIVAL = timedelta(days=2)
"""A moment lies before the start of the day of arrival plus this."""

FIRST_DAY = pl.col("export_date").min().over("tenant_id", "record_id")
"""The earliest day of arrival of a record of which copies are in the frame."""


def moment(first_day: pl.Expr | None = None) -> pl.Expr:
    """Return `Timestamp` of a typed row, or null if it is no moment: before EARLIEST, or after its day of arrival.

    Args:
        first_day: the earliest day of arrival; by default `export_date`, for frames that have each record once.
    """
    end = day_start(pl.col("export_date") if first_day is None else first_day) + LATEST_AFTER_ARRIVAL
    return pl.when(pl.col("Timestamp") >= EARLIEST, pl.col("Timestamp") < end).then("Timestamp")


def day_start(day: pl.Expr) -> pl.Expr:
    """Return 00:00 UTC of a day."""
    return day.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
