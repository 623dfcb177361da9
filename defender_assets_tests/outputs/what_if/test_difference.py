"""How stories and leads of two sides are told apart, on a few rows."""

from collections.abc import Mapping

import polars as pl
import pytest

from defender_assets.core.leads import LEAD_SCHEMA
from defender_assets.core.queue.schema import QUEUE_SCHEMA
from defender_assets.core.stories.schema import STORY_SCHEMA
from defender_assets.outputs.what_if.difference import Side, lead_differences, story_differences
from defender_assets_tests.support.alert_rows import TENANT, lead_frame, lead_row

Stories = Mapping[str, list[str]]


def side(stories: Stories, points: int = 50) -> Side:
    rows = [
        {"tenant_id": TENANT, "story_id": story_id, "lead_ids": lead_ids, "points": points, "title": story_id}
        for story_id, lead_ids in stories.items()
    ]
    return Side(LEAD_SCHEMA.to_frame(), pl.DataFrame(rows, schema=STORY_SCHEMA), QUEUE_SCHEMA.to_frame())


@pytest.mark.parametrize(
    ("base", "other", "kind"),
    [
        ({}, {"a": ["1", "2"]}, "forms"),
        ({"a": ["1", "2"]}, {}, "dissolves"),
        ({"a": ["1", "2"], "b": ["3", "4"]}, {"a": ["1", "2", "3", "4"]}, "merges"),
        ({"a": ["1", "2", "3", "4"]}, {"a": ["1", "2"], "b": ["3", "4"]}, "splits"),
        ({"a": ["1", "2"], "b": ["3", "4"]}, {"a": ["1", "3"], "b": ["2", "4"]}, "regroups"),
        ({"a": ["1", "2"]}, {"a": ["1", "2", "3"]}, "changes"),
    ],
)
def test_stories_that_share_leads_are_compared_with_each_other(base: Stories, other: Stories, kind: str) -> None:
    unchanged = {"z": ["8", "9"]}

    (found,) = story_differences(side({**base, **unchanged}), side({**other, **unchanged}))

    assert found["kind"] == kind
    assert {each["story_id"]: each["lead_ids"] for each in found["base"]} == base
    assert {each["story_id"]: each["lead_ids"] for each in found["other"]} == other


def test_a_story_of_the_same_leads_names_what_differs() -> None:
    (found,) = story_differences(side({"a": ["1", "2"]}), side({"a": ["1", "2"]}, points=51))

    assert (found["kind"], found["columns"]) == ("changes", ["points"])


def test_a_value_that_no_rule_decides_is_named() -> None:
    nothing = side({})
    base, other = (
        Side(
            lead_frame([lead_row("1", device_name=name, scoring_version=name)]).collect(),
            nothing.stories,
            nothing.queue,
        )
        for name in ("before", "after")
    )

    (found,) = lead_differences(base, other)

    assert (found["kinds"], found["columns"]) == (["content"], ["device_name"])
