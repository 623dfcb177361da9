"""The brief as it is shown: rendered from the tables of now, with triage and a comparison with the day before."""

from datetime import UTC, date, datetime, timedelta

import polars as pl

from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import days_between
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.queue.schema import QUEUE_TABLE
from defender_assets.core.schemas import DEVICE_INFO, QUARANTINE
from defender_assets.core.stories.schema import STORIES_TABLE
from defender_assets.core.text import pluralize
from defender_assets.outputs.brief.build import build_briefs
from defender_assets.outputs.brief.schema import BRIEF_LOOKBACK_DAYS, BRIEFS_TABLE
from defender_assets.outputs.brief.triage import Triage, closed_stories, story_changes
from defender_assets.outputs.queries.views import active_stories, lead_states, precisions


def shown_brief(lake: Lake, day: date, now: datetime | None = None) -> str | None:
    """Return the brief of a day as HTML with the states as of `now` (default: now); None if the day has no data.

    Closed leads and stories are left out of its lists. The stored brief of the day stays as it is.
    """

    def read(name: str, days: int) -> pl.LazyFrame:
        return days_between(lake.read(name), day - timedelta(days=days), day)

    columns = ("tenant_id", "story_id", "export_date", "title", "lead_ids")
    versions = read(STORIES_TABLE, BRIEF_LOOKBACK_DAYS).select(columns)
    states = lead_states(lake).collect()
    triage = Triage(
        states,
        now or datetime.now(UTC),
        precisions(lake),
        story_changes(day, versions.collect()),
        _day_before(lake, day),
        closed_stories(day, active_stories(versions).collect(), states),
    )
    briefs = build_briefs(
        day,
        read(LEADS_TABLE, BRIEF_LOOKBACK_DAYS),
        read(STORIES_TABLE, 0),
        read(QUEUE_TABLE, 0),
        read(DEVICE_INFO.name, BRIEF_LOOKBACK_DAYS),
        read(QUARANTINE, 0),
        triage=triage,
    )
    return None if briefs.is_empty() else str(briefs["html"].item())


def _day_before(lake: Lake, day: date) -> str | None:
    """Return how many leads and stories the day before had; None if it has no brief."""
    before = days_between(lake.read(BRIEFS_TABLE), day - timedelta(days=1), day - timedelta(days=1))
    for leads, stories in before.select("lead_count", "story_count").collect().iter_rows():
        return f"The day before: {pluralize(leads, 'lead')}, {pluralize(stories, 'story', 'stories')}."
    return None
