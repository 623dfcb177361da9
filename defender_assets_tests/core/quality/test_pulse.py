"""The pulse: from when on a tenant's silence is a fault."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.quality.pulse import SHORTEST, hour_of, silent_from, start_of

MONDAY = hour_of(datetime(2026, 11, 2, tzinfo=UTC))
WEEK = 7 * 24

hours_of_a_week = st.sets(st.integers(0, WEEK - 1), min_size=1)


def weeks(pattern: set[int], count: int) -> list[int]:
    """The hours of a pattern that repeats weekly."""
    return sorted(MONDAY + WEEK * week + hour for week in range(count) for hour in pattern)


def office(*, weekend: bool) -> set[int]:
    """The hours from 8 to 18 of each day of a week, or of each working day."""
    return {24 * day + hour for day in range(7 if weekend else 5) for hour in range(8, 18)}


def at(hour: int, minutes: int = 0) -> datetime:
    return start_of(hour) + timedelta(minutes=minutes)


@pytest.mark.parametrize("minutes", [0, 5, 59])
def test_a_tenant_with_heartbeats_in_every_hour_may_be_silent_for_two_hours(minutes: int) -> None:
    last = MONDAY + 10 * 24
    newest = at(last, minutes)
    assert silent_from(range(MONDAY, last + 1), newest) == newest + SHORTEST


def test_a_night_without_heartbeats_is_quiet_and_a_morning_without_is_not() -> None:
    evening = MONDAY + WEEK + 4 * 24 + 17
    hours = [hour for hour in weeks(office(weekend=True), 2) if hour <= evening]
    assert silent_from(hours, at(evening, 50)) == at(evening + 17)  # 10:00 the next morning


def test_a_weekend_without_heartbeats_is_quiet() -> None:
    friday = MONDAY + WEEK + 4 * 24 + 17
    hours = [hour for hour in weeks(office(weekend=False), 2) if hour <= friday]
    # the weekend before was 63 hours long
    assert silent_from(hours, at(friday, 50)) == at(friday, 50) + timedelta(hours=1.5 * 63)


def test_hours_that_were_empty_on_one_of_the_seven_days_are_not_expected() -> None:
    last = MONDAY + 10 * 24 + 12
    hours = set(range(MONDAY, last + 1))
    # two days ago the last hour and the two after it were empty: the next two hours that are expected come after them
    assert silent_from(hours - set(range(last - 48, last - 45)), at(last)) == at(last + 5)
    # without two expected hours in a row, the longest gap decides
    even = {hour for hour in hours if hour % 2 == last % 2}
    assert silent_from(even, at(last)) == at(last + 3)


def test_the_silence_itself_is_no_part_of_the_pulse() -> None:
    last = MONDAY + 10 * 24
    known = silent_from(range(MONDAY, last + 1), at(last))
    # hours that come later, from a clock that was ahead, say nothing either
    assert silent_from([*range(MONDAY, last + 1), last + 500], at(last)) == known


def test_the_first_weekend_of_a_new_tenant_is_quiet() -> None:
    friday = MONDAY + 4 * 24 + 17
    hours = [hour for hour in weeks(office(weekend=False), 1) if hour <= friday]
    assert silent_from(hours, at(friday)) > at(MONDAY + WEEK + 8)
    mails = [MONDAY + 2 * 24 + 9, MONDAY + 3 * 24 + 11, friday]
    assert silent_from(mails, at(friday), heartbeats=False) > at(MONDAY + WEEK + 17)


def test_a_new_tenant_without_pauses_is_not_waited_for() -> None:
    assert silent_from(range(MONDAY, MONDAY + 12), at(MONDAY + 11, 30)) == at(MONDAY + 13, 30)


@given(hours_of_a_week, st.integers(0, 59))
def test_a_tenant_that_repeats_its_week_is_never_silent(pattern: set[int], minutes: int) -> None:
    """Two weeks, without the hours before the second-to-last one, are all that the pulse may look at."""
    hours = weeks(pattern, 4)
    for heartbeats in (True, False):
        for last, following in zip(hours[2 * len(pattern) :], hours[2 * len(pattern) + 1 :], strict=False):
            assert silent_from(hours, at(last, minutes), heartbeats=heartbeats) >= at(following), (last, following)


@given(st.sets(st.integers(0, 3 * WEEK), min_size=1), st.integers(0, 59), st.booleans())
def test_no_silence_below_two_hours_is_a_fault_and_every_silence_becomes_one(
    hours: set[int], minutes: int, heartbeats: bool
) -> None:
    newest = at(MONDAY + max(hours), minutes)
    due = silent_from({MONDAY + hour for hour in hours}, newest, heartbeats=heartbeats)
    assert newest + SHORTEST <= due <= newest + timedelta(days=21)


@given(st.sets(st.integers(0, 3 * WEEK), min_size=1), st.integers(1, 500))
def test_the_pulse_is_the_same_at_any_time(hours: set[int], shift: int) -> None:
    newest = at(MONDAY + max(hours), 30)
    moved = timedelta(days=shift)
    later = silent_from({MONDAY + hour + 24 * shift for hour in hours}, newest + moved)
    assert later == silent_from({MONDAY + hour for hour in hours}, newest) + moved
