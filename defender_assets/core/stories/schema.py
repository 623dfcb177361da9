"""The columns of `lead_stories`: names, types, meanings, origins."""

import polars as pl

from defender_assets.core.leads.risk.points import REASONS
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.schemas.column import Column, instant, integer, origins, text, texts
from defender_assets.core.stories.timeline import TIMELINE

STORIES_TABLE = "lead_stories"

STORY_LOOKBACK_DAYS = 7
"""Partition D of the stories reads the lead partitions D-7 … D."""

SHARED_ENTITIES = pl.List(pl.Struct({"kind": pl.String(), "value": pl.String(), "lead_ids": pl.List(pl.String())}))


def _from(words: str, column: Column) -> Column:
    return column.made_from(origins(words, lead=LEADS_TABLE))


STORY_COLUMNS = (
    _from("lead.tenant_id", text("tenant_id", "Entra tenant that the record belongs to, lower case")),
    _from(
        "lead.export_date",
        Column("export_date", pl.Date(), "Day (UTC) on which a lead of the story was new or changed. The partition"),
    ),
    _from(
        "lead.tenant_id lead.lead_id lead.alert_time lead.export_date lead.entities",
        text("story_id", "Hash of tenant and the story's first lead: the same on every day while that lead is in it"),
    ),
    _from(
        "lead.tenant_id lead.lead_id lead.alert_time lead.export_date lead.entities",
        texts("merged_story_ids", "Stories of the day before that this one took in: it keeps the id of the oldest"),
    ),
    _from(
        "lead.title lead.product lead.device_name lead.accounts",
        text("title", "What happened, in a sentence. Holds text that an attacker can influence"),
    ),
    _from("lead.lead_id lead.entities lead.alert_time", texts("lead_ids", "All leads of the story, by time")),
    _from("lead.lead_id lead.entities lead.alert_time", integer("lead_count", "Number of leads")),
    _from("lead.product", texts("products", "Products that raised them, in order of time")),
    _from("lead.alert_time", instant("first_alert_time", "Time of the first alert")),
    _from("lead.alert_time", instant("last_alert_time", "Time of the last alert")),
    _from("lead.severity", text("severity", "Highest severity of the leads")),
    _from("lead.risk_score lead.title lead.product lead.category", integer("score", "Urgency, 0 to 100")),
    _from(
        "lead.risk_score lead.title lead.product lead.category",
        Column("score_reasons", REASONS, "Reasons for the score; their points add up to it"),
    ),
    _from(
        "lead.entities lead.lead_id",
        Column("shared_entities", SHARED_ENTITIES, "What ties the leads together, and which ones"),
    ),
    _from(
        "lead.alert_time lead.category lead.severity lead.product lead.title "
        "lead.device_name lead.entities lead.lead_id",
        Column(
            "timeline",
            TIMELINE,
            "Its leads in order of time, each with its tactic and what it shares with earlier ones",
        ),
    ),
    _from("lead.category lead.alert_time", texts("tactics", "Categories of the leads, in order of time")),
    _from("lead.attack_techniques", texts("techniques", "MITRE ATT&CK techniques of the leads, sorted")),
    _from("lead.device_name lead.devices", texts("device_names", "Names of the leads' devices, sorted")),
    _from(
        "lead.accounts",
        texts("accounts", "Users of the leads as people read them (UPN, else domain\\name, else an id), sorted"),
    ),
)
"""Every column of `lead_stories`, in order."""

STORY_SCHEMA = pl.Schema({column.name: column.dtype for column in STORY_COLUMNS})
