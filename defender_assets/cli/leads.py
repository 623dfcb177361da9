"""`defender-assets leads`: the current state of the leads, or a day's. Which row is current stands in `core.views`."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import click

from defender_assets.cli.options import DAY, limit, of_day, output_format
from defender_assets.cli.output import Cells
from defender_assets.cli.reading import Reading

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
}
VERSION: Cells = {"day": lambda lead: lead["export_date"], "change": lambda lead: lead["change"]}


@click.command()
@of_day("Only the leads that were new or changed on this day of arrival, as they were then.")
@click.option("--until", type=DAY, metavar="YYYY-MM-DD", help="The state at the end of this day instead of now.")
@click.option("--product", help="Only leads of this product, such as endpoint, identity, office365.")
@click.option("--severity", help="Only leads of this severity: high, medium, low or informational.")
@click.option("--muted", is_flag=True, help="Those too that the team's rules mute (DEFENDER_MUTED).")
@click.option("--all-versions", is_flag=True, help="Every row of a lead, not only its latest.")
@limit(ROWS_OF_A_TABLE)
@output_format()
def leads(
    *,
    day: date | None,
    until: date | None,
    product: str | None,
    severity: str | None,
    muted: bool,
    all_versions: bool,
    limit: int | None,
    output_format: str,
) -> None:
    """Show leads with their devices, the highest risk first."""
    import polars as pl

    from defender_assets.core import views

    reading = Reading.of_settings()
    if day is not None or all_versions:
        rows = views.lead_versions(reading.lake, day=day, until=until, muted=muted)
    else:
        rows = views.current_leads(reading.lake, until, muted=muted)
    for column, wanted in (("product", product), ("severity", severity)):
        if wanted is not None:
            rows = rows.filter(pl.col(column).str.to_lowercase() == wanted.lower())
    reading.show(rows, {**CELLS, **VERSION} if all_versions else CELLS, "leads", output_format, limit, ROWS_OF_A_TABLE)
