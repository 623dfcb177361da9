import time
from collections.abc import Iterator

import pytest

from defender_assets.core.timings import Phases

PAUSE = 0.02


def slow(count: int) -> Iterator[int]:
    for number in range(count):
        time.sleep(PAUSE)  # what is measured is time
        yield number


def fail_slowly() -> None:
    time.sleep(PAUSE)  # what is measured is time
    raise OSError("full")


def test_a_phase_that_comes_again_adds_up() -> None:
    phases = Phases()
    for _ in range(2):
        with phases.phase("list"):
            time.sleep(PAUSE)  # what is measured is time

    assert phases.seconds["list"] >= 2 * PAUSE
    assert phases.total == phases.seconds["list"]


def test_what_is_fetched_within_a_phase_does_not_count_twice() -> None:
    phases = Phases()
    begun = time.perf_counter()
    with phases.phase("commit"):
        taken = list(phases.each("read", slow(3)))
    whole = time.perf_counter() - begun

    assert taken == [0, 1, 2]
    assert phases.seconds["read"] >= 3 * PAUSE
    assert 0 <= phases.seconds["commit"] < whole - 3 * PAUSE + 0.001
    assert phases.total <= whole


def test_a_phase_that_fails_counts() -> None:
    phases = Phases()
    with pytest.raises(OSError, match="full"), phases.phase("commit"):
        fail_slowly()

    assert phases.seconds["commit"] >= PAUSE
