"""Metadata of materializations: counts and previews as tables, whose text may come from an attacker."""

import base64
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
import polars as pl

from defender_assets.assets.leads import PRESENTATIONS, AssetPresentation
from defender_assets.catalog import LEADS, QUEUE, STORIES
from defender_assets.core.enums import SEVERITIES
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.pipeline.derived_table import DerivedReport
from defender_assets.core.raw.ingest import RawReport
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.core.tables.build import TypedReport
from defender_assets.core.tables.daily_summary import DailySummary
from defender_assets.core.tables.parsing.typed_rows import Tally
from defender_assets.core.timings import StageTimings
from defender_assets.metadata.charts import INLINE, severity_strip
from defender_assets.metadata.reports import (
    Metadata,
    counts_table,
    derived_metadata,
    figures,
    leads_metadata,
    queue_metadata,
    raw_metadata,
    table_preview,
    typed_metadata,
)

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
    today = datetime.now(UTC).date()
    shown = queue_metadata(DerivedReport(entries, 1, written=True), today)
    assert shown == {"day": "3 leads, 0 of them in stories; the highest priority is 100"}
    empty = queue_metadata(DerivedReport(entries.clear(), 1, written=True), today)
    assert empty == {"day": "0 leads, 0 of them in stories; the highest priority is 0"}


def test_a_preview_of_the_queue_has_the_lead_and_the_address_of_its_alert() -> None:
    entries = _rows(QUEUE, priority=[1, 2, 3], priority_points=[1, 2, 3]).with_columns(
        lead_id=pl.lit("ab12"), tenant_id=pl.lit("0" * 36), alert_id=pl.Series(["x", None, "a/b" + "c" * 38])
    )

    shown = PRESENTATIONS[QUEUE.name].ordered(entries)

    address = f"https://security.microsoft.com/alerts/a%2Fb{'c' * 38}?tid={'0' * 36}"
    assert shown["lead_id"].to_list() == ["ab12"] * 3
    elsewhere = PRESENTATIONS[QUEUE.name].ordered(entries, "https://security.microsoft.us")["portal_url"]
    assert elsewhere[2] == f"https://security.microsoft.us/alerts/x?tid={'0' * 36}"
    assert [row["portal_url"] for row in rows_of(table_preview(shown))] == [
        address,
        None,
        f"https://security.microsoft.com/alerts/x?tid={'0' * 36}",
    ]


def plotted(metadata: Metadata) -> set[str]:
    """The names of the numbers, each of which Dagster draws over time and partitions."""
    values = {name: value.value if isinstance(value, dg.MetadataValue) else value for name, value in metadata.items()}
    return {name for name, value in values.items() if isinstance(value, int | float)}


def test_only_what_is_worth_looking_at_is_plotted() -> None:
    summary = replace(EMPTY, lag_median=1.0, lag_p95=2.0)
    leads = DerivedReport(_rows(LEADS), 1, written=True)

    assert plotted(raw_metadata(RawReport())) == {"new_bytes"}
    assert plotted(typed_metadata(ALERT_INFO, TypedReport(Tally()), 3, summary)) == {
        *("dagster/partition_row_count", "new_rows", "quarantined_lines"),
        *("arrival_lag_median_seconds", "arrival_lag_p95_seconds"),
    }
    assert plotted(derived_metadata(leads, leads.rows, leads_metadata(leads, datetime.now(UTC).date()))) == {
        *("dagster/partition_row_count", "leads_high", "leads_medium", "leads_low", "leads_informational"),
    }


def test_internals_are_one_table() -> None:
    internals = raw_metadata(RawReport())["internals"]

    assert isinstance(internals, dg.TableMetadataValue)
    assert {"figure": "chunks", "value": 0} in [dict(record.data) for record in internals.records]
    assert figures({"internals": internals})["chunks"] == 0


def test_the_picture_of_the_severities_is_short_enough_to_be_shown_without_a_click() -> None:
    strip = severity_strip("Leads by severity", dict.fromkeys(SEVERITIES, 1_000_000))

    assert isinstance(strip, dg.MarkdownMetadataValue)
    markdown = strip.md_str or ""
    assert len(markdown) < INLINE
    svg = base64.b64decode(markdown.partition("base64,")[2].removesuffix(")")).decode()
    assert svg.count("1,000,000") == len(SEVERITIES)
