"""The columns of `daily_briefs`: names, types, meanings, origins."""

import polars as pl

from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.schemas import DEVICE_INFO, QUARANTINE
from defender_assets.core.schemas.column import Column, integer, origins, text, texts
from defender_assets.core.stories.schema import STORIES_TABLE

BRIEFS_TABLE = "daily_briefs"

BRIEF_LOOKBACK_DAYS = 7
"""Partition D of the briefs reads the lead and device partitions D-7 … D: a story of the day tells of older leads."""


def _from(words: str, column: Column) -> Column:
    return column.made_from(
        origins(words, lead=LEADS_TABLE, story=STORIES_TABLE, device=DEVICE_INFO.name, quarantine=QUARANTINE)
    )


BRIEF_COLUMNS = (
    _from(
        "lead.tenant_id story.tenant_id device.tenant_id",
        text("tenant_id", "Entra tenant, lower case; null when the brief is of several, which `tenants` names"),
    ),
    _from(
        "lead.export_date",
        Column("export_date", pl.Date(), "Day of arrival (UTC) that the brief is about. The partition"),
    ),
    _from(
        "lead.tenant_id story.tenant_id device.tenant_id",
        texts("tenants", "Tenants with leads or heartbeats on the day, sorted"),
    ),
    _from("lead.lead_id", integer("lead_count", "Leads that were new or changed on the day, without muted ones")),
    _from("story.story_id", integer("story_count", "Stories of which a lead was new or changed on the day")),
    _from("quarantine.reason", integer("quarantined_lines", "Lines of the day that are no record")),
    _from(
        "lead.lead_id lead.severity story.story_id story.title story.score",
        text("headline", "The day in a sentence. Holds text that an attacker can influence"),
    ),
    _from(
        "lead.alert_time lead.severity",
        text("picture", "Leads by hour and severity as a small SVG; its only text is the project's own"),
    ),
    _from(
        "lead.title lead.severity lead.risk_score lead.risk_reasons lead.changes lead.device_name lead.alert_time "
        "story.title story.score story.score_reasons story.lead_ids story.merged_story_ids story.tactics "
        "story.timeline story.shared_entities device.Timestamp quarantine.reason",
        text("html", "The page. Text that an attacker can influence is escaped in it"),
    ),
)
"""Every column of `daily_briefs`, in order."""

BRIEF_SCHEMA = pl.Schema({column.name: column.dtype for column in BRIEF_COLUMNS})
