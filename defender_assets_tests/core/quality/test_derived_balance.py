"""Stories, queue, findings and brief are compared with what they are made of."""

from collections.abc import Callable, Iterable

import polars as pl
import pytest

from defender_assets.catalog import BRIEFS, FINDINGS, QUEUE, STORIES
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.derived_balance import brief_balance, finding_balance, queue_balance, story_balance
from defender_assets.core.schemas import DEVICE_INFO, QUARANTINE_SCHEMA
from defender_assets_tests.core.queue.test_build import story
from defender_assets_tests.support.alert_rows import DAY, EVE, TENANT, Row, lead_frame, lead_row

LEADS = lead_frame([lead_row("a"), lead_row("b", day=EVE), lead_row("c"), lead_row("m", muted_by="rule")])
STORY = story("s", "a", "b")
DEVICES = pl.LazyFrame(schema=DEVICE_INFO.schema)


def rows(schema: pl.Schema, found: Iterable[Row]) -> pl.LazyFrame:
    return pl.DataFrame([dict.fromkeys(schema) | row for row in found], schema, orient="row").lazy()


def stories(*found: Row) -> pl.LazyFrame:
    return rows(STORIES.schema, found)


def queue(*lead_ids: str) -> pl.LazyFrame:
    return rows(QUEUE.schema, [{"tenant_id": TENANT, "export_date": DAY, "lead_id": each} for each in lead_ids])


def findings(*lead_ids: str) -> pl.LazyFrame:
    return rows(FINDINGS.schema, [{"tenant_id": TENANT, "export_date": DAY, "finding_uid": each} for each in lead_ids])


def brief(*found: Row) -> CheckOutcome:
    quarantined = rows(QUARANTINE_SCHEMA, [{"export_date": DAY}, {"export_date": EVE}])
    return brief_balance(
        DAY, rows(BRIEFS.schema, found), LEADS, stories(STORY), queue("a", "b", "c"), DEVICES, quarantined
    )


def test_what_agrees_passes() -> None:
    assert story_balance(DAY, stories(STORY), LEADS).passed
    assert queue_balance(DAY, queue("a", "b", "c"), LEADS, stories(STORY)).passed
    assert finding_balance(DAY, findings("a", "c", "m"), LEADS).passed
    outcome = brief({"lead_count": 2, "story_count": 1, "quarantined_lines": 1})
    assert outcome.passed
    assert outcome.facts == {"lead_count": 2, "story_count": 1, "quarantined_lines": 1}


@pytest.mark.parametrize(
    ("evaluate", "expected"),
    [
        (lambda: story_balance(DAY, stories(story("s", "a", "gone")), LEADS), "1 leads of stories do not exist"),
        (lambda: story_balance(DAY, stories(STORY, story("t", "a", "c")), LEADS), "2 leads are in a story more than"),
        (lambda: story_balance(DAY, stories(story("s", "b")), LEADS), "1 stories have no lead of the day"),
        (lambda: story_balance(DAY, stories(STORY | {"lead_count": 3}), LEADS), "1 stories have another number"),
        (lambda: queue_balance(DAY, queue("a", "c"), LEADS, stories(STORY)), "1 leads are missing"),
        (lambda: queue_balance(DAY, queue("a", "b", "c", "m"), LEADS, stories(STORY)), "1 leads do not belong"),
        (lambda: queue_balance(DAY, queue("a", "b", "c", "c"), LEADS, stories(STORY)), "2 leads are there more"),
        (lambda: finding_balance(DAY, findings("a", "c"), LEADS), "1 leads have no finding"),
        (lambda: finding_balance(DAY, findings("a", "c", "m", "b"), LEADS), "1 findings have no lead"),
        (lambda: finding_balance(DAY, findings("a", "c", "c", "m"), LEADS), "2 findings are there more than once"),
        (lambda: brief({"lead_count": 3, "story_count": 1, "quarantined_lines": 1}), "lead_count is 3 instead of 2"),
        (brief, "lead_count is 0 instead of 2; story_count is 0 instead of 1; quarantined_lines is 0 instead of 1"),
    ],
)
def test_what_does_not_agree_fails_with_what_to_do(evaluate: Callable[[], CheckOutcome], expected: str) -> None:
    outcome = evaluate()

    assert not outcome.passed
    assert outcome.summary.startswith(expected)
    assert "rebuild_day" in outcome.summary
