from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from defender_assets.core.identifiers import stable_id
from defender_assets.core.leads.devices.primary import DEVICES
from defender_assets.core.stories import STORY_SCHEMA, build_stories
from defender_assets_tests.support.alert_rows import DAY, EVE, TENANT, Row, at, lead_frame, lead_row

FILE = ("file", "f")


def story(*rows: Row) -> dict[str, Any]:
    stories = build_stories(DAY, lead_frame(rows))
    assert stories.height == 1
    return stories.row(0, named=True)


def test_no_leads_are_no_stories_in_the_right_schema() -> None:
    for rows in ([], [lead_row("1", FILE)]):
        stories = build_stories(DAY, lead_frame(rows))
        assert stories.is_empty()
        assert stories.schema == STORY_SCHEMA


def test_leads_of_earlier_days_alone_are_no_stories() -> None:
    earlier = [lead_row(name, FILE, export_date=EVE) for name in ("1", "2", "3")]
    assert build_stories(DAY, lead_frame(earlier)).is_empty()
    assert build_stories(DAY, lead_frame([*earlier, lead_row("4", ("file", "other"))])).is_empty()
    assert story(*earlier, lead_row("4", FILE))["lead_count"] == 4


def test_leads_that_share_nothing_are_no_stories() -> None:
    stories = build_stories(DAY, lead_frame(lead_row(name, ("file", name)) for name in ("1", "2", "3")))
    assert stories.is_empty()
    assert stories.schema == STORY_SCHEMA


def test_stories_come_in_the_order_of_their_ids_in_the_right_schema() -> None:
    stories = build_stories(DAY, lead_frame(lead_row(f"{n}{m}", ("file", str(n))) for n in range(9) for m in range(2)))
    assert stories.schema == STORY_SCHEMA
    assert stories["story_id"].to_list() == sorted(stories["story_id"])
    assert stories.height == 9


def test_leads_products_and_tactics_are_in_order_of_time() -> None:
    result = story(
        lead_row("2", FILE, when=at(1), product="identity", category="Discovery", attack_techniques=["T2", "T1"]),
        lead_row("3", FILE, product="endpoint", category="Execution", attack_techniques=["T3", "T1"]),
        lead_row("1", FILE, when=at(2), product="endpoint", category=None),
    )
    assert result["lead_ids"] == ["3", "2", "1"]
    assert result["products"] == ["endpoint", "identity"]
    assert result["tactics"] == ["Execution", "Discovery"]
    assert result["techniques"] == ["T1", "T2", "T3"]
    assert (result["first_alert_time"], result["last_alert_time"], result["lead_count"]) == (at(), at(2), 3)


@pytest.mark.parametrize(
    ("severities", "highest"),
    [
        (("Low", "High", "Medium"), "High"),
        (("informational", "Low"), "Low"),
        ((None, "Informational"), "Informational"),
        (("Catastrophic", "Low"), "Low"),
        ((None, None), None),
    ],
)
def test_the_severity_is_the_highest(severities: tuple[str | None, ...], highest: str | None) -> None:
    rows = [lead_row(str(n), FILE, severity=severity) for n, severity in enumerate(severities)]
    assert story(*rows)["severity"] == highest


def test_the_id_is_that_of_the_first_lead_by_partition_then_time_then_id() -> None:
    early = lead_row("9", FILE, day=EVE, when=at(1))
    assert story(lead_row("1", FILE), early)["story_id"] == stable_id(TENANT, "9")
    assert story(lead_row("1", FILE), lead_row("9", FILE, when=at(-1)))["story_id"] == stable_id(TENANT, "9")
    assert story(lead_row("1", FILE), lead_row("9", FILE))["story_id"] == stable_id(TENANT, "1")


def test_the_first_partition_counts_even_if_a_later_row_is_shown() -> None:
    rows = [lead_row("9", day=EVE), lead_row("9", FILE), lead_row("1", FILE)]
    assert story(*rows)["story_id"] == stable_id(TENANT, "9")


def test_a_story_that_grows_keeps_its_id() -> None:
    rows = [lead_row("5", FILE), lead_row("6", FILE)]
    assert story(*rows)["story_id"] == story(*rows, lead_row("1", FILE, when=at(1)))["story_id"]


def reasons(*rows: Row) -> list[tuple[str, int]]:
    return [tuple(reason.values()) for reason in story(*rows)["score_reasons"]]


def test_the_score_is_that_of_its_detections_strongest_lead_and_extent() -> None:
    rows = [
        lead_row("1", FILE, risk_score=20, severity="High"),
        lead_row("2", FILE, risk_score=40, product="identity", category="Discovery", device_name="b"),
        lead_row("3", FILE, risk_score=30, title="Title of 1", device_name="a", severity="Low"),
    ]
    assert reasons(*rows) == [
        ("2 different detections, 2 of which only this story has", 25 + 20),
        ("Its strongest alert: Title of 2", 12),
        ("2 products see it: endpoint, identity", 20),
        ("It moves through 2 tactics: Execution, Discovery", 20),
        ("It spans 2 devices", 6),
        ("More than 100 points count as 100", -3),
    ]
    assert (story(*rows)["score"], story(*rows)["points"]) == (100, 103)


@pytest.mark.parametrize(
    ("others", "severity", "points"), [(0, "Medium", 20), (1, "Medium", 10), (4, "High", 4), (1, "Low", 20)]
)
def test_a_detection_counts_for_less_the_more_other_alerts_have_it(others: int, severity: str, points: int) -> None:
    """Less severe alerts of it do not matter."""
    rows = [lead_row(f"o{n}", ("file", f"o{n}"), title="t", severity=severity, risk_score=0) for n in range(others)]
    both = [lead_row(name, FILE, title="t", severity="Medium", risk_score=0) for name in "12"]
    text = "which other alerts have too" if points < 20 else "which only this story has"
    assert reasons(*both, *rows) == [(f"One detection, {text}", points)]


def usual(*titles: str) -> list[Row]:
    """Leads outside of the story: three of each detection."""
    return [
        lead_row(f"o {title} {n}", ("file", f"{title} {n}"), title=title, severity="High")
        for title in titles
        for n in range(3)
    ]


def test_risk_and_tactics_count_as_far_as_the_detections_are_new() -> None:
    rows = [
        lead_row("1", FILE, title="a", severity="High", risk_score=80),
        lead_row("2", FILE, title="b", category="Discovery"),
    ]
    cases = {"new": [], "one is new": usual("a"), "none is new": usual("a", "b")}
    earned = {name: dict(reasons(*rows, *others)) for name, others in cases.items()}
    strongest, tactics = "Its strongest alert: a", "It moves through 2 tactics: Execution, Discovery"
    assert [(each[strongest], each[tactics]) for each in earned.values()] == [(24, 20), (24, 20), (12, 10)]


def test_usual_alerts_that_join_a_story_never_lower_its_points() -> None:
    attack = [lead_row(f"a{n}", FILE, title="attack", severity="High", risk_score=80) for n in range(2)]
    joined = [lead_row(f"j{n}", FILE, title=f"t{n % 3}", severity="Low", risk_score=10) for n in range(12)]
    others = usual("t0", "t1", "t2", "attack")
    assert story(*attack, *joined, *others)["points"] >= story(*attack, *others)["points"] > 0


def test_a_score_is_cut_at_100_with_a_reason() -> None:
    rows = [lead_row(str(n), FILE, risk_score=99, product=f"p{n}", category=f"c{n}") for n in range(9)]
    assert story(*rows)["score"] == 100
    assert sum(points for _, points in reasons(*rows)) == 100
    assert reasons(*rows)[-1][1] < 0


def test_a_lead_without_a_risk_is_not_the_strongest() -> None:
    rows = [lead_row("1", FILE, risk_score=None), lead_row("2", FILE, risk_score=80)]
    assert ("Its strongest alert: Title of 2", 24) in reasons(*rows)


def test_equal_alerts_add_nothing() -> None:
    assert reasons(lead_row("1", FILE, title="t"), lead_row("2", FILE, title="t")) == [
        ("One detection, which only this story has", 20),
        ("Its strongest alert: t", 9),
    ]


JANE = (("user", "jane@c", "jane@c"), ("user", "s-1-5-21-1", "jane@c"))


def test_the_title_has_count_device_account_and_first_and_last_alert() -> None:
    rows = [
        lead_row("1", FILE, *JANE, device_name="pc1", title="Phish"),
        lead_row("2", FILE, *JANE, when=at(1), title="In between"),
        lead_row("3", FILE, when=at(2), device_name="pc1", title="Ransom"),
    ]
    assert story(*rows)["title"] == "3 alerts on pc1 and jane@c: Phish → Ransom"
    assert (story(*rows)["device_names"], story(*rows)["accounts"]) == (["pc1"], ["jane@c"])


@pytest.mark.parametrize(
    ("first", "second", "title"),
    [
        ({"title": "t"}, {"title": "t"}, "2 alerts: t"),
        ({"title": None}, {"title": "t"}, "2 alerts: untitled alert → t"),
        ({"title": "t", "device_name": "b"}, {"title": "t", "device_name": "a"}, "2 alerts on a (+1 device): t"),
        ({"title": "t", "device_id": "d1"}, {"title": "t"}, "2 alerts on d1: t"),
    ],
)
def test_a_title_leaves_out_missing_parts(first: dict[str, Any], second: dict[str, Any], title: str) -> None:
    assert story(lead_row("1", FILE, **first), lead_row("2", FILE, when=at(1), **second))["title"] == title


def test_leads_of_nothing_but_nulls_are_a_story_too() -> None:
    empty: Row = dict.fromkeys(("title", "product", "severity", "category", "risk_score"))
    result = story(lead_row("1", FILE, **empty), lead_row("2", FILE, **empty))
    assert (result["score"], result["score_reasons"], result["products"], result["severity"]) == (0, [], [], None)


def test_a_merged_story_keeps_the_older_id_and_names_the_other() -> None:
    one = [lead_row(name, ("file", "one"), when=at(hours), day=EVE) for name, hours in (("a", -9), ("b", -8))]
    two = [lead_row(name, ("file", "two"), when=at(hours), day=EVE) for name, hours in (("c", -7), ("d", -6))]
    before = build_stories(EVE, lead_frame([*one, *two]))
    assert before["merged_story_ids"].to_list() == [[], []]
    joins = lead_row("e", ("file", "one"), ("file", "two"))
    merged = build_stories(DAY, lead_frame([*one, *two, joins])).row(0, named=True)
    ids = {lead: story for story, leads in before.select("story_id", "lead_ids").rows() for lead in leads}
    assert (merged["story_id"], merged["merged_story_ids"]) == (ids["a"], [ids["c"]])
    later = DAY + timedelta(days=1)
    again = build_stories(later, lead_frame([*one, *two, joins, {**joins, "export_date": later}]))
    assert again.row(0, named=True)["merged_story_ids"] == []


def extent(*rows: Row) -> list[str]:
    """The reasons of the score of the only story."""
    return [reason["reason"] for reason in story(*rows)["score_reasons"]]


def test_devices_count_by_their_identifiers(subtests: pytest.Subtests) -> None:
    device: Row = dict.fromkeys(pl.DataFrame(schema={"devices": DEVICES}).explode("devices").unnest("devices").columns)
    second = [device | {"device_id": "1", "device_name": "pc"}, device | {"device_id": "2", "device_name": "srv"}]
    cases: dict[str, tuple[int, Row, Row]] = {
        "one name, two identifiers": (
            2,
            {"device_id": "1", "device_name": "pc"},
            {"device_id": "2", "device_name": "pc"},
        ),
        "identifiers without names": (2, {"device_id": "1"}, {"device_id": "2"}),
        "names without identifiers": (2, {"device_name": "pc"}, {"device_name": "srv"}),
        "a further device of one alert": (2, {"device_id": "1", "devices": second}, {"device_id": "1"}),
        "one device, once without its identifier": (0, {"device_id": "1", "device_name": "pc"}, {"device_name": "PC"}),
        "one device, named twice": (0, {"device_name": "pc"}, {"device_name": "PC"}),
    }
    for name, (count, first, then) in cases.items():
        with subtests.test(name):
            reasons = extent(lead_row("1", FILE, **first), lead_row("2", FILE, **then))
            assert [text for text in reasons if "devices" in text] == ([f"It spans {count} devices"] if count else [])


def test_one_tactic_in_several_spellings_counts_once(subtests: pytest.Subtests) -> None:
    cases = [
        (("CredentialAccess", "Credential access"), 1),
        (("DefenseEvasion", "Stealth"), 1),
        (("Defence evasion", "defense-evasion"), 1),
        (("Execution", "Credential access"), 2),
    ]
    for categories, count in cases:
        with subtests.test(categories=categories):
            reasons = extent(*(lead_row(str(n), FILE, category=category) for n, category in enumerate(categories)))
            assert any(f"{count} tactics" in text for text in reasons) is (count > 1)


def test_leads_without_a_title_earn_points_by_their_severity() -> None:
    untitled = [lead_row(str(n), FILE, title=None, severity="High", risk_score=0) for n in range(2)]
    unknown = [lead_row(str(n), FILE, title=None, severity=None, risk_score=0) for n in range(2)]
    assert story(*untitled)["points"] > story(*unknown)["points"]
