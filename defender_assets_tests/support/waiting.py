"""Wait for a state of other processes, with one deadline for all tests that only a hang exceeds.

Durations on a busy machine say nothing about the product.
"""

import time
from collections.abc import Callable

HANG_SECONDS = 1200.0
"""After this time a wait fails as a hang. `faulthandler_timeout` in `pyproject.toml` is longer."""


def wait_until(reached: Callable[[], bool], what: str, said: Callable[[], str] = str, pause: float = 0.1) -> None:
    """Wait until the state is reached.

    Args:
        reached: whether it is reached; it may raise when it can no longer be.
        what: the state, for the error message.
        said: the output of the processes, for the error message.
        pause: seconds between two checks.
    """
    deadline = time.monotonic() + HANG_SECONDS
    while not reached():
        assert time.monotonic() < deadline, f"{what} was not reached within {HANG_SECONDS:.0f} s\n{said()}"
        time.sleep(pause)  # there is no event for the state of another process
