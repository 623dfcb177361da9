"""The columns of `lead_queue`: names, types, meanings, origins."""

import polars as pl

from defender_assets.core.leads.risk.points import REASONS
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.schemas.column import INSTANT, INTEGER, TEXT, TEXTS, Column, column_schema, origins
from defender_assets.core.stories.schema import STORIES_TABLE

QUEUE_TABLE = "lead_queue"

QUEUE_LOOKBACK_DAYS = 7
"""Partition D of the queue reads the lead partitions D-7 … D and the story partition D."""

_STORY = "story.story_id story.lead_ids"
_PRIORITY = (
    "lead.risk_score lead.risk_reasons lead.title story.points story.lead_count story.lead_ids story.nearby_leads"
)


def _column(name: str, dtype: pl.DataType, meaning: str, made_from: str) -> Column:
    return Column(name, dtype, meaning, origins=origins(made_from, lead=LEADS_TABLE, story=STORIES_TABLE))


QUEUE_COLUMNS = (
    _column("tenant_id", TEXT, "Entra tenant that the record belongs to, lower case", "lead.tenant_id"),
    _column("export_date", pl.Date(), "Day (UTC) on which the lead, or a lead of its story, was new or changed. "
            "The partition", "lead.export_date"),
    _column("lead_id", TEXT, "Hash of tenant and AlertId: the same on every day", "lead.lead_id"),
    _column("alert_id", TEXT, "AlertId of Microsoft", "lead.alert_id"),
    _column("story_id", TEXT, "The story of the lead; null if it is in none", _STORY),
    _column("story_title", TEXT, "Title of that story. Holds text that an attacker can influence",
            "story.title story.lead_ids"),
    _column("risk_score", INTEGER, "Urgency of the lead alone, 0 to 100", "lead.risk_score"),
    _column("story_score", INTEGER, "Urgency of its story, 0 to 100", "story.score story.lead_ids"),
    _column("priority", INTEGER, "Urgency of the lead with its story, 0 to 100; never below `risk_score`", _PRIORITY),
    _column("priority_points", INTEGER, "The sum before it is cut to 100; the queue is ordered by it", _PRIORITY),
    _column("priority_reasons", REASONS, "Reasons for the priority; their points add up to it",
            f"{_PRIORITY} story.title lead.device_name lead.entities"),
    _column("title", TEXT, "Title of the alert. Text that an attacker can influence", "lead.title"),
    _column("severity", TEXT, "High, Medium, Low or Informational, as Microsoft wrote it", "lead.severity"),
    _column("product", TEXT, "Product that raised the alert", "lead.product"),
    _column("device_name", TEXT, "Name of the device", "lead.device_name"),
    _column("accounts", TEXTS, "Users of the lead as people read them (UPN, else domain\\name, else an id), sorted",
            "lead.entities"),
    _column("alert_time", INSTANT, "Earliest Timestamp of the alert's records", "lead.alert_time"),
)  # fmt: skip
"""Every column of `lead_queue`, in order."""

QUEUE_SCHEMA = column_schema(QUEUE_COLUMNS)
