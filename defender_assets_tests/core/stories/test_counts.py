"""Counts: an attack of any size is one story, and noise of any size is none."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from defender_assets.core.stories import build_stories
from defender_assets_tests.support.alert_rows import DAY, Row, at, lead_frame, lead_row

# `make soak` tries more: one example builds the stories of up to 240 leads.
FEW = settings(max_examples=6, deadline=None)
SIZES = st.integers(2, 120)
MINUTE = 1 / 60

WEEK_AGO = lead_row("week", ("user", "w"), day=DAY - timedelta(days=7), when=at(days=-7))


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
@given(st.integers(2, 6), st.integers(2, 40), st.sampled_from(["user", "device", "address"]), st.integers(1, 3))
def test_the_same_detections_again_and_again_are_one_story(kinds: int, count: int, shared: str, most: int) -> None:
    """An intruder repeats the same steps on one host after another, the first of them up to three times on each."""
    rows = [
        lead_row(
            f"{n:03}-{step}",
            (shared, "shared"),
            ("file", f"f{n}"),
            *([("device", f"d{n}")] if shared != "device" else []),
            when=at(n * MINUTE + step * MINUTE / 9),
            title=f"t{max(step - most + 1, 0)}",
        )
        for n in range(count)
        for step in range(kinds + most - 1)
    ]
    assert stories_of(*rows, WEEK_AGO) == [names(rows)]


@FEW
@given(st.integers(2, 60), st.integers(1, 12), st.integers(1, 3), st.sampled_from([20, 60, 110]))
def test_one_account_with_few_detections_on_hosts_is_one_story(hosts: int, each: int, kinds: int, minutes: int) -> None:
    """Both counts vary: the hosts, and how often the detections come on each of them."""
    each = min(each, 120 // hosts)
    rows = [
        lead_row(
            f"{host:03}-{n:02}",
            ("user", "operator"),
            ("device", f"d{host}"),
            ("file", f"f{host}-{n}"),
            when=at(host * minutes * MINUTE / hosts + n * MINUTE / 20),
            title=f"t{n % kinds}",
        )
        for host in range(hosts)
        for n in range(each)
    ]
    assert stories_of(*rows, WEEK_AGO) == [names(rows)]


@FEW
@given(SIZES, st.sampled_from([("device",), ("user",), ("device", "user")]), st.booleans())
def test_evidence_without_its_alert_is_one_story(count: int, kinds: tuple[str, ...], described: bool) -> None:
    """Evidence can come without AlertInfo: without title and severity, at times also without a category."""
    categories = ("Execution", "Persistence", "Impact", "Discovery", "Exfiltration")
    rows = [
        lead_row(
            f"{n:03}",
            *((kind, "x") for kind in kinds),
            when=at(n / count),
            title=None,
            severity=None,
            category=categories[n % 5] if described else None,
        )
        for n in range(count)
    ]
    assert stories_of(*rows, WEEK_AGO, *quiet_week()) == [names(rows)]


def quiet_week() -> list[Row]:
    """Unrelated leads, two of each detection."""
    return [
        lead_row(
            f"q{n}", ("user", f"q{n}"), when=at(-30 - n), day=DAY - timedelta(days=2 + n // 24), title=f"q{n // 2}"
        )
        for n in range(48)
    ]


def test_untitled_leads_of_different_activities_earn_points_for_each() -> None:
    def points(**columns: list[str | None]) -> int:
        rows = [
            lead_row(str(n), ("device", "x"), when=at(n / 9), title=None, severity=None, risk_score=0)
            | {name: values[n] for name, values in columns.items()}
            for n in range(3)
        ]
        return int(build_stories(DAY, lead_frame([*rows, WEEK_AGO]))["points"][0])

    known = points(category=["Execution", "Execution", "Execution"])
    assert points(category=["Execution", "Impact", "Discovery"]) > known
    assert points(category=["Execution"] * 3, detection_source=["EDR", "Antivirus", "Custom TI"]) > known
    assert points(category=[None] * 3) < known


@FEW
@given(SIZES, st.sampled_from(["address", "host", "sender", "app", "session", "device"]))
def test_one_detection_on_many_people_through_one_new_thing_is_one_story(count: int, kind: str) -> None:
    """A spray from one address, clicks on one host, mail of one sender, consents to one application."""
    people = [[] if kind == "device" else [("user", f"u{n}")] for n in range(count)]
    rows = [lead_row(f"{n:03}", (kind, "new"), *who, when=at(n / count), title="t") for n, who in enumerate(people)]
    assert stories_of(*rows, WEEK_AGO) == [names(rows)]


@FEW
@given(st.integers(10, 25), st.sampled_from(["user", "device", "address", "file"]))
def test_what_has_one_detection_each_day_is_no_story(count: int, kind: str) -> None:
    days = [
        lead_row(
            f"{day}-{n:02}",
            (kind, "agent"),
            *([("device", f"d{n}")] if kind != "device" else []),
            when=at(-24 * day + n * 8 / count),
            day=DAY - timedelta(days=day),
            title="t",
        )
        for day in range(8)
        for n in range(count)
    ]
    assert stories_of(*days) == []


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
@given(st.integers(2, 6), SIZES)
def test_low_alerts_of_the_days_before_do_not_part_two_bursts_of_one_user(high: int, low: int) -> None:
    attack = [
        lead_row(
            f"{device}{n:03}",
            ("user", "u"),
            ("device", device),
            when=at(start + n * MINUTE),
            title=device,
            severity="High",
        )
        for device, start in (("d", -3), ("e", 0))
        for n in range(high)
    ]
    before = [
        lead_row(f"l{n:03}", ("user", "u"), when=at(-30 - n * 100 / low), title=f"l{n % 7}", severity="Low")
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
@given(st.integers(1, 3), st.integers(4, 120))
def test_rules_that_fire_together_tie_no_strangers_on_a_server(kinds: int, count: int) -> None:
    rows = [
        lead_row(f"{n:03}-{kind}", ("device", "server"), ("user", f"u{n}"), when=at(n * MINUTE), title=f"t{kind}")
        for n in range(count)
        for kind in range(kinds)
    ]
    assert all(len(story) <= kinds for story in stories_of(*rows, WEEK_AGO))


def strangers(count: int, hours: float, *, same: bool = False, severity: str = "Medium") -> list[Row]:
    """Leads of different users on one server."""
    return [
        lead_row(
            f"{n:03}",
            ("device", "server"),
            ("user", f"u{n}"),
            when=at(n * hours / count),
            title="t" if same else f"t{n}",
            severity=severity,
        )
        for n in range(count)
    ]


@FEW
@given(SIZES, st.floats(0, 20), st.sampled_from(["High", "Medium", "Low"]), st.booleans())
def test_strangers_on_a_shared_server_are_no_story(count: int, hours: float, severity: str, known: bool) -> None:
    week = [lead_row("week", ("user", "w"), day=DAY - timedelta(days=7), when=at(days=-7))] if known else []
    others = [lead_row(f"o{n}", ("user", f"o{n}"), when=at(-n / 3), title=f"o{n % 8}") for n in range(200 * known)]
    assert stories_of(*strangers(count, hours, severity=severity), *week, *others) == []


@FEW
@given(SIZES, st.floats(0, 20), st.sampled_from(["High", "Medium", "Low"]), st.booleans())
def test_strangers_with_one_detection_on_a_shared_server_are_no_story(
    count: int, hours: float, severity: str, known: bool
) -> None:
    week = [lead_row("week", ("user", "w"), day=DAY - timedelta(days=7), when=at(days=-7))] if known else []
    assert stories_of(*strangers(count, hours, same=True, severity=severity), *week) == []


@FEW
@given(SIZES, st.floats(0, 20))
def test_strangers_without_a_title_on_a_shared_server_are_no_story(count: int, hours: float) -> None:
    assert stories_of(*(row | {"title": None} for row in strangers(count, hours, severity="High"))) == []


@FEW
@given(st.integers(1, 40), st.floats(0, 2), st.sampled_from(["High", "Medium"]))
def test_floods_of_many_detections_elsewhere_do_not_tie_strangers(floods: int, hours: float, severity: str) -> None:
    week = lead_row("week", ("user", "w"), day=DAY - timedelta(days=7), when=at(days=-7))
    loud = [lead_row(f"f{n}", ("user", f"f{n}"), when=at(-n / 60), title=f"f{n % floods}") for n in range(40 * floods)]
    assert stories_of(*strangers(3, hours, severity=severity), week, *loud) == []


@FEW
@given(SIZES, st.integers(0, 3), st.sampled_from(["file", "mail"]))
def test_a_few_older_leads_of_a_file_do_not_untie_an_outbreak(count: int, older: int, kind: str) -> None:
    new = [
        lead_row(f"{n:03}", (kind, "f"), ("device", f"d{n}"), ("user", f"u{n}"), when=at(n / count), title="t")
        for n in range(count)
    ]
    before = [
        lead_row(f"o{n}", (kind, "f"), ("device", f"o{n}"), when=at(-80 - n * 10), title="t") for n in range(older)
    ]
    assert any(names(new) <= story for story in stories_of(*new, *before))


@FEW
@given(st.integers(2, 6), st.integers(10, 120))
def test_less_severe_leads_of_the_same_detection_do_not_untie_high_ones(high: int, low: int) -> None:
    entities = (("device", "d"), ("user", "u"))
    attack = [
        lead_row(f"h{n}", *entities, when=at(n * MINUTE), title=f"t{n % 2}", severity="High") for n in range(high)
    ]
    flood = [
        lead_row(f"l{n:03}", *entities, when=at(-2 + n / low), title=f"t{n % 2}", severity="Low") for n in range(low)
    ]
    assert any(names(attack) <= story for story in stories_of(*attack, *flood))


@FEW
@given(st.integers(100, 3000), st.sampled_from(["user", "device", "address", "host"]), st.integers(1, 8))
def test_a_flood_elsewhere_links_nothing(flood: int, kind: str, hours: int) -> None:
    pair = [lead_row(str(n), (kind, "x"), when=at(n * hours), title=f"t{n}", severity="Low") for n in range(2)]
    alone = lead_row("e", (kind, "x"), when=at(-60), title="t0", severity="Low")
    quiet = [lead_row(f"q{n}", ("user", f"q{n}"), when=at(-n), title=f"q{n % 10}") for n in range(90)]
    loud = [lead_row(f"f{n}", ("user", f"f{n}"), when=at(-n / 60), title="flood") for n in range(flood)]
    assert stories_of(*pair, alone, *quiet, *loud) == stories_of(*pair, alone, *quiet)
