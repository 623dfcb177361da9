"""The current day for tests, the days before it, and how a test avoids midnight.

A module is loaded long before its tests run, and midnight may pass in between. So tests and fixtures call these
functions for days that the product compares with the clock, and keep them in no constant.
"""

import time
from datetime import UTC, date, datetime, timedelta


def today() -> date:
    """The current day in UTC."""
    return datetime.now(UTC).date()


def day_before(days: int) -> date:
    """The day `days` days before the current one."""
    return today() - timedelta(days=days)


def yesterday() -> date:
    """The day before the current one."""
    return day_before(1)


def keep_clear_of_midnight(seconds: float, now: datetime | None = None) -> None:
    """Wait for the next day if it begins within the seconds that a test needs, so that its days do not change."""
    now = now or datetime.now(UTC)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    left = (midnight - now).total_seconds()
    if left < seconds:
        time.sleep(left + 0.1)  # there is no event for the start of a day
