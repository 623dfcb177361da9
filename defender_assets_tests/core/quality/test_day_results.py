"""Results of a check by subject: what a new result carries on, whatever runs in between and at the same time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.day_results import (
    LISTED_FOR,
    LONGEST_SUMMARY,
    SHOWN_FOR,
    SUMMARIES,
    Results,
    carried_on,
    failing,
    newest,
    results_of,
)

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
D_1, D = "2026-11-02", "2026-11-03"


def results(at: datetime, passed: dict[str, bool], *, blocking: bool = True) -> Results:
    outcomes = {name: CheckOutcome(ok, f"of {name}") for name, ok in passed.items()}
    return results_of(outcomes, at, "run", blocking=blocking)


def emitted(*runs: dict[str, bool], blocking: bool = True) -> list[Results]:
    """The history, newest first, after runs one minute apart."""
    history: list[Results] = []
    for number, run in enumerate(runs):
        now = NOON + timedelta(minutes=number)
        history.insert(0, carried_on(history, results(now, run, blocking=blocking), now))
    return history


def red(history: list[Results], now: datetime = NOON) -> list[str]:
    return list(failing(history[0], now))


def test_a_failure_stays_when_another_day_passes() -> None:
    assert red(emitted({D_1: False}, {D: True}, {D: True})) == [D_1]


def test_a_failure_ends_when_its_day_passes() -> None:
    assert red(emitted({D_1: False}, {D: True}, {D_1: True}, {D: True})) == []


def test_a_failure_of_the_same_day_again_is_the_newest_one() -> None:
    history = emitted({D_1: False}, {D_1: True}, {D: True}, {D_1: False}, {D: True})
    assert red(history) == [D_1]
    assert history[0][D_1].summary == f"of {D_1}"


def test_what_two_runs_at_once_missed_is_joined_by_the_next_result() -> None:
    first = results(NOON, {D_1: False})
    second = carried_on([], results(NOON + timedelta(seconds=1), {D: True}), NOON)
    assert red([second]) == []
    assert red([carried_on([second, first], {}, NOON)]) == [D_1]


def test_a_failure_is_not_raised_from_the_dead_by_a_run_that_missed_its_end() -> None:
    failed = results(NOON, {D_1: False})
    fixed = results(NOON + timedelta(minutes=1), {D_1: True})
    missed = carried_on([failed], results(NOON + timedelta(minutes=2), {D: True}), NOON)
    history = [missed, fixed, failed]
    for number in range(3, 20):
        now = NOON + timedelta(minutes=number)
        history = [carried_on(history[:5], results(now, {D: True}), now), *history]
    assert red(history) == []
    assert D_1 not in history[0]


def test_a_result_from_a_clock_that_was_ahead_gives_way_to_the_next_one() -> None:
    ahead = carried_on([], results(NOON + timedelta(days=90), {D: False}), NOON)
    assert red([ahead]) == [D]
    recovered = carried_on([ahead], results(NOON, {D: True}), NOON)
    assert red([recovered]) == []
    assert red([carried_on([recovered, ahead], {}, NOON + timedelta(hours=1))]) == []


def test_a_warning_is_red_for_a_week_and_listed_for_a_month_but_a_broken_guarantee_stays() -> None:
    for blocking in (True, False):
        history = emitted({D_1: False}, blocking=blocking)
        for days, is_red, listed in ((6, True, True), (8, blocking, True), (31, blocking, blocking)):
            now = NOON + timedelta(days=days)
            later = carried_on(history, results(now, {D: True}), now)
            assert (D_1 in failing(later, now)) == is_red
            assert (D_1 in later) == listed
    assert timedelta(days=6) < SHOWN_FOR < timedelta(days=8) < LISTED_FOR < timedelta(days=31)


def test_many_failures_keep_their_subjects_but_not_all_summaries() -> None:
    outcomes = {f"2025-{1 + day // 28:02}-{1 + day % 28:02}": CheckOutcome(False, "x" * 999) for day in range(300)}
    kept = carried_on([], results_of(outcomes, NOON, "run", blocking=True), NOON)
    assert len(failing(kept, NOON)) == 300
    summaries = [result.summary for _, result in sorted(kept.items()) if result.summary]
    assert summaries == ["x" * LONGEST_SUMMARY] * SUMMARIES
    assert kept[max(kept)].summary


runs = st.lists(
    st.tuples(st.sampled_from([f"2026-11-{day:02}" for day in range(1, 6)]), st.booleans(), st.integers(0, 2)),
    max_size=15,
)


@given(runs)
def test_any_order_of_runs_shows_the_newest_result_of_each_day(order: list[tuple[str, bool, int]]) -> None:
    """The last number is how many results a run missed, because other runs ended while it ended."""
    history: list[Results] = []
    for number, (day, passed, missed) in enumerate(order):
        now = NOON + timedelta(minutes=number)
        history.insert(0, carried_on(history[missed:], results(now, {day: passed}), now))
    joined = carried_on(history, {}, NOON + timedelta(hours=1))
    newest_of_each = {day: passed for day, passed, _ in order}
    assert set(failing(joined, NOON)) == {day for day, passed in newest_of_each.items() if not passed}


@given(runs.flatmap(lambda order: st.tuples(st.just(order), st.permutations(order))))
def test_joining_does_not_depend_on_the_order_of_the_history(
    orders: tuple[list[tuple[str, bool, int]], list[tuple[str, bool, int]]],
) -> None:
    one, other = (
        [results(NOON + timedelta(minutes=gap), {day: passed}) for day, passed, gap in order] for order in orders
    )
    joined = newest(one, NOON)
    assert joined == newest(other, NOON) == newest([joined, *one], NOON)
