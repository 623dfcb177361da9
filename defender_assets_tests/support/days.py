"""The running day as tests see it: which it is, which were before it, and how a test keeps clear of its end.

A module is loaded long before its tests run, and midnight may pass meanwhile: days that the product holds against the
clock are asked for by tests and fixtures, and stand in no constant.
"""

import time
from datetime import UTC, date, datetime, timedelta


def today() -> date:
    """The running day, in UTC."""
    return datetime.now(UTC).date()


def day_before(days: int) -> date:
    """The day so many days before the running one."""
    return today() - timedelta(days=days)


def yesterday() -> date:
    """The day before the running one."""
    return day_before(1)


def keep_clear_of_midnight(seconds: float, now: datetime | None = None) -> None:
    """Wait for the next day if it begins within the seconds that a test needs.

    The days that it counts are then the same from its begin to its end.
    """
    now = now or datetime.now(UTC)
    midnight = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    left = (midnight - now).total_seconds()
    if left < seconds:
        time.sleep(left + 0.1)  # a day's begin has no event to wait for
