"""Metadata of materializations: counts and previews as tables, whose text may come from an attacker."""

from collections import Counter
from datetime import UTC, datetime

import dagster as dg
import polars as pl

from defender_assets.assets.leads import PRESENTATIONS, AssetPresentation
from defender_assets.catalog import QUEUE, STORIES
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.pipeline.derived_table import DerivedReport
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.core.tables.build import TypedReport
from defender_assets.core.tables.daily_summary import DailySummary
from defender_assets.core.tables.parsing.typed_rows import Tally
from defender_assets.core.timings import StageTimings
from defender_assets.metadata.reports import counts_table, derived_metadata, queue_metadata, typed_metadata

EMPTY = DailySummary(None, None, {}, {}, {}, pl.DataFrame())


def rows_of(value: object) -> list[dict[str, object]]:
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def test_hidden_characters_in_field_names_are_escaped() -> None:
    report = TypedReport(Tally(mismatches=Counter({"Ev\u202eil": 2})))

    fields = typed_metadata(ALERT_INFO, report, 0, EMPTY)["unmapped_fields"]

    assert rows_of(fields) == [{"field": "Ev\\u202eil", "values": "2"}]


def test_counts_are_a_table_with_the_highest_first() -> None:
    assert rows_of(counts_table("reason", "lines", {"b": 1, "a": 1, "c": 3})) == [
        {"reason": "c", "lines": "3"},
        {"reason": "a", "lines": "1"},
        {"reason": "b", "lines": "1"},
    ]


def test_a_preview_starts_with_the_highest_score_and_shows_times_in_seconds() -> None:
    at = datetime(2026, 10, 1, 8, 30, 5, 123456, tzinfo=UTC)
    rows = pl.DataFrame({"score": [18, None, 68], "at": [None, None, at], "kept": "no"})

    report = DerivedReport(rows, 1, written=True, timings=StageTimings())
    shown = AssetPresentation("", "", ("score", "at")).ordered(rows)
    preview = derived_metadata(report, shown, {})["preview"]

    assert rows_of(preview) == [
        {"score": "68", "at": "2026-10-01 08:30:05"},
        {"score": "18", "at": None},
        {"score": None, "at": None},
    ]


def _rows(spec: TableSpec, **columns: list[int]) -> pl.DataFrame:
    """Three rows of a table; what is not given is null, and the titles are a, b and c."""
    given = {"title": ["a", "b", "c"], **columns}
    return pl.DataFrame({name: given.get(name, [None] * 3) for name in spec.schema}, spec.schema)


def test_the_previews_of_queue_and_stories_are_ordered_by_points() -> None:
    points = [100, 180, 120]
    entries = _rows(QUEUE, priority=[100] * 3, priority_points=points)
    stories = _rows(STORIES, score=[100] * 3, points=points)

    assert PRESENTATIONS[QUEUE.name].ordered(entries)["title"].to_list() == ["b", "c", "a"]
    assert PRESENTATIONS[STORIES.name].ordered(stories)["title"].to_list() == ["b", "c", "a"]
    figures = queue_metadata(DerivedReport(entries, 1, written=True), datetime.now(UTC).date())
    assert figures == {"highest_priority": 100, "leads_in_stories": 0}
    assert (
        queue_metadata(DerivedReport(entries.clear(), 1, written=True), datetime.now(UTC).date())["highest_priority"]
        == 0
    )
