"""Retries: exponential backoff, and retrying work when another writer commits first."""

import logging
import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar, TypeVarTuple

from deltalake.exceptions import CommitFailedError

from defender_assets.core.errors import LakeConflictError

Outcome = TypeVar("Outcome")
Arguments = TypeVarTuple("Arguments")

logger = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
MAX_CLOCK_SKEW = timedelta(minutes=10)
"""By how much the clocks of two hosts may differ. A later time is from a clock that was ahead, and delays nothing."""
CONFLICT_ATTEMPTS = 20
FIRST_CONFLICT_PAUSE = timedelta(milliseconds=50)
LONGEST_CONFLICT_PAUSE = timedelta(seconds=5)


def exponential_backoff(attempts: int, first: timedelta = FIRST_PAUSE, longest: timedelta = LONGEST_PAUSE) -> timedelta:
    """Return the pause after a number of attempts: `first`, doubled after each further one, at most `longest`.

    >>> [exponential_backoff(attempts).total_seconds() for attempts in (0, 1, 2, 3, 60)]
    [0.0, 60.0, 120.0, 240.0, 3600.0]
    """
    if attempts == 0:
        return timedelta(0)
    factor: int = 2 ** min(attempts - 1, 10)
    return min(longest, first * factor)


def retry_on_conflict(
    work: Callable[[*Arguments], Outcome], *arguments: *Arguments, attempts: int = CONFLICT_ATTEMPTS
) -> Outcome:
    """Return the result of `work(*arguments)`; call it again when its commit conflicts.

    `work` must open its target table itself. Appends also conflict with compactions and replacements of other days
    (delta-io/delta-rs#3890), so there are many attempts, with growing, jittered pauses.

    Raises:
        LakeConflictError: when every attempt conflicted.
    """
    for attempt in range(1, attempts + 1):
        try:
            return work(*arguments)
        except CommitFailedError:
            backoff = exponential_backoff(attempt, FIRST_CONFLICT_PAUSE, LONGEST_CONFLICT_PAUSE)
            pause = backoff.total_seconds() * random.uniform(0.5, 1.5)  # noqa: S311 (jitter, no secret)
            logger.info("another writer committed first; opening the table and starting again in %.2f s", pause)
            time.sleep(pause)
    raise LakeConflictError(f"{attempts} attempts conflicted with other writers; run this day again when they are done")
