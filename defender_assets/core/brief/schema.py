"""The columns of `daily_briefs`: names, types, meanings. What the page shows is told in the rooms beside."""

import polars as pl

from defender_assets.core.tables.schema import Column, integer, text, texts

BRIEF_LOOKBACK_DAYS = 7
"""Partition D of the briefs reads the lead and device partitions D-7 … D: a story of the day tells of older leads."""

BRIEF_COLUMNS = (
    text("tenant_id", "Entra tenant, lower case; null when the brief is of several, which `tenants` names"),
    Column("export_date", pl.Date(), "Day of arrival (UTC) that the brief is about. The partition"),
    texts("tenants", "Tenants with leads or heartbeats on the day, sorted"),
    integer("lead_count", "Leads that were new or changed on the day, without muted ones"),
    integer("story_count", "Stories of which a lead was new or changed on the day"),
    integer("quarantined_lines", "Lines of the day that are no record"),
    text("headline", "The day in a sentence. Holds text that an attacker can influence"),
    text("picture", "Leads by hour and severity as a small SVG; its only text is the project's own"),
    text("html", "The page. Text that an attacker can influence is escaped in it"),
)
"""Every column of `daily_briefs`, in order."""

BRIEF_SCHEMA = pl.Schema({column.name: column.dtype for column in BRIEF_COLUMNS})
