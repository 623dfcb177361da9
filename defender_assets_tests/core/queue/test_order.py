from datetime import timedelta
from typing import Any

import polars as pl

from defender_assets.core.leads import LEAD_SCHEMA
from defender_assets.core.queue.build import queue_order
from defender_assets.core.queue.order import PRIORITY_COLUMNS, story_order, with_priority
from defender_assets.core.queue.schema import QUEUE_SCHEMA
from defender_assets.core.stories import STORY_SCHEMA
from defender_assets_tests.support.alert_rows import DAY, OTHER_TENANT, TENANT, at, lead_frame, lead_row


def entries(*rows: dict[str, Any]) -> pl.LazyFrame:
    return pl.LazyFrame([{"tenant_id": TENANT, "export_date": DAY, **row} for row in rows], schema=QUEUE_SCHEMA)


def test_a_lead_without_an_entry_has_its_risk_as_its_priority() -> None:
    leads = lead_frame([lead_row("a", risk_score=40), lead_row("b", risk_score=None), lead_row("c", risk_score=30)])
    story = {"story_id": "s", "story_title": "t", "story_score": 70}
    found = with_priority(leads, entries({"lead_id": "c", "priority": 100, "priority_points": 105, **story}))
    rows = queue_order(found).collect()
    assert rows.select("lead_id", *PRIORITY_COLUMNS).rows() == [
        ("c", 100, 105, "s", "t", 70),
        ("a", 40, 40, None, None, None),
        ("b", 0, 0, None, None, None),
    ]
    assert rows.columns == [*LEAD_SCHEMA.names(), *PRIORITY_COLUMNS]


def test_an_entry_that_is_older_than_the_lead_never_lowers_it() -> None:
    found = with_priority(lead_frame([lead_row("a", risk_score=90)]), entries({"lead_id": "a", "priority": 20}))
    assert found.collect().select("priority", "priority_points").rows() == [(90, 90)]


def test_an_entry_of_another_tenant_does_not_count() -> None:
    other = {"tenant_id": OTHER_TENANT, "lead_id": "a", "priority": 99, "priority_points": 99}
    assert with_priority(lead_frame([lead_row("a")]), entries(other)).collect()["priority"].to_list() == [30]


def test_stories_are_ordered_by_points_beyond_100_and_by_score_where_there_are_none() -> None:
    rows: list[dict[str, Any]] = [
        {"story_id": "a", "score": 100, "points": 120},
        {"story_id": "b", "score": 100, "points": 180},
        {"story_id": "older-lake", "score": 100, "points": None},
        {"story_id": "quiet", "score": 30, "points": 30},
        {"story_id": "newer", "score": 30, "points": 30, "last_alert_time": at(1)},
        {"story_id": "nothing", "score": None, "points": None},
    ]
    known = [
        {"tenant_id": TENANT, "export_date": DAY - timedelta(days=1), "last_alert_time": at(), **row} for row in rows
    ]
    ordered = story_order(pl.DataFrame(known, schema=STORY_SCHEMA).reverse())
    assert ordered["story_id"].to_list() == ["b", "a", "older-lake", "newer", "quiet", "nothing"]
