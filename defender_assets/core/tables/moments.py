"""Which Timestamps of typed rows are moments: .NET's MinValue, MaxValue and clocks far ahead are none."""

from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from defender_assets.core.schemas.column import INSTANT

EARLIEST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)

DAYS_AHEAD = timedelta(days=2)
"""A moment is before its `export_date` plus this: a clock may run ahead by a day."""

_RECORD = ["tenant_id", "record_id"]


def moment() -> pl.Expr:
    """Return the `Timestamp` of a typed row, null if it is no moment.

    A Timestamp before 2000-01-01, or not before `export_date` plus two days (UTC), is none. The typed row keeps it.
    """
    return pl.when((pl.col("Timestamp") >= EARLIEST_MOMENT) & ~_ahead()).then("Timestamp")


def with_moments(rows: pl.LazyFrame, first: date, last: date) -> pl.LazyFrame:
    """Return typed rows of the days `first` to `last` whose `Timestamp` is null where it is no moment.

    Of copies, the earliest `export_date` decides. This reads the rows whose Timestamp is ahead; the result stays lazy.
    """
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    # Constants can be compared with the statistics of the files, so that hardly any file is read.
    limits = [
        (pl.col("export_date") == day) & (pl.col("Timestamp") >= datetime.combine(day, time(), UTC) + DAYS_AHEAD)
        for day in days
    ]
    ahead = rows.filter(pl.any_horizontal(limits)).select(_RECORD).unique().collect()
    rows = rows.with_columns(Timestamp=moment())
    if ahead.is_empty():
        return rows
    # a later copy of such a record can look like a moment
    copies = pl.struct(_RECORD).is_in(ahead.select(pl.struct(_RECORD).implode()).to_series())
    return rows.with_columns(Timestamp=pl.when(~copies).then("Timestamp"))


def _ahead() -> pl.Expr:
    return pl.col("Timestamp") >= pl.col("export_date").cast(INSTANT) + DAYS_AHEAD
