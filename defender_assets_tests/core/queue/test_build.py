"""The queue of a day, from a few leads and stories."""

from collections.abc import Iterable
from random import Random
from typing import Any

import polars as pl
import pytest

from defender_assets.core.queue.build import build_queue
from defender_assets.core.queue.schema import QUEUE_SCHEMA
from defender_assets.core.stories import STORY_SCHEMA, build_stories
from defender_assets_tests.support.alert_rows import DAY, EVE, OTHER_TENANT, TENANT, Row, at, lead_frame, lead_row
from defender_assets_tests.support.hostile_text import HOSTILE_HTML, HOSTILE_TITLE

SHARED = (("device", "pc"), ("file", "tool.exe"))


def story(story_id: str, *lead_ids: str, points: int | None = 40, **columns: Any) -> Row:
    """A row of `lead_stories`."""
    values = {"tenant_id": TENANT, "export_date": DAY, "story_id": story_id, "title": f"Story {story_id}"}
    counts = {"lead_ids": list(lead_ids), "lead_count": len(lead_ids), "points": points, "score": min(points or 0, 100)}
    return dict.fromkeys(STORY_SCHEMA, None) | values | counts | columns


def queue(leads: Iterable[Row], *stories: Row) -> pl.DataFrame:
    rows = build_queue(DAY, lead_frame(leads), pl.DataFrame(list(stories), schema=STORY_SCHEMA, orient="row").lazy())
    assert rows.schema == QUEUE_SCHEMA
    return rows


def ids(rows: pl.DataFrame) -> list[str]:
    return rows["lead_id"].to_list()


def test_no_leads_are_an_empty_queue() -> None:
    assert queue([]).is_empty()
    # a story whose leads are gone, and a lead of another day
    assert queue([lead_row("old", day=EVE)], story("s", "gone", "also-gone")).is_empty()


def test_a_lead_is_in_the_queue_once_if_it_or_its_story_is_of_the_day() -> None:
    leads = [
        lead_row("a", day=EVE),
        lead_row("a"),
        lead_row("b", day=EVE),
        lead_row("c", day=EVE),
        lead_row("c", day=at(days=-7).date()),
        lead_row("too-old", day=at(days=-8).date()),
        lead_row("tomorrow", day=at(days=1).date()),
    ]
    rows = queue(leads, story("s", "b", "too-old"), story("of-yesterday", "c", export_date=EVE))
    assert sorted(ids(rows)) == ["a", "b"]
    assert rows["export_date"].unique().to_list() == [DAY]


def test_the_latest_row_of_a_lead_counts() -> None:
    leads = [lead_row("a", day=EVE, risk_score=90, title="then"), lead_row("a", risk_score=20, title="now")]
    (row,) = queue(reversed(leads)).to_dicts()
    assert (row["risk_score"], row["title"], row["priority"]) == (20, "now", 20)


def test_a_lead_of_yesterday_whose_story_forms_today_rises_today() -> None:
    first = lead_row("a", *SHARED, when=at(-20), day=EVE, risk_score=10)
    second = lead_row("b", *SHARED, when=at(-1), risk_score=60, product="identity", category="Discovery")
    lonely = lead_row("c", risk_score=65)
    leads = lead_frame([first, second, lonely])
    rows = build_queue(DAY, leads, build_stories(DAY, leads).lazy())
    assert ids(rows) == ["b", "a", "c"]
    before = build_queue(EVE, leads, build_stories(EVE, leads).lazy())
    assert before.select("lead_id", "priority", "story_id").rows() == [("a", 10, None)]
    risen = rows.filter(lead_id="a").to_dicts()[0]
    assert risen["priority"] > risen["risk_score"] == 10
    assert risen["story_id"] == rows.filter(lead_id="b")["story_id"].item()


@pytest.mark.parametrize("risk", [None, 0, 1, 55, 100])
@pytest.mark.parametrize("points", [None, 0, 30, 100, 240])
def test_the_priority_is_never_below_the_risk_and_its_reasons_add_up(risk: int | None, points: int | None) -> None:
    lone, member = (lead_row(name, risk_score=risk) for name in ("lone", "member"))
    for row in queue([lone, member], story("s", "member", "other", points=points)).to_dicts():
        assert row["risk_score"] == (risk or 0) <= row["priority"] <= 100
        assert row["priority"] == min(100, row["priority_points"])
        assert sum(reason["points"] for reason in row["priority_reasons"]) == row["priority"]
        assert (row["story_score"] is None) is (row["lead_id"] == "lone")


def test_the_reasons_name_the_risk_and_the_story() -> None:
    row = queue([lead_row("a", risk_score=30)], story("s", "a", "b", "c", points=40)).to_dicts()[0]
    assert [reason["reason"] for reason in row["priority_reasons"]] == [
        "The alert itself has a risk of 30",
        "It is one of 3 alerts of a story: Story s",
    ]
    assert (row["story_id"], row["story_title"], row["story_score"]) == ("s", "Story s", 40)


def near(lead_id: str, points: int = 20, kind: str = "user", seconds: int | None = 14 * 3600) -> Row:
    """An entry of `nearby_leads`."""
    return {"lead_id": lead_id, "points": points, "kind": kind, "seconds": seconds}


def test_a_lead_near_a_story_receives_points_and_stays_alone() -> None:
    ada = ("user", "ada@c")
    leads = [lead_row("a", ada, risk_score=30), lead_row("b", ada, risk_score=49), lead_row("c", risk_score=51)]
    rows = queue(leads, story("s", "gone", nearby_leads=[near("a"), near("elsewhere")]))
    assert ids(rows) == ["c", "a", "b"]
    row = rows.filter(lead_id="a").to_dicts()[0]
    assert (row["priority"], row["priority_points"], row["story_id"], row["story_score"]) == (50, 50, None, None)
    assert row["priority_reasons"] == [
        {"reason": "The alert itself has a risk of 30", "points": 30},
        {"reason": "Its user ada@c is also in a story, 14 hours earlier: Story s", "points": 20},
    ]


@pytest.mark.parametrize(
    ("kind", "seconds", "words"),
    [
        ("user", 3600, "Its user is also in a story, 1 hour earlier: Story s"),
        ("device", -60, "Its device pc-1 is also in a story, 1 minute later: Story s"),
        ("user on device", 0, "Its user and its device are also in a story, at the same time: Story s"),
        ("detection on user on device", 90_000, "Its user and its device are also in a story, 1 day earlier: Story s"),
        ("file", 7200, "Its file is also in a story, 2 hours earlier: Story s"),
        ("detection", None, "Its detection is also in a story, within an hour: Story s"),
    ],
)
def test_the_reason_says_what_a_lead_near_a_story_shares_and_when(kind: str, seconds: int | None, words: str) -> None:
    both = (("user", "ada@c"), ("user", "bo@c"))
    rows = queue(
        [lead_row("a", *both, device_name="pc-1")], story("s", "gone", nearby_leads=[near("a", 7, kind, seconds)])
    )
    assert rows["priority_reasons"].item().to_list()[1] == {"reason": words, "points": 7}


def test_a_lead_of_yesterday_near_a_story_is_not_in_the_queue_of_today() -> None:
    rows = queue([lead_row("a", day=EVE), lead_row("b")], story("s", "b", nearby_leads=[near("a")]))
    assert ids(rows) == ["b"]


def test_a_lead_near_a_story_of_another_tenant_or_day_receives_nothing() -> None:
    leads = [lead_row("a", risk_score=10)]
    other = story("s", "gone", nearby_leads=[near("a")], tenant_id=OTHER_TENANT)
    yesterday = story("t", "gone", nearby_leads=[near("a")], export_date=EVE)
    assert queue(leads, other, yesterday)["priority_points"].to_list() == [10]


def test_points_beyond_100_still_order() -> None:
    leads = [lead_row(name, risk_score=90) for name in "ab"]
    rows = queue(leads, story("s", "a", points=150), story("t", "b", points=300))
    assert ids(rows) == ["b", "a"]
    assert rows["priority"].to_list() == [100, 100]


def test_ties_go_to_severity_then_the_newest_alert_then_the_lead() -> None:
    leads = [
        lead_row("low", severity="Low", when=at(3)),
        lead_row("unknown", severity="Catastrophic", when=at(3)),
        lead_row("none", severity=None, when=at(2)),
        lead_row("c", severity="high", when=at(1)),
        lead_row("b", severity="High", when=at(2)),
        lead_row("a", severity="HIGH", when=at(1)),
        lead_row("timeless", severity="High", alert_time=None),
        lead_row("risky", severity="Informational", risk_score=31, when=at(-9)),
    ]
    expected = ["risky", "b", "a", "c", "timeless", "low", "unknown", "none"]
    for seed in range(3):
        assert ids(queue(Random(seed).sample(leads, len(leads)))) == expected


def test_a_muted_lead_is_not_in_the_queue() -> None:
    leads = [
        lead_row("a", day=EVE),
        lead_row("a", muted_by="scanner"),
        lead_row("b", day=EVE, muted_by="scanner"),
        lead_row("b"),
        lead_row("c", day=EVE, muted_by="scanner"),
    ]
    assert ids(queue(leads, story("s", "a", "b", "c"))) == ["b"]


def test_tenants_with_the_same_ids_stay_apart() -> None:
    leads = [lead_row("a", risk_score=10), lead_row("a", tenant_id=OTHER_TENANT, risk_score=20)]
    rows = queue(leads, story("s", "a", "b"))
    assert rows.select("tenant_id", "story_id", "priority").rows() == [(TENANT, "s", 50), (OTHER_TENANT, None, 20)]


def test_the_accounts_are_names_that_people_read() -> None:
    jane = (("user", "jane@c", "jane@c"), ("user", "s-1-5-21-1", "jane@c"))
    rows = queue([lead_row("a", *jane), lead_row("b")])
    assert dict(rows.select("lead_id", "accounts").rows()) == {"a": ["jane@c"], "b": []}


def test_hostile_text_is_kept_as_it_is() -> None:
    text = HOSTILE_TITLE + HOSTILE_HTML + "{}"
    row = queue([lead_row("a", title=text, severity=text)], story("s", "a", title=text)).to_dicts()[0]
    assert (row["title"], row["story_title"]) == (text, text)
    assert row["priority_reasons"][1]["reason"].endswith(text)
