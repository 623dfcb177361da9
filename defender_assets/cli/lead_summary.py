"""The summary of a lead: what an analyst asks first, on one screen of 24 rows and 80 columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from defender_assets.cli.details import cell, label
from defender_assets.cli.output import ascii_only, console, say
from defender_assets.core.enums import NEW
from defender_assets.outputs.labels import (
    Row,
    accounts_of,
    category_name,
    device_state_words,
    device_words,
    listed,
    product_name,
    whole_title,
)

ROWS = 22
"""Rows of the summary: a screen without the command and the prompt after it."""
LEAST_REASONS = 3
_SHOWN = 3
# column of structs -> the fields of which the first that is not null names an entity
_ENTITIES: Mapping[str, tuple[str, ...]] = {
    "processes": ("command_line", "file_name"),
    "files": ("name", "sha256"),
    "ip_addresses": ("address",),
    "urls": ("url", "host"),
    "mails": ("subject", "sender"),
    "mailboxes": ("upn", "address", "display_name"),
    "registry": ("key",),
    "cloud_resources": ("name", "resource_id"),
    "applications": ("name", "application_id"),
    "other_entities": ("name", "kind"),
}


def show_summary(lead: Row, reasons: Sequence[Row], words: Row) -> None:
    """Print the lead's row in at most ROWS rows, if title, story and link are as long as usual.

    `words` say what several tables know of the lead: `story`, `state`, `comment` (the newest), `this_detection`.
    """
    from rich.table import Table
    from rich.text import Text

    out = console()
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    facts = {name: value for name, value in _facts(lead, words) if value}
    for name, value in facts.items():
        text = Text(cell(value))
        if name not in _WHOLE:
            text.truncate(out.width - max(map(len, facts)) - 2, overflow="crop" if ascii_only() else "ellipsis")
        grid.add_row(Text(name, style="dim"), text)
    say(cell(whole_title(lead)), "bold")
    out.print(grid)
    taken = sum(len(out.render_lines(part, pad=False)) for part in (Text(cell(whole_title(lead))), grid))
    shown = max(LEAST_REASONS, ROWS - taken - 3)
    parts = [*(lead["risk_reasons"] or ()), *(reason for reason in reasons if reason["points"] > 0)]
    say("Why (points)", "italic")
    for reason in parts[:shown]:
        line = Text(cell(f"{reason['points']:>4}  {reason['reason']}"))
        line.truncate(out.width, overflow="crop" if ascii_only() else "ellipsis")
        out.print(line)
    more = f"{len(parts) - shown} more reasons and " if len(parts) > shown else ""
    say(f"--all shows {more}every column; --raw the lines as written.", "dim")


_WHOLE = {"story", "portal URL"}


def _facts(lead: Row, words: Row) -> Iterator[tuple[str, str | None]]:
    priority = f"{lead['priority']} of 100, risk {lead['risk_score']}"
    kind = [lead["severity"], product_name(lead["product"]), category_name(lead["category"] or "")]
    yield "priority", ", ".join(filter(None, [priority, *kind]))
    yield "alert", f"{cell(lead['alert_time'])}, {lead['change']} on {lead['export_date']}, id {lead['lead_id'][:12]}"
    yield "story", words["story"]
    yield "state", words["state"] if words["state"] != NEW else None
    yield "comment", words["comment"]
    yield "this detection", words["this_detection"]
    yield "portal URL", lead["portal_url"]
    yield "device", device_words(lead)
    state = [lead["os_platform"], lead["device_type"], lead["machine_group"]]
    exposure = f"exposure {lead['exposure_level']}" if lead["exposure_level"] else None
    age = device_state_words(lead)
    yield "", ", ".join(filter(None, [*state, exposure, f"as it was {age}" if age else None]))
    yield "accounts", listed(accounts_of(lead), _SHOWN)
    for column, fields in _ENTITIES.items():
        names = [_name(entity, fields) for entity in lead.get(column) or []]
        yield label(column), listed(list(dict.fromkeys(filter(None, names))), 1 if column == "processes" else _SHOWN)
    yield "techniques", listed(lead["technique_names"] or lead["attack_techniques"] or [], _SHOWN)
    yield "remediation", ", ".join(filter(None, [lead["remediation_state"], lead["verdict"]]))


def _name(entity: Mapping[str, Any], fields: Sequence[str]) -> str | None:
    return next((str(entity[field]) for field in fields if entity.get(field)), None)
