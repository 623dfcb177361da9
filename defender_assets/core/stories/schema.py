"""The columns of `lead_stories`: names, types, meanings, origins."""

import polars as pl

from defender_assets.core.leads.risk.points import REASONS
from defender_assets.core.leads.schema import column_from_leads as _column
from defender_assets.core.schemas.column import INSTANT, TEXTS
from defender_assets.core.stories.timeline import TIMELINE

STORIES_TABLE = "lead_stories"

STORY_LOOKBACK_DAYS = 7
"""Partition D of the stories reads the lead partitions D-7 … D."""

SHARED_ENTITIES = pl.List(pl.Struct({"kind": pl.String(), "value": pl.String(), "lead_ids": pl.List(pl.String())}))

NEARBY_LEAD = {"lead_id": pl.String(), "points": pl.Int64(), "kind": pl.String(), "seconds": pl.Int64()}
NEARBY_LEADS = pl.List(pl.Struct(NEARBY_LEAD))
"""`points`: what the lead receives of the story's points. `kind`: what they share. `seconds`: from the story's nearest
alert that shares it to the lead; negative if the lead came first."""

_TEXT, _INTEGER = pl.String(), pl.Int64()

_GROUPED = "lead_id entities alert_time"

STORY_COLUMNS = (
    _column("tenant_id", _TEXT, "Entra tenant that the record belongs to, lower case", "tenant_id"),
    _column("export_date", pl.Date(), "Day (UTC) on which a lead of the story was new or changed. The partition",
            "export_date"),
    _column("story_id", _TEXT, "Hash of tenant and the story's first lead: the same on every day with that lead",
            f"tenant_id export_date {_GROUPED}"),
    _column("merged_story_ids", TEXTS, "Stories of the day before that this one absorbed; it keeps the oldest id",
            f"tenant_id export_date {_GROUPED}"),
    _column("title", _TEXT, "What happened, in a sentence. Holds text that an attacker can influence",
            "title product device_name accounts"),
    _column("lead_ids", TEXTS, "All leads of the story, by time", _GROUPED),
    _column("lead_count", _INTEGER, "Number of leads", _GROUPED),
    _column("products", TEXTS, "Products that raised them, in order of time", "product"),
    _column("first_alert_time", INSTANT, "Time of the first alert", "alert_time"),
    _column("last_alert_time", INSTANT, "Time of the last alert", "alert_time"),
    _column("severity", _TEXT, "Highest severity of the leads", "severity"),
    _column("score", _INTEGER, "Urgency, 0 to 100", "risk_score risk_reasons title product category entities"),
    _column("points", _INTEGER, "The sum before it is cut to 100; stories are ordered by it",
            "risk_score risk_reasons title product category entities"),
    _column("score_reasons", REASONS, "Reasons for the score; their points add up to it",
            "risk_score risk_reasons title product category entities"),
    _column("shared_entities", SHARED_ENTITIES, "The entities that link the leads, each with the leads it links",
            "entities lead_id"),
    _column("timeline", TIMELINE, "Leads in order of time, each with its tactic and what it shares with earlier ones",
            f"category severity product title device_name {_GROUPED}"),
    _column("tactics", TEXTS, "Categories of the leads, in order of time", "category alert_time"),
    _column("techniques", TEXTS, "MITRE ATT&CK techniques of the leads, sorted", "attack_techniques"),
    _column("device_names", TEXTS, "Names of the leads' devices, sorted", "device_name devices"),
    _column("accounts", TEXTS, "Users of the leads as people read them (UPN, else domain\\name, else an id), sorted",
            "accounts"),
    _column("nearby_leads", NEARBY_LEADS, "Leads of the day that share a user or device with the story, too little to "
            "belong to it, each with the points that it receives in the queue",
            f"risk_score title product category severity {_GROUPED}"),
)  # fmt: skip
"""Every column of `lead_stories`, in order."""

STORY_SCHEMA = pl.Schema({column.name: column.dtype for column in STORY_COLUMNS})
