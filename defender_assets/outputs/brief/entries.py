"""The entries of leads and devices in the brief: their fields, in words. Stories are in `timelines`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from defender_assets.core.enums import NEW
from defender_assets.outputs import labels
from defender_assets.outputs.brief.format import KINDS, kind_of, reasons_of, title_of
from defender_assets.outputs.labels import LONG, SHORT, Row, clipped

LEADS_SHOWN = 12
ALIKE = "alike"
"""Column with the number of leads that one entry shows."""
INDICATORS_SHOWN = 4


@dataclass(frozen=True)
class AlertEntry:
    """What a lead's entry and a step of a story have in common; `when` is `moment` in words.

    `state` is empty in a stored brief, and where nobody has said anything.
    """

    title: str
    kind: str
    severity: str
    facts: list[str]
    moment: datetime | None
    when: str
    url: str
    state: str


@dataclass(frozen=True)
class LeadEntry(AlertEntry):
    """A lead of the list "to look at first"; `of_day`: it was new or changed on the day of the brief.

    `further` is the number of its other leads: of the same detection, and in the same story or in none.
    """

    anchor: str
    priority: int
    risk: int
    indicators: list[tuple[str, str]]
    priority_reasons: list[tuple[int, str]]
    reasons: list[tuple[int, str]]
    changes: list[str]
    tenant: str
    story: str | None
    story_id: str | None
    story_anchor: str | None
    of_day: bool
    precision: str | None
    further: int


@dataclass(frozen=True)
class DeviceEntry:
    """A device with its leads in numbers."""

    name: str
    facts: list[str]
    leads: int
    severities: list[tuple[str, int]]
    top_risk: int
    tenant: str


def alert_fields(lead: Row, day: date, last_fact: str) -> dict[str, Any]:
    """Return the fields of AlertEntry; an empty `last_fact` is left out."""
    facts = [
        labels.category_name(lead["category"]) if lead["category"] else None,
        labels.product_name(lead["product"]),
        labels.device_words(lead),
        labels.listed(labels.accounts_of(lead), 2),
        last_fact,
    ]
    return {
        "title": title_of(lead),
        "kind": kind_of(lead["severity"]),
        "severity": lead["severity"] or "Unrated",
        "facts": [fact for fact in facts if fact],
        "moment": lead["alert_time"],
        "when": labels.moment_words(lead["alert_time"], day) if lead["alert_time"] else "",
        "url": lead["portal_url"] or "",
        "state": _state(lead),
    }


def _state(lead: Row) -> str:
    words = labels.state_words(lead) if "state" in lead else ""
    return "" if words == NEW else words


def lead_entry(lead: Row, day: date, story_of: Mapping[tuple[str, str], str], precision: str | None) -> LeadEntry:
    """Return a lead's entry, with its columns of the queue.

    `story_of` maps (tenant, lead) to its story's anchor; `precision` is that of its detection, in words.
    """
    of_day = lead["export_date"] == day
    changes = [clipped(sentence, LONG) for sentence in lead["changes"] or []] if of_day else []
    if not changes and of_day and lead["change"] == "updated":
        changes = ["something that no column shows"]
    fields = alert_fields(lead, day, ", ".join((lead["attack_techniques"] or [])[:4]))
    if lead["device_match"] == "as_of" and (state := labels.device_state_words(lead)):
        fields["facts"].append(f"device state {state}")
    return LeadEntry(
        **fields,
        anchor=f"lead-{lead['lead_id']}",
        priority=lead["priority"],
        risk=lead["risk_score"] or 0,
        indicators=_indicators(lead),
        priority_reasons=reasons_of(lead["priority_reasons"]),
        reasons=reasons_of(lead["risk_reasons"]),
        changes=changes,
        tenant=lead["tenant_id"],
        story=labels.story_words(lead),
        story_id=lead["story_id"],
        story_anchor=story_of.get((lead["tenant_id"], lead["lead_id"])),
        of_day=of_day,
        precision=precision,
        further=lead[ALIKE] - 1,
    )


def device_entry(device: Row) -> DeviceEntry:
    """Return the entry of a device that `figures.devices_hit` found."""
    kinds = [kind_of(severity) for severity in device["severities"]]
    facts = [
        device["os_platform"],
        device["machine_group"],
        f"exposure {device['exposure_level'].lower()}" if device["exposure_level"] else None,
        f"value {device['asset_value'].lower()}" if device["asset_value"] else None,
        "reachable from the internet" if device["is_internet_facing"] else None,
    ]
    return DeviceEntry(
        name=clipped(device["device_name"] or device["device_id"], SHORT),
        facts=[clipped(fact, SHORT) for fact in facts if fact],
        leads=device["leads"],
        severities=[(kind, kinds.count(kind)) for kind in KINDS if kind in kinds],
        top_risk=device["top_risk"] or 0,
        tenant=device["tenant_id"],
    )


# list of a lead, its label, its fields from the most to the least telling: the first filled one is shown
_INDICATORS = (
    ("processes", "Process", ("command_line", "file_name")),
    ("files", "File", ("name", "sha256", "sha1")),
    ("mails", "Mail", ("subject", "sender", "network_message_id")),
    ("urls", "URL", ("url",)),
    ("ip_addresses", "Address", ("address",)),
    ("registry", "Registry", ("key",)),
    ("cloud_resources", "Resource", ("name", "resource_id")),
)


def _indicators(lead: Row) -> list[tuple[str, str]]:
    """Return the first entity of each kind: what an analyst searches for next."""
    found = []
    for name, label, fields in _INDICATORS:
        shown = [text for entity in lead[name] or [] if (text := next((entity[f] for f in fields if entity[f]), None))]
        if shown:
            more = f" (+{len(shown) - 1})" if len(shown) > 1 else ""
            found.append((label, clipped(shown[0], LONG) + more))
    return found[:INDICATORS_SHOWN]
