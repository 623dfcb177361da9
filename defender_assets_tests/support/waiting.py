"""Waiting for other processes: for a state, with one deadline for all tests that only a hang reaches.

How long something takes on a busy machine says nothing about the product.
"""

import time
from collections.abc import Callable

HANG_SECONDS = 1200.0
"""Whatever has not come after this time will never come. `faulthandler_timeout` in `pyproject.toml` is longer."""


def wait_until(reached: Callable[[], bool], what: str, said: Callable[[], str] = str, pause: float = 0.1) -> None:
    """Wait until the state is reached.

    Args:
        reached: whether it is; it may raise when the state can no longer come.
        what: the state, for the error message.
        said: what the processes said, for the error message.
        pause: seconds between two looks.
    """
    deadline = time.monotonic() + HANG_SECONDS
    while not reached():
        assert time.monotonic() < deadline, f"{what} did not come within {HANG_SECONDS:.0f} s\n{said()}"
        time.sleep(pause)  # what another process does has no event to wait for
