"""`defender-assets leads`: show the current state of the leads, or that of a day."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import click

from defender_assets.cli.lake_reader import LakeReader, filtered
from defender_assets.cli.options import DAY, day_option, filter_options, limit_option, output_format, state_option
from defender_assets.cli.output import Cells, fitting
from defender_assets.cli.since import Look, since_option


def device(lead: Mapping[str, Any], *, short: bool = False) -> str:
    """Return the lead's device with the number of others, and with how it was matched if that is unusual.

    A `short` name is without its domain.
    """
    name = lead["device_name"] or (lead["device_id"] or "")[:12]
    host = name.partition(".")[0]
    # an address is no name with a domain
    name = host if short and host and not host.isdigit() else name
    others = len(lead["devices"] or []) - 1
    notes = [f"+{others}"] if others > 0 else []
    if lead["device_match"] in {"after", "unknown"}:
        notes.append("first seen later" if lead["device_match"] == "after" else "not seen")
    return " ".join([name, f"({', '.join(notes)})" if notes else ""]).strip() or "–"


def title(lead: Mapping[str, Any]) -> str:
    """Return the lead's title, or the id of its alert if no record of it has a title."""
    return lead["title"] or f"(untitled) {lead['alert_id']}"


def story(lead: Mapping[str, Any]) -> str | None:
    """Return the beginning of the id of the lead's story, with its score."""
    return f"{lead['story_id'][:8]} ({lead['story_score']})" if lead["story_id"] else None


def state(lead: Mapping[str, Any]) -> str | None:
    """Return the lead's state if anybody has said something about it."""
    from defender_assets.outputs.labels import state_words

    words = state_words(lead) if "state" in lead else None
    return None if words == "new" else words


CELLS: Cells = {
    "priority": lambda lead: lead["priority"],
    "risk": lambda lead: lead["risk_score"],
    "severity": lambda lead: lead["severity"],
    "product": lambda lead: lead["product"],
    "title": title,
    "device": device,
    "accounts": lambda lead: [account["name"] for account in (lead["accounts"] or [])[:2] if account.get("name")],
    "alert time (UTC)": lambda lead: lead["alert_time"],
    "story": story,
    "state": state,
    "id": lambda lead: lead["lead_id"][:8],
}
FROM_WIDTH = {
    "state": 100,
    "accounts": 150,
    "story": 130,
    "product": 130,
    "alert time (UTC)": 100,
    "risk": 100,
    "severity": 60,
}
"""Terminal width from which a column shows; the others always show."""

NARROW_CELLS: Cells = {"device": partial(device, short=True)}

VERSION: Cells = {"day": lambda lead: lead["export_date"], "change": lambda lead: lead["change"]}


@click.command()
@day_option("Only the leads that were new or changed on this day of arrival, as they were then.")
@click.option("--until", type=DAY, metavar="YYYY-MM-DD", help="The state at the end of this day instead of now.")
@filter_options("leads")
@since_option
@state_option
@click.option("--muted", is_flag=True, help="Also leads that the team's rules mute (DEFENDER_MUTED).")
@click.option("--all-versions", is_flag=True, help="Every row of a lead, not only its latest.")
@limit_option
@output_format()
def leads(
    *,
    day: date | None,
    until: date | None,
    since: str | None,
    state: str,
    muted: bool,
    all_versions: bool,
    limit: int | None,
    output_format: str,
    **filters: str | None,
) -> None:
    """Show leads in the order in which to look at them. `lead ID` shows everything about one.

    The priority of a lead is its own risk and what its story adds. Leads of days whose queue is not built yet have
    their risk as their priority. Closed leads are left out (`--state all`).
    """
    from defender_assets.core.triage.states import in_state, with_states
    from defender_assets.outputs.queries import views

    reader = LakeReader.from_settings()
    if day is not None or all_versions:
        rows = views.lead_versions(reader.lake, day=day, until=until, muted=muted)
    else:
        rows = views.current_leads(reader.lake, until, muted=muted)
    rows = in_state(with_states(rows, views.lead_states(reader.lake)), state)
    cells = fitting({**CELLS, **VERSION} if all_versions else CELLS, FROM_WIDTH, NARROW_CELLS)
    asked = " and ".join(f"--{option} {value}" for option, value in (("day", day), ("until", until)) if value)

    def why_none() -> str:
        versions = views.lead_versions(reader.lake, muted=True)
        left_out = "Muted (--muted) and closed ones (--state all) are left out."
        return reader.which_filter(versions, rows, filters, "leads", asked=asked, left_out=left_out)

    found = filtered(rows, filters)
    if since is None:
        reader.show(found, cells, "leads", output_format, limit, why_none=why_none)
        return
    look = Look("leads", reader.lake.uri, ("tenant_id", "lead_id"), since, datetime.now(UTC))
    reader.show_new(
        views.with_updates(reader.lake, found), look, cells, "leads", output_format, limit, why_none=why_none
    )
