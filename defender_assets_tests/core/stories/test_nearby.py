"""Leads near a story: what they receive of its points, and when they receive less or nothing."""

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defender_assets.core.queue.build import build_queue
from defender_assets.core.stories import build_stories
from defender_assets.core.stories.nearby import MOST_RECEIVED
from defender_assets_tests.support.alert_rows import DAY, EVE, OTHER_TENANT, TENANT, Row, at, lead_frame, lead_row

USER, PC, OTHER_PC = ("user", "u"), ("device", "pc"), ("device", "other")
FEW = settings(max_examples=10, deadline=None)


def attack(**columns: Any) -> list[Row]:
    """A story of four detections on one user and device."""
    return [
        lead_row(f"a{n}", USER, PC, ("file", "tool"), when=at(minutes=n), severity="High", **columns) for n in range(4)
    ]


def step(*entities: tuple[str, ...], hours: float = 9, name: str = "step", **columns: Any) -> Row:
    """A lead of another detection on another device."""
    return lead_row(name, *(entities or (USER, OTHER_PC)), when=at(hours), **{"severity": "Medium"} | columns)


def before(count: int, *entities: tuple[str, ...]) -> list[Row]:
    """Leads of a week before, each a detection of its own."""
    return [
        lead_row(f"b{n}", *entities, ("file", f"b{n}"), when=at(-72 - n), day=EVE, severity="High", title=f"before {n}")
        for n in range(count)
    ]


def nearby(*rows: Row) -> dict[str, dict[str, Any]]:
    """The leads near the stories of DAY, by their id."""
    found = build_stories(DAY, lead_frame(rows))["nearby_leads"].explode().drop_nulls().to_list()
    return {lead["lead_id"]: lead for lead in found}


def points(*rows: Row) -> int:
    found = nearby(*rows).get("step")
    return found["points"] if found else 0


def test_a_step_that_shares_the_user_is_near_the_story_not_in_it() -> None:
    stories = build_stories(DAY, lead_frame([*attack(), step()]))
    assert stories["lead_ids"].to_list() == [["a0", "a1", "a2", "a3"]]
    (lead,) = stories["nearby_leads"].item().to_list()
    assert (lead["lead_id"], lead["kind"], lead["seconds"]) == ("step", "user", 9 * 3600 - 3 * 60)
    assert 0 < lead["points"] < min(MOST_RECEIVED, stories["points"].item())


def test_a_step_before_the_story_is_near_it_too() -> None:
    lead = nearby(*attack(), step(hours=-9))["step"]
    assert lead["points"] > 0
    assert lead["seconds"] == -9 * 3600


def test_a_story_without_such_leads_has_none() -> None:
    stories = build_stories(DAY, lead_frame([*attack(), step(("user", "stranger"), OTHER_PC)]))
    assert stories["nearby_leads"].to_list() == [[]]


def test_the_points_decay_with_time() -> None:
    received = [points(*attack(), step(hours=hours)) for hours in (8, 11, 14, 20, 40, 70)]
    assert received == sorted(received, reverse=True)
    assert received[0] > 2 * received[-1]


def test_beyond_the_window_nothing_is_received() -> None:
    assert points(*attack(), step(hours=73)) == 0


def test_the_points_decay_with_the_leads_that_the_user_has_anyway() -> None:
    received = [points(*before(count, USER), *attack(), step()) for count in (0, 2, 4, 8, 30)]
    assert received == sorted(received, reverse=True)
    assert received[0] > received[1] > received[-1] == 0


def test_a_noisy_detection_receives_less() -> None:
    noise = [lead_row(f"n{n}", ("device", f"n{n}"), when=at(n / 9), title="Noise") for n in range(20)]
    others = [lead_row(f"n{n}", ("device", f"n{n}"), when=at(n / 9), title=f"Other {n}") for n in range(20)]
    assert points(*attack(), *noise, step(title="Noise")) < points(*attack(), *others, step(title="Noise"))


@pytest.mark.parametrize("severity", ["Low", "Informational"])
def test_a_harmless_step_receives_less(severity: str) -> None:
    assert points(*attack(), step(severity=severity)) < points(*attack(), step())


def test_a_stronger_story_gives_more_up_to_a_limit() -> None:
    weak, strong = ([row | {"risk_score": risk} for row in attack(category="Execution")] for risk in (0, 90))
    assert 0 < points(*weak[:2], step()) <= points(*strong, step()) <= MOST_RECEIVED


def test_a_lead_receives_from_the_one_story_that_gives_most() -> None:
    second = [
        lead_row(
            f"z{n}", ("user", "v"), OTHER_PC, ("file", "z"), when=at(8, minutes=n), severity="Low", title=f"z{n % 2}"
        )
        for n in range(2)
    ]
    stories = build_stories(DAY, lead_frame([*attack(), *second, step(USER, ("device", "third"))]))
    assert stories.height == 2
    by_story = dict(stories.select("story_id", "nearby_leads").rows())
    assert sorted(len(leads) for leads in by_story.values()) == [0, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"muted_by": "rule"},
        {"tenant_id": OTHER_TENANT},
        {"export_date": EVE},
        {"alert_time": None},
        {"entities": []},
    ],
)
def test_leads_that_are_never_near(change: Row) -> None:
    """A lead without a row of the day is in no queue of the day, unless it is in a story."""
    assert nearby(*attack(), step() | change) == {}


def test_a_lead_that_names_nothing_is_near_by_its_detection_within_an_hour() -> None:
    others = [lead_row(f"o{n}", ("device", f"o{n}"), when=at(-72 - n), day=EVE, title="Title of a1") for n in range(4)]
    lead = nearby(*attack(), *others, step(hours=1, title="Title of a1", entities=[]))["step"]
    assert (lead["kind"], lead["seconds"]) == ("detection", None)


def test_any_order_of_the_rows_gives_the_same() -> None:
    rows = [*before(3, USER), *attack(), step(), step(hours=-5, name="early"), step(PC, hours=12, name="late")]
    expected = nearby(*rows)
    assert {"step", "early", "late"} <= set(expected)
    for seed in range(3):
        assert nearby(*Random(seed).sample(rows, len(rows))) == expected


def test_the_points_are_the_leads_own_in_each_tenant() -> None:
    rows = [*attack(), step()]
    both = [*rows, *(row | {"tenant_id": OTHER_TENANT} for row in rows)]
    stories = build_stories(DAY, lead_frame(both))
    alone = nearby(*rows)
    assert dict(stories.select("tenant_id", "nearby_leads").rows()) == {
        TENANT: list(alone.values()),
        OTHER_TENANT: list(alone.values()),
    }


@FEW
@given(st.integers(5, 60), st.integers(0, 3))
def test_strangers_on_the_server_of_a_story_receive_little(count: int, seed: int) -> None:
    """However many there are."""
    random = Random(seed)
    strangers = [
        lead_row(f"s{n:03}", ("user", f"s{n}"), PC, when=at(random.uniform(-10, 10)), title=f"s{n}")
        for n in range(count)
    ]
    found = nearby(*attack(), *strangers)
    assert all(lead["points"] <= MOST_RECEIVED // 4 for lead in found.values())


@FEW
@given(st.integers(1, 40), st.floats(5, 60))
def test_the_priority_is_that_of_the_lead_or_higher(count: int, hours: float) -> None:
    steps = [step(hours=hours * n / count - 5, name=f"step {n}", title=f"step {n}") for n in range(count)]
    leads = lead_frame([*attack(), *steps])
    queue = build_queue(DAY, leads, build_stories(DAY, leads).lazy())
    assert queue.height == len(steps) + 4
    for row in queue.to_dicts():
        assert row["priority"] >= row["risk_score"]
        assert sum(reason["points"] for reason in row["priority_reasons"]) == row["priority"]
        received = row["priority_points"] - row["risk_score"]
        assert row["story_id"] is not None or 0 <= received <= MOST_RECEIVED


def test_a_step_of_another_day_does_not_change_the_story() -> None:
    stories = [build_stories(DAY, lead_frame([*attack(), *more])) for more in ([], [step()], [step(day=EVE)])]
    columns = [name for name in stories[0].columns if name != "nearby_leads"]
    assert stories[0].select(columns).equals(stories[1].select(columns))
    assert stories[0].equals(stories[2])
