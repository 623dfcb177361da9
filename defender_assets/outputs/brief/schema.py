"""The columns of `daily_briefs`: names, types, meanings, origins."""

import polars as pl

from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.queue.schema import QUEUE_TABLE
from defender_assets.core.schemas import DEVICE_INFO, QUARANTINE
from defender_assets.core.schemas.column import INTEGER, TEXT, TEXTS, Column, column_schema, origins
from defender_assets.core.stories.schema import STORIES_TABLE

BRIEFS_TABLE = "daily_briefs"

BRIEF_LOOKBACK_DAYS = 7
"""Partition D of the briefs reads the lead and device partitions D-7 … D: a story may contain older leads."""

_TABLES = {
    "lead": LEADS_TABLE,
    "story": STORIES_TABLE,
    "queue": QUEUE_TABLE,
    "device": DEVICE_INFO.name,
    "quarantine": QUARANTINE,
}
_TENANTS = "lead.tenant_id story.tenant_id device.tenant_id"


def _column(name: str, dtype: pl.DataType, meaning: str, made_from: str) -> Column:
    return Column(name, dtype, meaning, origins=origins(made_from, **_TABLES))


BRIEF_COLUMNS = (
    _column("tenant_id", TEXT, "Entra tenant, lower case; null if the brief covers several (see `tenants`)", _TENANTS),
    _column("export_date", pl.Date(), "Day of arrival (UTC) that the brief is about. The partition",
            "lead.export_date"),
    _column("tenants", TEXTS, "Tenants with leads or heartbeats on the day, sorted", _TENANTS),
    _column("lead_count", INTEGER, "Leads that were new or changed on the day, without muted ones", "lead.lead_id"),
    _column("story_count", INTEGER, "Stories with a lead that was new or changed on the day", "story.story_id"),
    _column("quarantined_lines", INTEGER, "Lines of the day that are not records", "quarantine.reason"),
    _column("headline", TEXT, "The day in a sentence. Holds text that an attacker can influence",
            "lead.lead_id lead.severity story.story_id story.title story.score story.points"),
    _column("picture", TEXT, "Leads by hour and severity as a small SVG; its only text is the project's own",
            "lead.alert_time lead.severity"),
    _column("html", TEXT, "The page. Text that an attacker can influence is escaped in it",
            "lead.title lead.severity lead.risk_score lead.risk_reasons lead.changes lead.device_name lead.alert_time "
            "lead.device_age_seconds lead.portal_url queue.priority queue.priority_points queue.priority_reasons "
            "queue.story_title queue.story_score story.title story.score story.points story.score_reasons "
            "story.lead_ids story.merged_story_ids story.tactics story.timeline story.shared_entities "
            "device.Timestamp quarantine.reason"),
)  # fmt: skip
"""Every column of `daily_briefs`, in order."""

BRIEF_SCHEMA = column_schema(BRIEF_COLUMNS)
