"""Content of a notification about a lead, story or incident. Its text is hostile; `slack` and `teams` escape it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from defender_assets.core.identifiers import PORTAL, portal_url
from defender_assets.core.text import pluralize
from defender_assets.outputs.labels import (
    Row,
    accounts_of,
    category_name,
    device_state_words,
    device_words,
    listed,
    moment_words,
    product_name,
    story_words,
    whole_title,
)
from defender_assets.outputs.notifications.incidents import Incident

LEAD, STORY = "lead", "story"
NAMES_SHOWN = 3
REASONS_SHOWN = 6
LEADS_SHOWN = 5


@dataclass(frozen=True)
class Link:
    """A link to Microsoft's portal or Dagster's UI; never to an address from an alert."""

    label: str
    url: str


@dataclass(frozen=True)
class Notification:
    """One notification. `sent_notices` keeps `subject_id` and `lead_ids`.

    `weight` is the priority of a lead or the score of a story, `points` their sum before it is cut to 100: the highest
    is the most urgent. `is_end`: it reports the end of an incident.
    """

    kind: str
    subject_id: str
    heading: str
    title: str
    facts: tuple[tuple[str, str], ...]
    tenant_id: str | None = None
    weight: int = 0
    points: int = 0
    reasons: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    lead_ids: tuple[str, ...] = ()
    is_end: bool = False


def lead_notification(lead: Row, ui_url: str | None, portal: str = PORTAL) -> Notification:
    """Return the notification for a row of `device_enriched_leads` with its columns of the queue."""
    day = lead["export_date"]
    risk, severity = lead["risk_score"] or 0, lead["severity"] or "unrated"
    facts = {
        "Priority": f"{lead['priority']} of 100, risk {risk}, severity {severity}",
        "Story": story_words(lead),
        "Device": device_words(lead),
        "Device state": device_state_words(lead) if lead["device_match"] == "as_of" else None,
        "Accounts": _some(accounts_of(lead)),
        "Tactics": category_name(lead["category"]) if lead["category"] else None,
        "Techniques": _some(lead["attack_techniques"]),
        "Product": product_name(lead["product"]),
        "Alert (UTC)": moment_words(lead["alert_time"], day) if lead["alert_time"] else None,
        "Tenant": lead["tenant_id"],
    }
    return Notification(
        kind=LEAD,
        tenant_id=lead["tenant_id"],
        subject_id=lead["lead_id"],
        weight=lead["priority"],
        points=lead["priority_points"],
        heading="New lead",
        title=whole_title(lead),
        facts=_without_empty(facts),
        reasons=_reasons(lead["risk_reasons"]),
        links=(_portal(lead, portal), *_partition(ui_url, "device_enriched_leads", day)),
        lead_ids=(lead["lead_id"],),
    )


def story_notification(
    story: Row, leads: Sequence[Row], sent_lead_ids: frozenset[str], ui_url: str | None, portal: str = PORTAL
) -> Notification:
    """Return the notification for a row of `lead_stories`, and for its `leads` that may be named, most urgent first.

    Earlier notifications covered `sent_lead_ids`; the other leads are the story's growth.
    """
    new = [lead for lead in story["lead_ids"] if lead not in sent_lead_ids]
    named = leads[:LEADS_SHOWN]
    facts = {
        "Score": f"{story['score']} of 100, severity {story['severity'] or 'unrated'}",
        "Leads": str(len(story["lead_ids"])),
        "Devices": _some(story["device_names"]),
        "Accounts": _some(story["accounts"]),
        "Tactics": _some([category_name(tactic) for tactic in story["tactics"] or []], 6),
        "Products": _some([product_name(product) for product in story["products"] or []], 6),
        "Tenant": story["tenant_id"],
    }
    return Notification(
        kind=STORY,
        tenant_id=story["tenant_id"],
        subject_id=story["story_id"],
        weight=story["score"] or 0,
        points=story["score"] or 0 if story["points"] is None else story["points"],
        heading=f"Story grown by {pluralize(len(new), 'lead')}" if sent_lead_ids else "New story",
        title=story["title"] or "untitled",
        facts=_without_empty(facts),
        reasons=(*_reasons(story["score_reasons"]), *(f"Lead: {whole_title(lead)}" for lead in named)),
        links=(
            *(_portal(lead, portal, f"Alert {number} in Defender") for number, lead in enumerate(named[:2], 1)),
            *_partition(ui_url, "lead_stories", story["export_date"]),
        ),
        lead_ids=tuple(story["lead_ids"]),
    )


def incident_notification(incident: Incident, ui_url: str | None, *, is_end: bool = False) -> Notification:
    """Return the notification for a run or check that fails, or for the beginning or end of a silence."""
    return Notification(
        kind=incident.kind,
        subject_id=incident.subject_id,
        heading="Data health",
        title=incident.title,
        facts=(("Run", incident.run_id[:8]),),
        reasons=(incident.summary,) if incident.summary else (),
        links=() if ui_url is None else (Link("Run in Dagster", f"{ui_url}/runs/{incident.run_id}"),),
        is_end=is_end,
    )


def _portal(lead: Row, portal: str, label: str = "Open in Defender") -> Link:
    # built from identifiers: no address is ever taken from a table
    return Link(label, portal_url(lead["tenant_id"], lead["alert_id"] or "", portal))


def _partition(ui_url: str | None, asset: str, day: date) -> tuple[Link, ...]:
    if ui_url is None:
        return ()
    return (Link("Open in Dagster", f"{ui_url}/assets/{asset}?view=partitions&partition={day}"),)


def _some(names: Sequence[str] | None, limit: int = NAMES_SHOWN) -> str | None:
    return listed(names, limit) if names else None


def _without_empty(facts: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    return tuple((label, value) for label, value in facts.items() if value)


def _reasons(reasons: Iterable[Row] | None) -> tuple[str, ...]:
    strongest = sorted(reasons or (), key=lambda reason: -abs(reason["points"]))[:REASONS_SHOWN]
    return tuple(f"{reason['points']:+d} {reason['reason']}" for reason in strongest)
