"""The daily partitions and the look-back between them."""

from datetime import date

import dagster as dg


def daily(start: date) -> dg.DailyPartitionsDefinition:
    """Return the arrival days (UTC) from `start` to the current day, both included."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC", end_offset=1)


def look_back(days: int) -> dg.TimeWindowPartitionMapping:
    """Return the mapping by which partition D reads D-`days` to D, but nothing before the first partition."""
    return dg.TimeWindowPartitionMapping(start_offset=-days, end_offset=0)
