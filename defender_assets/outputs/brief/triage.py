"""What a shown brief says beyond the stored one: what analysts have said, and what is new against the day before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

import polars as pl

from defender_assets.core.enums import CLOSED
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.text import pluralize
from defender_assets.core.triage.precision import DETECTION
from defender_assets.core.triage.schema import VERDICT_SCHEMA
from defender_assets.core.triage.states import with_states
from defender_assets.outputs.labels import Row, listed, moment_words, precision_words, words_of

NO_STATES = pl.DataFrame(
    schema=VERDICT_SCHEMA | {"reopened": pl.Boolean(), "changed": pl.List(pl.String())},
)


@dataclass(frozen=True)
class Triage:
    """The rows of `core.triage.current_states`, when they were read (UTC), and the precision of each detection.

    `precisions` maps `precision.DETECTION` to a row of its counts. `story_changes` maps (tenant, story) to what
    happened to it since its last row of an earlier day. `day_before` says how many leads and stories that day had, and
    `closed_stories` which stories were closed since it ended.
    """

    states: pl.DataFrame
    at: datetime
    precisions: Mapping[tuple[str | None, ...], Row] = field(default_factory=dict)
    story_changes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    day_before: str | None = None
    closed_stories: Sequence[str] = ()

    def precision(self, lead: Row) -> str | None:
        """Return in words how often the detection of a lead was right; None without verdicts."""
        counts = self.precisions.get(tuple(lead[name] for name in DETECTION))
        return precision_words(counts) if counts else None

    def words(self, day: date) -> str:
        """Return when the states were read, as a brief of that day says it."""
        return f"{moment_words(self.at.astimezone(UTC), day)} UTC"


def closed_leads(triage: Triage | None) -> pl.DataFrame:
    """Return LEAD_KEY of the leads that are closed; none without triage."""
    states = triage.states if triage else NO_STATES
    return states.filter(pl.col("state") == CLOSED).select(LEAD_KEY)


def with_known_states(leads: pl.DataFrame, triage: Triage | None) -> pl.DataFrame:
    """Add the states to leads; without triage, return them as they are."""
    return with_states(leads, triage.states) if triage else leads


def story_changes(day: date, stories: pl.DataFrame) -> dict[tuple[str, str], str]:
    """Return what happened to each story of a day since its last row of an earlier day, in words.

    `stories` are the rows of `lead_stories` of the day and of the days before it.
    """
    before: dict[tuple[str, str], set[str]] = {}
    changes = {}
    for row in stories.sort("export_date").iter_rows(named=True):
        key, lead_ids = (row["tenant_id"], row["story_id"]), {*(row["lead_ids"] or [])}
        if row["export_date"] < day:
            before[key] = lead_ids
        elif key not in before:
            changes[key] = "new"
        elif added := len(lead_ids - before[key]):
            changes[key] = f"grown by {pluralize(added, 'alert')}"
        else:
            changes[key] = "changed"
    return changes


def closed_stories(day: date, stories: pl.DataFrame, states: pl.DataFrame) -> list[str]:
    """Return the stories of which the last lead was closed on the day or later, the newest first, in words.

    `stories` are the latest rows, with `tenant_id`, `story_id`, `title`, `lead_ids`; `states` those of
    `current_states`.
    """
    members = stories.select("tenant_id", "story_id", "title", lead_id="lead_ids").explode("lead_id")
    said = states.select(*LEAD_KEY, "state", "verdict", "author", "stated_at")
    is_closed = (pl.col("state") == CLOSED).fill_null(value=False)
    closed = (
        members.join(said, on=LEAD_KEY, how="left")
        .sort("stated_at", nulls_last=True)
        .group_by("tenant_id", "story_id", "title", maintain_order=True)
        .agg(
            is_closed.all().alias("state"),
            pl.col("verdict").drop_nulls().unique().sort(),
            pl.col("author", "stated_at").last(),
        )
        .filter("state", pl.col("stated_at") >= datetime.combine(day, time.min, UTC))
        .sort("stated_at", "story_id", descending=[True, False])
    )
    return [
        f"{row['story_id'][:8]}, {row['title']}: {listed([words_of(verdict) for verdict in row['verdict']], 4)}, "
        f"by {row['author']}, {moment_words(row['stated_at'], day)} UTC"
        for row in closed.iter_rows(named=True)
    ]
