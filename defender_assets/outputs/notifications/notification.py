"""A notice: what one message says, before any receiver's format. Its text may be hostile; the formats tame it.

Leads, stories and failures become notices here; whether they are news is decided in `news`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from defender_assets.core.identifiers import portal_url
from defender_assets.core.text import pluralize
from defender_assets.outputs.brief.entries import Row, accounts_of, device_words, whole_title
from defender_assets.outputs.labels import category_name, listed, moment_words, product_name
from defender_assets.outputs.notifications.incidents import Incident

LEAD, STORY = "lead", "story"
NAMES_SHOWN = 3
REASONS_SHOWN = 6
LEADS_SHOWN = 5


@dataclass(frozen=True)
class Link:
    """A link to a page of Microsoft's portal or of our own UI; never to an address out of an alert."""

    label: str
    url: str


@dataclass(frozen=True)
class Notification:
    """One message. `subject_id` and `lead_ids` are what `sent_notices` keeps of it; `weight` orders notices."""

    kind: str
    tenant_id: str | None
    subject_id: str
    weight: int
    what: str
    title: str
    facts: tuple[tuple[str, str], ...]
    reasons: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    lead_ids: tuple[str, ...] = ()


def of_lead(lead: Row, ui_url: str | None) -> Notification:
    """Return the notice of a row of `device_enriched_leads`."""
    day, techniques = lead["export_date"], lead["attack_techniques"] or []
    facts = {
        "Risk": f"{lead['risk_score']} of 100, severity {lead['severity'] or 'unrated'}",
        "Device": device_words(lead),
        "Accounts": _some(accounts_of(lead)),
        "Tactics": category_name(lead["category"]) if lead["category"] else None,
        "Techniques": _some(techniques),
        "Product": product_name(lead["product"]),
        "Alert (UTC)": moment_words(lead["alert_time"], day) if lead["alert_time"] else None,
        "Tenant": lead["tenant_id"],
    }
    return Notification(
        kind=LEAD,
        tenant_id=lead["tenant_id"],
        subject_id=lead["lead_id"],
        weight=lead["risk_score"] or 0,
        what="New lead",
        title=whole_title(lead),
        facts=_filled(facts),
        reasons=_reasons(lead["risk_reasons"]),
        links=(_portal(lead), *_partition(ui_url, "device_enriched_leads", day)),
        lead_ids=(lead["lead_id"],),
    )


def of_story(story: Row, leads: Sequence[Row], told: frozenset[str], ui_url: str | None) -> Notification:
    """Return the notice of a row of `lead_stories`.

    Args:
        story: the row.
        leads: those of its leads that are to be named, the most urgent first.
        told: leads that an earlier notice has named: it has grown by the others.
        ui_url: base of Dagster's UI.
    """
    new = [lead for lead in story["lead_ids"] if lead not in told]
    grown = f"Story grown by {pluralize(len(new), 'lead')}"
    named = leads[:LEADS_SHOWN]
    facts = {
        "Score": f"{story['score']} of 100, severity {story['severity'] or 'unrated'}",
        "Leads": str(len(story["lead_ids"])),
        "Devices": _some(story["device_names"] or []),
        "Accounts": _some(story["accounts"] or []),
        "Tactics": _some([category_name(tactic) for tactic in story["tactics"] or []], 6),
        "Products": _some([product_name(product) for product in story["products"] or []], 6),
        "Tenant": story["tenant_id"],
    }
    return Notification(
        kind=STORY,
        tenant_id=story["tenant_id"],
        subject_id=story["story_id"],
        weight=story["score"] or 0,
        what=grown if told else "New story",
        title=story["title"] or "untitled",
        facts=_filled(facts),
        reasons=(*_reasons(story["score_reasons"]), *(f"Lead: {whole_title(lead)}" for lead in named)),
        links=(
            *(_portal(lead, f"Alert {number} in Defender") for number, lead in enumerate(named[:2], 1)),
            *_partition(ui_url, "lead_stories", story["export_date"]),
        ),
        lead_ids=tuple(story["lead_ids"]),
    )


def of_condition(condition: Incident, ui_url: str | None) -> Notification:
    """Return the notice of something that fails."""
    run = () if ui_url is None else (Link("Run in Dagster", f"{ui_url}/runs/{condition.run_id}"),)
    return Notification(
        kind=condition.kind,
        tenant_id=None,
        subject_id=condition.subject_id,
        weight=0,
        what="Data health",
        title=condition.title,
        facts=(("Run", condition.run_id[:8]),),
        reasons=(condition.summary,) if condition.summary else (),
        links=run,
    )


def _portal(lead: Row, label: str = "Open in Defender") -> Link:
    # made here out of the identifiers, so that no link of a message ever comes out of a table
    return Link(label, portal_url(lead["tenant_id"], lead["alert_id"] or ""))


def _partition(ui_url: str | None, asset: str, day: date) -> tuple[Link, ...]:
    if ui_url is None:
        return ()
    return (Link("Open in Dagster", f"{ui_url}/assets/{asset}?view=partitions&partition={day}"),)


def _some(names: Sequence[str], most: int = NAMES_SHOWN) -> str | None:
    return listed(names, most) if names else None


def _filled(facts: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    return tuple((label, value) for label, value in facts.items() if value)


def _reasons(reasons: Iterable[Row] | None) -> tuple[str, ...]:
    strongest = sorted(reasons or (), key=lambda reason: -abs(reason["points"]))[:REASONS_SHOWN]
    return tuple(f"{reason['points']:+d} {reason['reason']}" for reason in strongest)
