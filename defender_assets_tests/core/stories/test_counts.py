"""Counts: an attack of any size is one story, and noise of any size is none."""

from hypothesis import given, settings
from hypothesis import strategies as st

from defender_assets.core.stories import build_stories
from defender_assets_tests.support.alert_rows import DAY, Row, at, lead_frame, lead_row

# `make soak` tries more: one example builds the stories of up to 240 leads.
FEW = settings(max_examples=6, deadline=None)
SIZES = st.integers(2, 120)
MINUTE = 1 / 60


def stories_of(*rows: Row) -> list[set[str]]:
    return [set(ids) for ids in build_stories(DAY, lead_frame(rows))["lead_ids"].to_list()]


def names(rows: list[Row]) -> set[str]:
    return {str(row["lead_id"]) for row in rows}


@FEW
@given(SIZES, st.sampled_from(["High", "Medium", "Low"]), st.booleans())
def test_many_detections_on_one_host_are_one_story(count: int, severity: str, with_user: bool) -> None:
    entities = [("device", "d"), *([("user", "u")] if with_user else [])]
    rows = [
        lead_row(f"{n:03}", *entities, when=at(n * 50 * MINUTE / count), title=f"t{n}", severity=severity)
        for n in range(count)
    ]
    assert stories_of(*rows) == [names(rows)]


@FEW
@given(SIZES, st.floats(0.1, 7))
def test_one_new_file_on_many_hosts_is_one_story(count: int, hours: float) -> None:
    rows = [
        lead_row(
            f"{n:03}", ("file", "f"), ("device", f"d{n}"), ("user", f"u{n}"), when=at(n * hours / count), title="t"
        )
        for n in range(count)
    ]
    assert stories_of(*rows) == [names(rows)]


@FEW
@given(st.integers(5, 40), SIZES)
def test_one_account_with_many_detections_on_many_hosts_is_one_story(count: int, minutes: int) -> None:
    rows = [
        lead_row(
            f"{n:03}", ("user", "u"), ("device", f"d{n}"), when=at(n * minutes * MINUTE / count / 2), title=f"t{n}"
        )
        for n in range(count)
    ]
    assert stories_of(*rows) == [names(rows)]


@FEW
@given(st.integers(2, 12), SIZES, st.booleans())
def test_low_alerts_around_high_ones_do_not_untie_them(high: int, low: int, same: bool) -> None:
    attack = [
        lead_row(
            f"h{n:03}", ("device", "d"), ("user", "u"), when=at(n * 30 * MINUTE / high), title=f"h{n}", severity="High"
        )
        for n in range(high)
    ]
    flood = [
        lead_row(
            f"l{n:03}",
            ("device", "d"),
            ("user", "u"),
            when=at(-1 + n * 3 / low),
            title="flood" if same else f"l{n}",
            severity="Low",
        )
        for n in range(low)
    ]
    assert any(names(attack) <= story for story in stories_of(*attack, *flood))


@FEW
@given(st.integers(2, 12), SIZES)
def test_low_alerts_of_the_days_before_do_not_untie_high_ones(high: int, low: int) -> None:
    attack = [
        lead_row(f"h{n:03}", ("device", "d"), when=at(n * 30 * MINUTE / high), title=f"h{n}", severity="High")
        for n in range(high)
    ]
    before = [
        lead_row(f"l{n:03}", ("device", "d"), when=at(-30 - n * 100 / low), title=f"l{n % 7}", severity="Low")
        for n in range(low)
    ]
    assert any(names(attack) <= story for story in stories_of(*attack, *before))


@FEW
@given(SIZES, st.floats(0, 5))
def test_a_rule_that_fires_on_many_hosts_for_nothing_is_no_story(count: int, hours: float) -> None:
    rows = [
        lead_row(
            f"{n:03}",
            ("file", f"f{n}"),
            ("device", f"d{n}"),
            ("user", f"u{n}"),
            when=at(n * hours / count),
            title="rule",
        )
        for n in range(count)
    ]
    assert stories_of(*rows) == []


@FEW
@given(st.integers(5, 120), st.floats(1, 20), st.booleans())
def test_strangers_on_a_shared_server_are_no_story(count: int, hours: float, same: bool) -> None:
    rows = [
        lead_row(
            f"{n:03}",
            ("device", "server"),
            ("user", f"u{n}"),
            when=at(n * hours / count),
            title="t" if same else f"t{n}",
        )
        for n in range(count)
    ]
    assert stories_of(*rows) == []
