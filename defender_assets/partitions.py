"""The daily partitions and the look-back, one object each. Which days hold blobs is `core.pending`'s question."""

from datetime import date

import dagster as dg


def daily(start: date) -> dg.DailyPartitionsDefinition:
    """Return the days of arrival (UTC) from `start` up to and including the running day."""
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), timezone="UTC", end_offset=1)


def look_back(days: int) -> dg.TimeWindowPartitionMapping:
    """Return the mapping by which partition D reads D-`days`…D; it clips at the first partition."""
    return dg.TimeWindowPartitionMapping(start_offset=-days, end_offset=0)
