"""Triage for commands, notebooks and services: statements about leads that ids, or their beginnings, name."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import polars as pl

from defender_assets.core.errors import TriageError
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.invisible import as_pasted
from defender_assets.core.lake.lake import Lake
from defender_assets.core.text import escape_control_chars, first_few
from defender_assets.core.triage.statements import STATED_LEAD, Statement, state_statements
from defender_assets.outputs.queries import views

_IDS_SHOWN = 5
_KEY_LENGTH = 12
_ALERT_ID = pl.col("alert_id").str.to_lowercase()
_Key = tuple[str, str]


@dataclass(frozen=True)
class Request:
    """What is stated of an id: the beginning of a lead's or story's id, or a complete AlertId.

    A story's id means all leads that it has now. What is None stays as it is; an empty assignee is nobody.

    Raises:
        TriageError: as `Statement`.
    """

    id: str
    state: str | None = None
    verdict: str | None = None
    assignee: str | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        self.of("", "")
        if not as_pasted(self.id):
            raise TriageError("an id is empty: give the id of a lead or a story")

    def of(self, tenant_id: str, lead_id: str) -> Statement:
        """Return the statement about a lead."""
        return Statement(tenant_id, lead_id, self.state, self.verdict, self.assignee, self.comment)


REQUEST_FIELDS = tuple(field.name for field in fields(Request))


def triage(
    lake: Lake,
    ids: Iterable[str],
    *,
    author: str,
    state: str | None = None,
    verdict: str | None = None,
    assignee: str | None = None,
    comment: str | None = None,
) -> pl.DataFrame:
    """State the same of several leads in one commit; return the rows, as `state_all`."""
    return state_all(lake, [Request(each, state, verdict, assignee, comment) for each in ids], author=author)


def state_all(lake: Lake, requests: Sequence[Request], *, author: str) -> pl.DataFrame:
    """Make all statements in one commit, or none; return their rows: VERDICT_SCHEMA, all with the same `sequence`.

    There has to be a request. The same lead may be named twice only if the same is said of it.

    Raises:
        TriageError: when an id is unknown or ambiguous, or a lead is named twice; nothing was stated.
        LakeError: when the lake cannot be read, or `lead_verdicts` not be written.
    """
    if not requests:
        raise TriageError("no lead is named: give at least one id")
    leads_of, leads = _named(lake, [request.id for request in requests])
    statements: dict[_Key, Statement] = {}
    for request in requests:
        for key in leads_of[request.id]:
            statement = request.of(*key)
            if statements.setdefault(key, statement) != statement:
                raise TriageError(f"there are two statements of the lead {key[1][:_KEY_LENGTH]}: state one at a time")
    return state_statements(lake, list(statements.values()), leads, author)


def _named(lake: Lake, ids: Sequence[str]) -> tuple[dict[str, list[_Key]], pl.DataFrame]:
    """Return the leads that each id names, and STATED_LEAD of all of them."""
    stories = views.collected(
        lake,
        views.current_stories(lake)
        .filter(_begins("story_id", ids))
        .select("tenant_id", "story_id", lead_id="lead_ids"),
    )
    members = stories.explode("lead_id").select(LEAD_KEY).unique()
    current = views.current_leads(lake, muted=True).select(STATED_LEAD)
    named = current.filter(_begins("lead_id", ids) | _ALERT_ID.is_in([*map(as_pasted, ids)]))
    of_stories = current.join(members.lazy(), on=LEAD_KEY, how="semi")
    leads = views.collected(lake, pl.concat([named, of_stories]).unique(LEAD_KEY))
    held = set(leads.select(LEAD_KEY).iter_rows())
    found: dict[str, list[_Key]] = {}
    for each in dict.fromkeys(ids):
        prefix = as_pasted(each)
        of_leads = leads.filter(pl.col("lead_id").str.starts_with(prefix) | (prefix == _ALERT_ID))
        groups = [[key] for key in of_leads.select(LEAD_KEY).sort("lead_id").iter_rows()]
        names = [lead_id for ((_, lead_id),) in groups]
        for tenant_id, story_id, lead_ids in stories.filter(pl.col("story_id").str.starts_with(prefix)).iter_rows():
            members_held = [(tenant_id, lead_id) for lead_id in lead_ids if (tenant_id, lead_id) in held]
            if not members_held:
                raise TriageError(f"no lead of the story {story_id[:_KEY_LENGTH]} is held any more (retention)")
            groups.append(members_held)
            names.append(story_id)
        found[each] = _only(lake, each, groups, names)
    return found, leads


def _only(lake: Lake, given: str, groups: list[list[_Key]], names: list[str]) -> list[_Key]:
    shown = escape_control_chars(given)
    if not groups:
        raise TriageError(
            f"no lead or story begins with '{shown}' in {lake.describe()}: `defender-assets leads` shows the ids"
        )
    if len(groups) > 1:
        some = ", ".join(first_few([name[:_KEY_LENGTH] for name in names], _IDS_SHOWN))
        raise TriageError(f"{len(groups)} leads or stories begin with '{shown}', such as {some}: give more of the id")
    return groups[0]


def _begins(column: str, ids: Iterable[str]) -> pl.Expr:
    """Return whether an id begins with one of these texts; thousands of them are compared at once."""
    by_length: dict[int, list[str]] = {}
    for begin in map(as_pasted, ids):
        by_length.setdefault(len(begin), []).append(begin)
    return pl.any_horizontal(pl.col(column).str.slice(0, length).is_in(texts) for length, texts in by_length.items())
