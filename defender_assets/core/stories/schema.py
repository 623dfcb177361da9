"""The columns of `lead_stories`: names, types, meanings. How they are filled is told in the rooms beside."""

import polars as pl

from defender_assets.core.scoring import REASONS
from defender_assets.core.stories.timeline import TIMELINE
from defender_assets.core.tables.schema import PROVENANCE, Column, instant, integer, text, texts

STORY_LOOKBACK_DAYS = 7
"""Partition D of the stories reads the lead partitions D-7 … D."""

SHARED_ENTITIES = pl.List(pl.Struct({"kind": pl.String(), "value": pl.String(), "lead_ids": pl.List(pl.String())}))

_OWN = {column.name: column for column in PROVENANCE}

STORY_COLUMNS = (
    _OWN["tenant_id"],
    Column("export_date", pl.Date(), "Day (UTC) on which a lead of the story was new or changed. The partition"),
    text("story_id", "Hash of tenant and the story's first lead: the same on every day while that lead is in it"),
    texts("merged_story_ids", "Stories of the day before that this one took in: it keeps the id of the oldest"),
    text("title", "What happened, in a sentence. Holds text that an attacker can influence"),
    texts("lead_ids", "All leads of the story, by time"),
    integer("lead_count", "Number of leads"),
    texts("products", "Products that raised them, in order of time"),
    instant("first_alert_time", "Time of the first alert"),
    instant("last_alert_time", "Time of the last alert"),
    text("severity", "Highest severity of the leads"),
    integer("score", "Urgency, 0 to 100"),
    Column("score_reasons", REASONS, "Reasons for the score; their points add up to it"),
    Column("shared_entities", SHARED_ENTITIES, "What ties the leads together, and which ones"),
    Column(
        "timeline", TIMELINE, "Its leads in order of time, each with its tactic and what it shares with earlier ones"
    ),
    texts("tactics", "Categories of the leads, in order of time"),
    texts("techniques", "MITRE ATT&CK techniques of the leads, sorted"),
    texts("device_names", "Names of the leads' devices, sorted"),
    texts("accounts", "Users of the leads as people read them (UPN, else domain\\name, else an id), sorted"),
)
"""Every column of `lead_stories`, in order."""

STORY_SCHEMA = pl.Schema({column.name: column.dtype for column in STORY_COLUMNS})
