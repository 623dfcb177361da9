"""Tests do not begin when midnight is near."""

import time
from datetime import UTC, datetime

import pytest

from defender_assets_tests.support.days import keep_clear_of_midnight


@pytest.mark.parametrize(
    ("now", "slept"), [("23:59:29", 0.0), ("23:59:31", 29.1), ("23:59:59", 1.1), ("00:00:00", 0.0), ("12:00:00", 0.0)]
)
def test_a_test_waits_for_the_next_day_when_it_is_near(monkeypatch: pytest.MonkeyPatch, now: str, slept: float) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    keep_clear_of_midnight(seconds=30, now=datetime.fromisoformat(f"2026-11-24T{now}").replace(tzinfo=UTC))

    assert pauses == ([pytest.approx(slept)] if slept else [])
