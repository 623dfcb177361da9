"""The entries of stories in the brief: their alerts in order of time, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from defender_assets.core.text import pluralize
from defender_assets.outputs.brief.entries import AlertEntry, alert_fields
from defender_assets.outputs.brief.format import kind_of, reasons_of, span_words
from defender_assets.outputs.labels import LONG, Row, category_name, clipped, product_name

STORIES_SHOWN = 8
STEPS_SHOWN = 20


@dataclass(frozen=True)
class Step(AlertEntry):
    """An alert of a story; `of_day`: its lead was new or changed on the day of the brief."""

    of_day: bool


@dataclass(frozen=True)
class StoryEntry:
    """A story with its alerts in order of time."""

    anchor: str
    title: str
    kind: str
    severity: str
    score: int
    facts: list[str]
    tactics: list[str]
    techniques: list[str]
    steps: list[Step]
    further: int
    shared: list[str]
    reasons: list[tuple[int, str]]
    tenant: str
    url: str


def story_entry(story: Row, leads: Mapping[tuple[str, str], Row], day: date, change: str | None = None) -> StoryEntry:
    """Return a story's entry.

    `leads` maps (tenant, lead) to the latest row up to the day; `change` is what happened to it on the day, in words.
    """
    lead_ids = story["lead_ids"] or []
    members = [lead for lead_id in lead_ids if (lead := leads.get((story["tenant_id"], lead_id)))]
    merged = story["merged_story_ids"] or []
    shares = {step["lead_id"]: step["shares"] for step in story["timeline"] or []}
    products = [product_name(product) for product in story["products"] or []]
    shared = [entity["kind"] for entity in story["shared_entities"] or []]
    span = (story["last_alert_time"] - story["first_alert_time"]).total_seconds() if story["last_alert_time"] else 0
    return StoryEntry(
        anchor=f"story-{story['story_id']}",
        title=clipped(story["title"] or "untitled", LONG),
        kind=kind_of(story["severity"]),
        severity=story["severity"] or "Unrated",
        score=story["score"] or 0,
        facts=[
            *([change] if change else []),
            pluralize(len(lead_ids), "alert"),
            " · ".join(products),
            f"over {span_words(span)}",
            *([pluralize(len(devices), "device")] if (devices := story["device_names"]) else []),
            *([pluralize(len(accounts), "account")] if (accounts := story["accounts"]) else []),
            *([f"took in {pluralize(len(merged), 'earlier story', 'earlier stories')}"] if merged else []),
        ],
        tactics=[category_name(tactic) for tactic in story["tactics"] or []],
        techniques=list(story["techniques"] or []),
        steps=[_step(lead, shares.get(lead["lead_id"]) or [], day) for lead in members[:STEPS_SHOWN]],
        further=max(0, len(lead_ids) - STEPS_SHOWN),
        shared=[pluralize(shared.count(kind), kind) for kind in sorted(set(shared))],
        reasons=reasons_of(story["score_reasons"]),
        tenant=story["tenant_id"],
        url=_portal_url(members),
    )


def _portal_url(leads: Sequence[Row]) -> str:
    """Return the portal's page of the riskiest lead: the portal has none of a story."""
    linked = [lead for lead in leads if lead["portal_url"]]
    return str(max(linked, key=lambda lead: lead["risk_score"] or 0)["portal_url"]) if linked else ""


def _step(lead: Row, shares: Sequence[str], day: date) -> Step:
    # each of `shares` is a kind and a value; the leads show the values already
    kinds = ", ".join(dict.fromkeys(text.partition(" ")[0] for text in shares))
    same = f"same {kinds} as before" if kinds else ""
    return Step(**alert_fields(lead, day, same), of_day=lead["export_date"] == day)
