import time
from collections.abc import Iterator

import pytest

from defender_assets.core.timings import StageTimings

PAUSE = 0.02


def slow(count: int) -> Iterator[int]:
    for number in range(count):
        time.sleep(PAUSE)  # what is measured is time
        yield number


def fail_slowly() -> None:
    time.sleep(PAUSE)  # what is measured is time
    raise OSError("full")


def test_a_repeated_stage_adds_up() -> None:
    timings = StageTimings()
    for _ in range(2):
        with timings.stage("list"):
            time.sleep(PAUSE)  # what is measured is time

    assert timings.seconds["list"] >= 2 * PAUSE
    assert timings.total == timings.seconds["list"]


def test_a_nested_stage_does_not_count_twice() -> None:
    timings = StageTimings()
    begun = time.perf_counter()
    with timings.stage("commit"):
        taken = list(timings.each("read", slow(3)))
    whole = time.perf_counter() - begun

    assert taken == [0, 1, 2]
    assert timings.seconds["read"] >= 3 * PAUSE
    assert 0 <= timings.seconds["commit"] < whole - 3 * PAUSE + 0.001
    assert timings.total <= whole


def test_a_failing_stage_counts() -> None:
    timings = StageTimings()
    with pytest.raises(OSError, match="full"), timings.stage("commit"):
        fail_slowly()

    assert timings.seconds["commit"] >= PAUSE
