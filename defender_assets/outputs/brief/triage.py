"""What analysts have said, for a brief that is shown. A stored brief knows nothing of it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from defender_assets.core.enums import CLOSED
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.triage import VERDICT_SCHEMA, with_states
from defender_assets.outputs.labels import moment_words

NO_STATES = pl.DataFrame(
    schema=VERDICT_SCHEMA | {"reopened": pl.Boolean(), "changed": pl.List(pl.String())},
)


@dataclass(frozen=True)
class Triage:
    """The rows of `core.triage.current_states`, and when they were read (UTC)."""

    states: pl.DataFrame
    at: datetime

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
