"""The tools: what an agent may ask about the leads of one tenant. Their docstrings are the descriptions it reads."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from defender_assets.core.errors import TriageError
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.source_lines import fetch_source_lines
from defender_assets.core.triage.precision import ALL_BANDS, read_quality
from defender_assets.core.triage.states import in_state, with_states, with_story_states
from defender_assets.outputs.queries import entities, filters, views
from defender_assets.outputs.triage import triage
from defender_assets.server.answers import MOST_ROWS, answer
from defender_assets.server.tenant_lake import TenantLake

Answer = dict[str, Any]
Limit = Annotated[int, Field(ge=1, le=MOST_ROWS, description=f"Most rows, 1 to {MOST_ROWS}.")]
State = Annotated[
    Literal["open", "all", "new", "in_progress", "closed"], Field(description="State of triage; open: all but closed.")
]
Severity = Annotated[
    Literal["high", "medium", "low", "informational"] | None, Field(description="This severity or a higher one.")
]
Text = Annotated[str | None, Field(max_length=500)]
Id = Annotated[str, Field(min_length=4, max_length=64, description="An id, or its beginning.")]

_LEAD = (
    *("lead_id", "alert_id", "export_date", "change", "priority", "risk_score", "severity", "product", "title"),
    *("device_name", "alert_time", "story_id", "state", "analyst_verdict", "assignee", "reopened", "muted_by"),
    *("risk_reasons", "lead_version", "scoring_version", "portal_url"),
)
_STORY = (
    *("story_id", "export_date", "points", "score", "severity", "title", "lead_count", "lead_ids", "products"),
    *("device_names", "accounts", "tactics", "first_alert_time", "last_alert_time", "state"),
)


@dataclass(frozen=True)
class Tools:
    """The tools over one tenant of a lake. Each answer is as in `answers.answer`.

    Each tool raises:
        LakeError: when the lake cannot be read.
        TriageError: when an id is unknown or ambiguous, or a statement is not valid.
    """

    lake: Lake
    tenant_id: str

    def reading(self) -> list[Callable[..., Answer]]:
        """Return the tools that only read."""
        return [self.leads, self.lead, self.stories, self.story, self.entity, self.quality, self.source_lines]

    def leads(
        self,
        state: State = "open",
        severity: Severity = None,
        device: Text = None,
        user: Text = None,
        limit: Limit = 20,
    ) -> Answer:
        """List leads (alerts with device, entities and risk) in the order in which to look at them."""
        lake = self._lake()
        rows = _stated_leads(lake, muted=False)
        for value, keep in ((severity, filters.min_severity), (device, filters.on_device), (user, filters.by_user)):
            rows = keep(rows, value) if value else rows
        return _listed(lake, in_state(rows, state).select(_LEAD), limit)

    def lead(self, lead_id: Id) -> Answer:
        """Show every column of one lead, and all statements of analysts about it (`statements`)."""
        lake = self._lake()
        row = self._one_lead(lake, lead_id)
        said = views.collected(lake, views.statements(lake, self.tenant_id, row["lead_id"])).to_dicts()
        return answer(lake, [row | {"statements": said}])

    def stories(self, state: State = "open", severity: Severity = None, limit: Limit = 20) -> Answer:
        """List stories (leads that share entities in time), most urgent first."""
        lake = self._lake()
        rows = with_story_states(views.current_stories(lake), views.lead_states(lake))
        rows = filters.min_severity(rows, severity) if severity else rows
        return _listed(lake, in_state(rows, state).select(_STORY), limit)

    def story(self, story_id: Id) -> Answer:
        """Show every column of one story: its leads, timeline and shared entities."""
        lake = self._lake()
        rows = with_story_states(views.current_stories(lake), views.lead_states(lake))
        return answer(lake, [_only(lake, filters.beginning_with(rows, "story_id", story_id), "story")])

    def entity(
        self,
        value: Annotated[
            str, Field(min_length=1, max_length=500, description="An id, name, UPN, hash, address, host.")
        ],
        days: Annotated[int, Field(ge=1, le=366, description="Past days of device states.")] = 30,
        limit: Limit = 20,
    ) -> Answer:
        """List the leads that name a device, user, hash, address, host or mail, then the states of the device."""
        lake = self._lake()
        keys = views.collected(lake, entities.lead_keys(lake, value))
        leads = with_states(entities.current_leads_of(lake, keys), views.lead_states(lake)).select(_LEAD)
        since = datetime.now(UTC).date() - timedelta(days=days)
        states = views.collected(lake, entities.device_states(lake, value, since)).to_dicts()
        found = views.collected(lake, leads).to_dicts()
        rows = [{"what": "lead", **row} for row in found[:limit]]
        rows += [{"what": "device_state", **row} for row in states[: limit - len(rows)]]
        return answer(lake, rows, len(found) + len(states))

    def quality(self, limit: Limit = 50) -> Answer:
        """Show how often each detection was right, by the verdicts of analysts, with a 95 % interval."""
        lake = self._lake()
        with views.reading(lake):
            rows = read_quality(lake).filter(band=ALL_BANDS)
        return answer(lake, rows.head(limit).to_dicts(), rows.height)

    def source_lines(self, lead_id: Id, limit: Limit = 20) -> Answer:
        """Show the lines of the export behind a lead, as Microsoft wrote them, with blob and byte offset."""
        lake = self._lake()
        row = self._one_lead(lake, lead_id)
        sources = row["sources"] or []
        with views.reading(lake):
            lines = fetch_source_lines(lake, sources[:limit])
        return answer(lake, [vars(line) for line in lines], len(sources))

    def triage_by(self, author: str) -> Callable[..., Answer]:
        """Return the tool that makes statements in the name of `author`."""

        def state_leads(
            ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_ROWS, description="Leads, or a story.")],
            state: Literal["new", "in_progress", "closed"] | None = None,
            verdict: Literal["true_positive", "benign_positive", "false_positive", "undetermined"] | None = None,
            assignee: Text = None,
            comment: Annotated[str | None, Field(max_length=10_000)] = None,
        ) -> Answer:
            """State what is known of leads: state, verdict (only with state closed), assignee, comment. Writes."""
            lake = self._lake()
            rows = triage(lake, ids, author=author, state=state, verdict=verdict, assignee=assignee, comment=comment)
            return answer(lake, rows.to_dicts())

        state_leads.__name__ = "triage"
        return state_leads

    def _lake(self) -> TenantLake:
        return TenantLake.of(self.lake, self.tenant_id)

    def _one_lead(self, lake: TenantLake, lead_id: str) -> dict[str, Any]:
        return _only(lake, filters.named_lead(_stated_leads(lake, muted=True), lead_id), "lead")


def _stated_leads(lake: TenantLake, *, muted: bool) -> pl.LazyFrame:
    return with_states(views.current_leads(lake, muted=muted), views.lead_states(lake))


def _listed(lake: TenantLake, rows: pl.LazyFrame, limit: int) -> Answer:
    found = views.collected(lake, rows)
    return answer(lake, found.head(limit).to_dicts(), found.height)


def _only(lake: TenantLake, rows: pl.LazyFrame, what: str) -> dict[str, Any]:
    found = views.collected(lake, rows).to_dicts()
    if len(found) != 1:
        raise TriageError(f"{len(found)} of this tenant begin with that {what} id: give more of it, or another one")
    return found[0]
