"""How long to wait before the next try: pauses that grow. What is tried, and whether it failed, is told elsewhere."""

from datetime import timedelta

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts: a minute, doubled each time, up to an hour."""
    if attempts == 0:
        return timedelta(0)
    doubled: int = 2 ** min(attempts - 1, 10)
    return min(LONGEST_PAUSE, FIRST_PAUSE * doubled)
