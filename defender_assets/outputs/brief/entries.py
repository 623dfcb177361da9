"""Leads and devices as the brief shows them: how many, in which words. Stories: `timelines`; layout: `page.html`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from defender_assets.outputs.labels import (
    KINDS,
    category_name,
    clipped,
    kind_of,
    listed,
    moment_words,
    product_name,
)

LEADS_SHOWN = 12
TRACES_SHOWN = 4
LONG, SHORT = 220, 110

Row = Mapping[str, Any]

# well-known SIDs: the system, the local service, the network service
_SYSTEM = frozenset({"S-1-5-18", "S-1-5-19", "S-1-5-20"})


@dataclass(frozen=True)
class LeadEntry:
    """A lead of the list "to look at first"."""

    anchor: str
    title: str
    kind: str
    severity: str
    risk: int
    facts: list[str]
    indicators: list[tuple[str, str]]
    reasons: list[tuple[int, str]]
    moment: datetime | None
    when: str
    changes: list[str]
    tenant: str
    url: str
    story: str | None


@dataclass(frozen=True)
class DeviceEntry:
    """A device and what hit it."""

    name: str
    facts: list[str]
    leads: int
    severities: list[tuple[str, int]]
    top_risk: int
    tenant: str


def lead_entry(lead: Row, day: date, story_of: Mapping[tuple[str, str], str]) -> LeadEntry:
    """Return a lead as the list shows it; `story_of` gives the anchor of the story of (tenant, lead)."""
    category = category_name(lead["category"]) if lead["category"] else None
    who = accounts_of(lead)
    return LeadEntry(
        anchor=f"lead-{lead['lead_id']}",
        title=title_of(lead),
        kind=kind_of(lead["severity"]),
        severity=lead["severity"] or "Unrated",
        risk=lead["risk_score"] or 0,
        facts=[
            *([category] if category else []),
            product_name(lead["product"]),
            *([device] if (device := device_words(lead)) else []),
            *([listed(who, 2)] if who else []),
            *([", ".join(techniques[:4])] if (techniques := lead["attack_techniques"] or []) else []),
        ],
        indicators=_traces(lead),
        reasons=reasons_of(lead["risk_reasons"]),
        moment=lead["alert_time"],
        when=moment_words(lead["alert_time"], day) if lead["alert_time"] else "",
        changes=_changes(lead),
        tenant=lead["tenant_id"],
        url=lead["portal_url"] or "",
        story=story_of.get((lead["tenant_id"], lead["lead_id"])),
    )


def device_entry(device: Row) -> DeviceEntry:
    """Return a device of `figures.devices_hit` as the page shows it."""
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


def device_words(lead: Row) -> str | None:
    """Return the lead's device as a person reads it, with how it was matched when that is not plain; None without."""
    name = lead["device_name"] or (lead["device_id"] or "")[:12]
    if not name:
        return None
    others = len(lead["devices"] or []) - 1
    notes = [f"+{others}"] if others > 0 else []
    notes += {"after": ["first seen later"], "unknown": ["not seen"]}.get(lead["device_match"], [])
    return clipped(name, SHORT) + (f" ({', '.join(notes)})" if notes else "")


def title_of(lead: Row) -> str:
    """Return the lead's title, or what stands for one, as long as the page shows."""
    return clipped(whole_title(lead), LONG)


def whole_title(lead: Row) -> str:
    """Return the lead's title, or what stands for one."""
    return lead["title"] or f"Evidence without its alert, {lead['alert_id']}"


def accounts_of(lead: Row) -> list[str]:
    """Return the lead's accounts, people before the accounts of machines and of the system."""
    names = {}
    for account in lead["accounts"] or []:
        name = (account["upn"] or "").lower() or account["name"] or account["sid"]
        if name:
            names[name] = (account["name"] or "").endswith("$") or account["sid"] in _SYSTEM
    people = [name for name, impersonal in names.items() if not impersonal]
    return [clipped(name, SHORT) for name in people or names]


def _changes(lead: Row) -> list[str]:
    """Return what changed since the alert's last version; that it changed at all where nothing tells what."""
    told = [clipped(sentence, LONG) for sentence in lead["changes"] or []]
    return told or (["something that no column shows"] if lead["change"] == "updated" else [])


def reasons_of(reasons: Sequence[Row] | None) -> list[tuple[int, str]]:
    """Return points with their words."""
    return [(reason["points"], clipped(reason["reason"] or "", LONG)) for reason in reasons or []]


# list of a lead -> what it is called, and the fields that tell most, the first filled one counts
_TRACES = (
    ("processes", "Process", ("command_line", "file_name")),
    ("files", "File", ("name", "sha256", "sha1")),
    ("mails", "Mail", ("subject", "sender", "network_message_id")),
    ("urls", "URL", ("url",)),
    ("ip_addresses", "Address", ("address",)),
    ("registry", "Registry", ("key",)),
    ("cloud_resources", "Resource", ("name", "resource_id")),
)


def _traces(lead: Row) -> list[tuple[str, str]]:
    """Return the first evidence of each kind: what an analyst searches for next."""
    found = []
    for name, label, fields in _TRACES:
        shown = [text for entity in lead[name] or [] if (text := next((entity[f] for f in fields if entity[f]), None))]
        if shown:
            more = f" (+{len(shown) - 1})" if len(shown) > 1 else ""
            found.append((label, clipped(shown[0], LONG) + more))
    return found[:TRACES_SHOWN]
