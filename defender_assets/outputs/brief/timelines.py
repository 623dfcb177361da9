"""Stories as the brief shows them: their alerts in order of time, and in which words. Their layout: `page.html`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from defender_assets.core.text import pluralize
from defender_assets.outputs.brief.entries import LONG, Row, accounts_of, device_words, reasons_of, title_of
from defender_assets.outputs.labels import (
    category_name,
    clipped,
    kind_of,
    listed,
    moment_words,
    product_name,
    span_words,
)

STORIES_SHOWN = 8
STEPS_SHOWN = 20


@dataclass(frozen=True)
class Step:
    """An alert in a story's timeline; `of_day` when its lead was new or changed on the day of the brief."""

    moment: datetime | None
    when: str
    kind: str
    severity: str
    title: str
    facts: list[str]
    url: str
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


def story_entry(story: Row, leads: Mapping[tuple[str, str], Row], day: date) -> StoryEntry:
    """Return a story as the page shows it; `leads` are the latest rows by (tenant, lead) up to the day."""
    members = [lead for key in story["lead_ids"] or [] if (lead := leads.get((story["tenant_id"], key)))]
    count = len(story["lead_ids"] or [])
    merged = story["merged_story_ids"] or []
    shares = {step["lead_id"]: step["shares"] for step in story["timeline"] or []}
    products = [product_name(product) for product in story["products"] or []]
    shared = [entity["kind"] for entity in story["shared_entities"] or []]
    span = (story["last_alert_time"] - story["first_alert_time"]).total_seconds() if story["last_alert_time"] else 0
    named = (("device", story["device_names"]), ("account", story["accounts"]))
    return StoryEntry(
        anchor=f"story-{story['story_id']}",
        title=clipped(story["title"] or "untitled", LONG),
        kind=kind_of(story["severity"]),
        severity=story["severity"] or "Unrated",
        score=story["score"] or 0,
        facts=[
            pluralize(count, "alert"),
            " · ".join(products),
            f"over {span_words(span)}",
            *(pluralize(len(of), noun) for noun, of in named if of),
            *([f"took in {pluralize(len(merged), 'earlier story', 'earlier stories')}"] if merged else []),
        ],
        tactics=[category_name(tactic) for tactic in story["tactics"] or []],
        techniques=list(story["techniques"] or []),
        steps=[_step(lead, shares.get(lead["lead_id"]) or [], day) for lead in members[:STEPS_SHOWN]],
        further=max(0, count - STEPS_SHOWN),
        shared=[pluralize(shared.count(kind), kind) for kind in sorted(set(shared))],
        reasons=reasons_of(story["score_reasons"]),
        tenant=story["tenant_id"],
    )


def _step(lead: Row, shares: Sequence[str], day: date) -> Step:
    who = accounts_of(lead)
    # each of `split` is a kind and a value, which the leads show anyway
    kinds = list(dict.fromkeys(text.partition(" ")[0] for text in shares))
    tactic = category_name(lead["category"]) if lead["category"] else None
    facts = [
        tactic,
        product_name(lead["product"]),
        device_words(lead),
        listed(who, 2) if who else None,
        f"same {', '.join(kinds)} as before" if kinds else None,
    ]
    return Step(
        moment=lead["alert_time"],
        when=moment_words(lead["alert_time"], day) if lead["alert_time"] else "",
        kind=kind_of(lead["severity"]),
        severity=lead["severity"] or "Unrated",
        title=title_of(lead),
        facts=[fact for fact in facts if fact],
        url=lead["portal_url"] or "",
        of_day=lead["export_date"] == day,
    )
