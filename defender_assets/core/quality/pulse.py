"""The pulse of a tenant: in which hours its records arrive, and from when on its silence is a fault. No I/O.

An hour is its number since 1970-01-01 00:00 UTC. The export says in which hour a record arrived (the path of its blob),
so gaps are known to the hour.
"""

import math
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from itertools import pairwise

PATTERN_DAYS = 7
GAP_DAYS = 14
GAP_FACTOR = 1.5
SHORTEST = timedelta(hours=2)
"""No shorter silence is a fault."""

# A tenant of less than a week has shown no weekend yet. With pauses, or with hours too few to show that it has none,
# its silence becomes a fault after the longest weekend; without heartbeats, after a week.
FEW_HOURS = 8
FIRST_WEEK = timedelta(days=3)
FIRST_WEEK_WITHOUT_HEARTBEATS = timedelta(days=7)

_DAY = 24
_HOUR_SECONDS = 3600


def hour_of(moment: datetime) -> int:
    """Return the hour of a moment."""
    return math.floor(moment.timestamp() / _HOUR_SECONDS)


def start_of(hour: int) -> datetime:
    """Return the moment at which an hour begins (UTC)."""
    return datetime.fromtimestamp(hour * _HOUR_SECONDS, UTC)


def silent_from(hours: Collection[int], newest: datetime, *, heartbeats: bool = True) -> datetime:
    """Return from when on silence is a fault if nothing arrives after `newest`.

    Where each of the seven days before had records in the same hours, it is two hours without any. Otherwise it is 1.5
    times the longest gap of the 14 days before `newest`, and at least two hours. The silence itself is no part of the
    pulse, so a fault stays one until a record arrives.

    `hours` are those with records; later ones than `newest`, the newest record, do not count. Records other than
    heartbeats have no pattern by hour.
    """
    last = hour_of(newest)
    known = {hour for hour in hours if last - _DAY * GAP_DAYS <= hour <= last} | {last}
    by_gap = newest + _longest_pause(known, heartbeats=heartbeats)
    by_pattern = _pattern_missed(known, newest) if heartbeats else None
    return min(by_gap, by_pattern) if by_pattern else by_gap


def _longest_pause(known: Collection[int], *, heartbeats: bool) -> timedelta:
    ordered = sorted(known)
    longest = max((later - earlier for earlier, later in pairwise(ordered)), default=0)
    pause = max(SHORTEST, timedelta(hours=GAP_FACTOR * longest))
    if ordered[-1] - ordered[0] >= _DAY * PATTERN_DAYS:
        return pause
    if not heartbeats:
        return max(pause, FIRST_WEEK_WITHOUT_HEARTBEATS)
    return max(pause, FIRST_WEEK) if longest > 1 or len(ordered) < FEW_HOURS else pause


def _pattern_missed(known: Collection[int], newest: datetime) -> datetime | None:
    """Return the end of the first two hours after `newest` whose hours of the day had records on each of seven days."""
    last = hour_of(newest)

    def expected(hour: int) -> bool:
        first_back = max(1, math.ceil((hour - last) / _DAY))
        return all(hour - _DAY * back in known for back in range(first_back, first_back + PATTERN_DAYS))

    until = newest + SHORTEST
    if all(map(expected, range(last, math.ceil(until.timestamp() / _HOUR_SECONDS)))):
        return until
    # the hours of a day repeat
    return next(
        (start_of(hour + 2) for hour in range(last + 1, last + 1 + _DAY) if expected(hour) and expected(hour + 1)), None
    )
