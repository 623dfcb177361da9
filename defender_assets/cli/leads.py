"""`defender-assets leads`: the current state of the leads, or a day's. Which row is current stands in `core.views`."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import click

from defender_assets.cli.lake_reader import Reading, picked
from defender_assets.cli.options import DAY, limit, of_day, output_format, picks
from defender_assets.cli.output import Cells, fitting

ROWS_OF_A_TABLE = 25


def device(lead: Mapping[str, Any]) -> str:
    """Return the lead's device as a person reads it, with how it was matched when that is not plain."""
    name = lead["device_name"] or (lead["device_id"] or "")[:12]
    others = len(lead["devices"] or []) - 1
    notes = [f"+{others}"] if others > 0 else []
    if lead["device_match"] in {"after", "unknown"}:
        notes.append("first seen later" if lead["device_match"] == "after" else "not seen")
    return " ".join([name, f"({', '.join(notes)})" if notes else ""]).strip() or "–"


CELLS: Cells = {
    "risk": lambda lead: lead["risk_score"],
    "severity": lambda lead: lead["severity"],
    "product": lambda lead: lead["product"],
    "title": lambda lead: lead["title"] or f"(evidence only) {lead['alert_id']}",
    "device": device,
    "accounts": lambda lead: [account["name"] for account in (lead["accounts"] or [])[:2] if account.get("name")],
    "alert time (UTC)": lambda lead: lead["alert_time"],
    "id": lambda lead: lead["lead_id"][:8],
}
FROM_WIDTH = {"accounts": 120, "product": 100, "alert time (UTC)": 80, "severity": 60}
"""How wide a terminal must be for a column; the others always show."""

VERSION: Cells = {"day": lambda lead: lead["export_date"], "change": lambda lead: lead["change"]}


@click.command()
@of_day("Only the leads that were new or changed on this day of arrival, as they were then.")
@click.option("--until", type=DAY, metavar="YYYY-MM-DD", help="The state at the end of this day instead of now.")
@picks("leads")
@click.option("--muted", is_flag=True, help="Also those that the team's rules mute (DEFENDER_MUTED).")
@click.option("--all-versions", is_flag=True, help="Every row of a lead, not only its latest.")
@limit(ROWS_OF_A_TABLE)
@output_format()
def leads(
    *,
    day: date | None,
    until: date | None,
    muted: bool,
    all_versions: bool,
    limit: int | None,
    output_format: str,
    **asked: str | None,
) -> None:
    """Show leads with their devices, the highest risk first. `lead ID` shows everything about one."""
    from defender_assets.outputs.queries import views

    reading = Reading.of_settings()
    if day is not None or all_versions:
        rows = views.lead_versions(reading.lake, day=day, until=until, muted=muted)
    else:
        rows = views.current_leads(reading.lake, until, muted=muted)
    cells = fitting({**CELLS, **VERSION} if all_versions else CELLS, FROM_WIDTH)
    reading.show(picked(rows, asked), cells, "leads", output_format, limit, ROWS_OF_A_TABLE)
