"""A verdict changes what is shown, and nothing that is stored."""

import re
from datetime import UTC, datetime

import polars as pl
import pytest

from defender_assets.catalog import BRIEFS, FINDINGS, LEADS, QUEUE, STORIES
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.table_spec import BUILT_VERSION
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.outputs.queries.shown_brief import shown_brief
from defender_assets_tests.support.alert_rows import DAY, EVE, lead_row
from defender_assets_tests.support.triaged_leads import close, put, state

NOW = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
SHARED = (("device", "pc"), ("file", "tool.exe"))
A, B, C = (
    lead_row(name * 8, *entities, lead_version="v1", severity="High", product=product, category=category)
    for name, entities, product, category in (
        ("a", SHARED, "endpoint", "Execution"),
        ("b", SHARED, "identity", "Discovery"),
        ("c", (), "endpoint", "Execution"),
    )
)


@pytest.fixture
def built(lake: Lake) -> Lake:
    put(lake, LEADS.name, DAY, A, B, C)
    build(lake)
    return lake


def build(lake: Lake) -> None:
    for derived in (STORIES, QUEUE, FINDINGS, BRIEFS):
        build_partition(lake, derived, DAY, force=True)


def stored(lake: Lake) -> dict[str, pl.DataFrame]:
    names = (LEADS.name, STORIES.name, QUEUE.name, FINDINGS.name, BRIEFS.name)
    return {name: lake.read(name).drop(BUILT_VERSION.name).collect() for name in names}


def shown(lake: Lake) -> str:
    html = shown_brief(lake, DAY, NOW)
    assert html
    return html


def test_what_is_stored_is_the_same_before_and_after_a_verdict_and_what_is_shown_differs(built: Lake) -> None:
    before, page = stored(built), shown(built)
    assert before[STORIES.name].height == 1
    close(built, A)
    state(built, C, state="in_progress", assignee="<b>bo</b>")
    build(built)
    after, later = stored(built), shown(built)
    assert all(after[name].equals(frame) for name, frame in before.items())
    assert "State as of 09:30 UTC." in page
    assert "left out" not in page
    assert "State as of 09:30 UTC. 1 closed lead left out." in later
    assert 'id="lead-aaaaaaaa"' in page
    assert 'id="lead-aaaaaaaa"' not in later
    assert "<code>defender-assets lead cccccccc</code> · in progress, &lt;b&gt;bo&lt;/b&gt;" in later
    # the story is open: its closed lead is a step of it
    assert "<span>closed as false positive</span>" in later


def test_a_story_is_left_out_when_all_its_leads_are_closed(built: Lake) -> None:
    assert 'id="story-' in shown(built)
    for row in (A, B):
        close(built, row)
    page = shown(built)
    assert 'id="story-' not in page
    assert "1 closed story left out." in page
    assert re.search(
        r"Closed since the day before:</p><ul><li>\w{8}, 2 alerts[^<]*: false positive, by ana, [^<]* UTC<", page
    )
    assert "no story links any of them" in page
    put(built, LEADS.name, DAY, A | {"lead_version": "v2", "severity": "Low"}, B, C)
    assert "open again, closed as false positive before. Severity changed from High to Low" in shown(built)


def test_a_day_without_data_has_no_brief(lake: Lake) -> None:
    assert shown_brief(lake, DAY, NOW) is None


def test_it_says_which_stories_are_new_or_grown_and_what_the_day_before_had(built: Lake) -> None:
    assert "<span>new</span><span>2 alerts</span>" in shown(built)
    assert "The day before" not in shown(built)
    put(built, LEADS.name, EVE, *(row | {"export_date": EVE} for row in (A, B)))
    for derived in (STORIES, QUEUE, BRIEFS):
        build_partition(built, derived, EVE, force=True)
    later = lead_row("d" * 8, *SHARED, lead_version="v1", product="office365", category="InitialAccess")
    put(built, LEADS.name, DAY, B, C, later)
    build(built)
    page = shown(built)
    assert "The day before: 2 leads, 1 story." in page
    assert "<span>grown by 1 alert</span><span>3 alerts</span>" in page
    stored_page = built.read(BRIEFS.name).filter(export_date=DAY).collect()["html"].item()
    assert "grown by" not in stored_page
