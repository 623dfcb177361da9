"""A lead as Markdown, for a ticket. Text of alerts and people is in code spans, where nothing is markup or a link."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from defender_assets.core.text import escape_control_chars
from defender_assets.outputs import labels

Row = Mapping[str, Any]

LISTED = 20
"""Accounts, entities and statements that are listed of each."""

# list of a lead, its heading, its fields from the most to the least telling
_ENTITIES = (
    ("processes", "Process", ("command_line", "file_name")),
    ("files", "File", ("sha256", "sha1", "name")),
    ("ip_addresses", "Address", ("address",)),
    ("urls", "URL", ("url",)),
    ("mails", "Mail", ("network_message_id", "subject")),
    ("registry", "Registry key", ("key",)),
    ("cloud_resources", "Resource", ("resource_id", "name")),
)


def code(text: object) -> str:
    """Return any text as a code span: no markup, no HTML and no link, whatever it contains.

    >>> code("a `b`"), code("[x](http://evil.example)")
    ('`` a `b` ``', '`[x](http://evil.example)`')
    """
    shown = escape_control_chars(str(text)).strip() or "-"
    fence = "`" * (max(map(len, re.findall("`+", shown)), default=0) + 1)
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def lead_markdown(lead: Row, reasons: Sequence[Row], statements: Sequence[Row], precision: Row | None) -> str:
    """Return a lead as Markdown; `lead` has its columns of the queue and of triage, `reasons` are of its priority."""
    lines = [f"## {code(lead['title'] or lead['alert_id'])}", "", *_facts(lead, precision)]
    for heading, pairs in (("Why this priority", reasons), ("Why this risk", lead["risk_reasons"] or [])):
        lines += _section(heading, (f"{reason['points']:+d} {code(reason['reason'])}" for reason in pairs))
    lines += _section("Entities", _entities(lead))
    lines += _section("Statements", map(_statement, statements[-LISTED:]))
    return "\n".join(lines) + "\n"


def _facts(lead: Row, precision: Row | None) -> Iterator[str]:
    detection = labels.precision_words(precision) if precision else None
    facts = {
        "Severity": code(lead["severity"] or "unrated"),
        "Priority": f"{lead['priority']} of 100",
        "State": code(labels.state_words(lead)),
        "This detection": detection,
        "Alert time": f"{lead['alert_time']:%Y-%m-%d %H:%M:%S} UTC" if lead["alert_time"] else None,
        "Product": labels.product_name(lead["product"]),
        "Device": code(words) if (words := labels.device_words(lead)) else None,
        "Accounts": ", ".join(map(code, labels.accounts_of(lead)[:LISTED])) or None,
        "Techniques": ", ".join(map(code, (lead["attack_techniques"] or [])[:LISTED])) or None,
        "Story": code(f"{lead['story_id'][:8]} {lead['story_title'] or ''}") if lead["story_id"] else None,
        "Tenant": code(lead["tenant_id"]),
        "Lead": code(lead["lead_id"]),
        "Defender": f"<{lead['portal_url']}>" if lead["portal_url"] else None,
    }
    for name, value in facts.items():
        if value:
            yield f"- **{name}:** {value}"


def _section(heading: str, items: Iterable[str]) -> list[str]:
    lines = [f"- {item}" for item in items]
    return ["", f"### {heading}", "", *lines] if lines else []


def _entities(lead: Row) -> Iterator[str]:
    for name, label, fields in _ENTITIES:
        for entity in (lead[name] or [])[:LISTED]:
            text = next((entity[field] for field in fields if entity[field]), None)
            if text:
                yield f"{label}: {code(text)}"


def _statement(said: Row) -> str:
    words = [code(said["state"]), *(code(said[name]) for name in ("verdict", "assignee", "comment") if said[name])]
    return f"{said['stated_at']:%Y-%m-%d %H:%M} UTC, {code(said['author'])}: {', '.join(words)}"
