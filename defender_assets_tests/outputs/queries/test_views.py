from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from defender_assets.catalog import LEADS, QUEUE, STORIES
from defender_assets.core.errors import LakeError
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.schemas import QUARANTINE
from defender_assets.outputs.queries.views import (
    collected,
    current_leads,
    current_queue,
    current_stories,
    lead_versions,
    quarantined_lines,
    story_versions,
)
from defender_assets_tests.support.exports import OTHER_TENANT, TENANT

FIRST, SECOND = date(2026, 11, 2), date(2026, 11, 3)


def put(lake: Lake, name: str, day: date, *rows: Mapping[str, Any]) -> None:
    """Rows of one day; what a row does not say is null."""
    target = lake.fenced(name, day)
    said = [{"tenant_id": TENANT, "export_date": day, **row} for row in rows]
    lake.commit(target, Commit([pl.DataFrame(said, schema=target.spec.schema)], target.version + 1))


def test_the_latest_partition_gives_the_current_lead(lake: Lake) -> None:
    put(lake, LEADS.name, FIRST, {"lead_id": "a", "risk_score": 90}, {"lead_id": "b", "risk_score": 20})
    put(lake, LEADS.name, SECOND, {"lead_id": "a", "risk_score": 30})

    now = collected(lake, current_leads(lake))

    assert now.select("lead_id", "risk_score", "export_date").rows() == [("a", 30, SECOND), ("b", 20, FIRST)]


def test_the_state_at_the_end_of_an_earlier_day(lake: Lake) -> None:
    put(lake, LEADS.name, FIRST, {"lead_id": "a", "risk_score": 90})
    put(lake, LEADS.name, SECOND, {"lead_id": "a", "risk_score": 30}, {"lead_id": "b", "risk_score": 20})

    assert collected(lake, current_leads(lake, FIRST)).select("lead_id", "risk_score").rows() == [("a", 90)]


def test_a_lead_is_left_out_while_its_latest_row_is_muted(lake: Lake) -> None:
    put(lake, LEADS.name, FIRST, {"lead_id": "a"}, {"lead_id": "b", "muted_by": "rule"}, {"lead_id": "c"})
    put(lake, LEADS.name, SECOND, {"lead_id": "a", "muted_by": "rule"}, {"lead_id": "b"})

    def ids(leads: pl.LazyFrame) -> list[str]:
        return sorted(collected(lake, leads)["lead_id"])

    assert ids(current_leads(lake)) == ["b", "c"]
    assert ids(current_leads(lake, FIRST)) == ["a", "c"]
    assert ids(current_leads(lake, muted=True)) == ["a", "b", "c"]
    assert ids(lead_versions(lake, day=FIRST)) == ["a", "c"]
    assert ids(lead_versions(lake, day=FIRST, muted=True)) == ["a", "b", "c"]


def test_one_lead_id_in_two_tenants_is_two_leads(lake: Lake) -> None:
    put(lake, LEADS.name, FIRST, {"lead_id": "a"}, {"lead_id": "a", "tenant_id": OTHER_TENANT})
    put(lake, LEADS.name, SECOND, {"lead_id": "a"})

    rows = collected(lake, current_leads(lake)).select("tenant_id", "export_date").rows()

    assert sorted(rows) == [(TENANT, SECOND), (OTHER_TENANT, FIRST)]


def test_the_highest_risk_comes_first_and_an_unknown_one_last(lake: Lake) -> None:
    put(lake, LEADS.name, FIRST, *({"lead_id": str(score), "risk_score": score} for score in (5, None, 99, 40)))

    assert collected(lake, current_leads(lake))["risk_score"].to_list() == [99, 40, 5, None]


def entry(lead_id: str, priority: int, story_id: str | None = None, **more: Any) -> dict[str, Any]:
    """An entry of the queue; `priority` is not cut in its points."""
    points = {"priority": min(priority, 100), "priority_points": priority}
    return {"lead_id": lead_id, "story_id": story_id, "severity": "High", **points, **more}


def test_leads_come_in_the_order_of_the_queue_with_their_stories(lake: Lake) -> None:
    leads = [{"lead_id": name, "risk_score": risk} for name, risk in (("a", 90), ("b", 10), ("c", 20), ("d", 100))]
    put(lake, LEADS.name, FIRST, *leads)
    story = {"story_title": "Story s", "story_score": 100}
    put(lake, QUEUE.name, FIRST, entry("a", 90), entry("b", 140, "s", **story), entry("c", 20), entry("d", 100))

    rows = collected(lake, current_leads(lake))

    assert rows.select("lead_id", "priority", "priority_points", "story_id", "story_title", "story_score").rows() == [
        ("b", 100, 140, "s", "Story s", 100),
        ("d", 100, 100, None, None, None),
        ("a", 90, 90, None, None, None),
        ("c", 20, 20, None, None, None),
    ]


def test_a_lead_of_yesterday_rises_today_and_not_in_the_view_of_yesterday(lake: Lake) -> None:
    put(lake, LEADS.name, FIRST, {"lead_id": "a", "risk_score": 10}, {"lead_id": "b", "risk_score": 50})
    put(lake, QUEUE.name, FIRST, entry("a", 10), entry("b", 50))
    put(lake, LEADS.name, SECOND, {"lead_id": "c", "risk_score": 60})
    put(lake, QUEUE.name, SECOND, entry("a", 95, "s"), entry("c", 60))

    def shown(rows: pl.LazyFrame) -> list[tuple[str, int]]:
        return collected(lake, rows).select("lead_id", "priority").rows()

    assert shown(current_leads(lake)) == shown(current_queue(lake)) == [("a", 95), ("c", 60), ("b", 50)]
    assert shown(current_leads(lake, FIRST)) == shown(current_queue(lake, FIRST)) == [("b", 50), ("a", 10)]
    # the rows of a day are shown as they were then
    assert shown(lead_versions(lake, day=FIRST)) == [("b", 50), ("a", 10)]
    assert shown(lead_versions(lake)) == [("c", 60), ("b", 50), ("a", 10)]


def test_without_the_queue_of_a_day_the_risk_counts(lake: Lake) -> None:
    put(lake, LEADS.name, FIRST, {"lead_id": "a", "risk_score": 30}, {"lead_id": "b", "risk_score": 70})
    assert not lake.exists(QUEUE.name)
    assert collected(lake, current_leads(lake)).select("lead_id", "priority").rows() == [("b", 70), ("a", 30)]
    assert collected(lake, lead_versions(lake))["priority_points"].to_list() == [70, 30]
    assert collected(lake, current_queue(lake)).is_empty()
    # the queue of the next day is built, that of the first is not yet
    put(lake, LEADS.name, SECOND, {"lead_id": "c", "risk_score": 20}, {"lead_id": "a", "risk_score": 90})
    put(lake, QUEUE.name, SECOND, entry("c", 80, "s"))
    rows = collected(lake, current_leads(lake))
    assert rows.select("lead_id", "priority", "story_id").rows() == [("a", 90, None), ("c", 80, "s"), ("b", 70, None)]


def test_a_lead_that_was_muted_later_leaves_the_queue(lake: Lake) -> None:
    put(lake, LEADS.name, FIRST, {"lead_id": "a"}, {"lead_id": "b"}, {"lead_id": "a", "tenant_id": OTHER_TENANT})
    put(lake, QUEUE.name, FIRST, entry("a", 95), entry("b", 50), entry("a", 20, tenant_id=OTHER_TENANT))
    put(lake, LEADS.name, SECOND, {"lead_id": "a", "muted_by": "rule"})

    for view in (current_leads, current_queue):
        rows = collected(lake, view(lake)).select("tenant_id", "lead_id").rows()
        assert rows == [(TENANT, "b"), (OTHER_TENANT, "a")]
    assert collected(lake, current_queue(lake, FIRST)).height == 3


def test_a_days_leads_are_those_of_its_partition(lake: Lake) -> None:
    put(lake, LEADS.name, FIRST, {"lead_id": "a"}, {"lead_id": "b"})
    put(lake, LEADS.name, SECOND, {"lead_id": "a"})

    assert collected(lake, lead_versions(lake, day=FIRST)).height == 2
    assert collected(lake, lead_versions(lake)).height == 3


def test_the_latest_partition_gives_the_current_story(lake: Lake) -> None:
    put(lake, STORIES.name, FIRST, {"story_id": "s", "score": 50, "lead_ids": ["a", "b"]})
    put(
        lake,
        STORIES.name,
        SECOND,
        {"story_id": "s", "score": 70, "lead_ids": ["a", "b", "c"]},
        {"story_id": "t", "lead_ids": ["x", "y"]},
    )

    now = collected(lake, current_stories(lake))

    assert now.select("story_id", "lead_ids").rows() == [("s", ["a", "b", "c"]), ("t", ["x", "y"])]
    assert collected(lake, current_stories(lake, FIRST))["score"].to_list() == [50]
    assert collected(lake, story_versions(lake, day=SECOND)).height == 2


def test_stories_are_ordered_by_points_that_are_not_cut(lake: Lake) -> None:
    points = {"a": 120, "b": 180, "older": None}
    put(
        lake,
        STORIES.name,
        FIRST,
        *({"story_id": name, "score": 100, "points": value} for name, value in points.items()),
    )

    assert collected(lake, story_versions(lake))["story_id"].to_list() == ["b", "a", "older"]


def test_a_merged_story_is_left_out(lake: Lake) -> None:
    put(lake, STORIES.name, FIRST, {"story_id": "s", "lead_ids": ["a", "b"]}, {"story_id": "t", "lead_ids": ["c", "d"]})
    put(lake, STORIES.name, SECOND, {"story_id": "s", "lead_ids": ["a", "b", "c", "d", "e"]})

    assert collected(lake, current_stories(lake))["story_id"].to_list() == ["s"]
    assert sorted(collected(lake, current_stories(lake, FIRST))["story_id"]) == ["s", "t"]


def test_quarantined_lines_by_day_table_and_reason(lake: Lake) -> None:
    lines = [{"table_name": table, "reason": reason} for table in ("one", "two") for reason in ("not_json", "no_key")]
    put(lake, QUARANTINE, FIRST, *lines)
    put(lake, QUARANTINE, SECOND, lines[0])

    assert collected(lake, quarantined_lines(lake))["export_date"].to_list() == [SECOND] + 4 * [FIRST]
    assert collected(lake, quarantined_lines(lake, day=FIRST, table="one")).height == 2
    assert collected(lake, quarantined_lines(lake, table="two", reason="no_key")).height == 1


def test_a_lake_that_was_never_written_is_empty_and_stays_so(lake: Lake) -> None:
    for rows in (current_leads(lake), current_queue(lake), current_stories(lake), quarantined_lines(lake)):
        assert collected(lake, rows).is_empty()
    assert not Path(lake.uri).exists()


def test_missing_files_are_a_one_line_error(lake: Lake) -> None:
    put(lake, LEADS.name, FIRST, {"lead_id": "a"})
    for file in Path(lake.uri, LEADS.name).rglob("*.parquet"):
        file.unlink()

    with pytest.raises(LakeError, match="cannot read") as raised:
        collected(lake, current_leads(lake))

    assert "\n" not in str(raised.value)
