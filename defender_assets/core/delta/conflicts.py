"""Work that begins again from its opening when another writer commits first. Which table it is, is not known here."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from deltalake.exceptions import CommitFailedError

from defender_assets.core.failures import LakeConflictError

Outcome = TypeVar("Outcome")
logger = logging.getLogger(__name__)

ROUNDS = 20
LONGEST_PAUSE = 5.0


def in_rounds(work: Callable[[], Outcome], rounds: int = ROUNDS) -> Outcome:
    """Return what `work` returns, calling it again from its beginning as long as its commit meets a conflict.

    `work` must open its target itself. Appends conflict with compactions and replacements of other days too
    (delta-io/delta-rs#3890), hence many rounds with growing, jittered pauses.

    Raises:
        LakeConflictError: when no round got through.
    """
    for attempt in range(rounds):
        try:
            return work()
        except CommitFailedError:
            pause = min(LONGEST_PAUSE, 0.05 * 2**attempt) * random.uniform(0.5, 1.5)  # noqa: S311 (jitter, no secret)
            logger.info("another writer committed first; starting again from the opening in %.2f s", pause)
            time.sleep(pause)
    raise LakeConflictError(f"{rounds} rounds met commits of other writers; run this day again when they are done")
