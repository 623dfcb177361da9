"""`defender-assets lead ID`: all that is known of one lead, down to the bytes in the export."""

import click

from defender_assets.cli.details import show_row, show_structs
from defender_assets.cli.lake_reader import Reading
from defender_assets.cli.options import output_format
from defender_assets.cli.output import as_json, say
from defender_assets.cli.source_lines import lines_as_json, show_originals

FIRST = ("risk_score", "risk_reasons", "severity", "product", "alert_time", "device_name", "portal_url")
VERSION = ("export_date", "change", "severity", "risk_score", "evidence_count", "verdict", "remediation_state")


@click.command(short_help="Everything about one lead.")
@click.argument("lead_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Also the very lines of the export, as Microsoft wrote them.")
@output_format(("text", "json"))
def lead(*, lead_id: str, raw: bool, output_format: str) -> None:
    """Show everything about one lead: device, entities, reasons, versions, stories, and where its records stand.

    ID is the beginning of a lead's id, as `leads` shows it, or Microsoft's whole AlertId.
    """
    import polars as pl

    from defender_assets.outputs.queries import filters, views

    reading = Reading.of_settings()
    leads = views.lead_versions(reading.lake, muted=True)
    of_id = filters.beginning_with(leads, "lead_id", lead_id)
    versions = reading.all_of_one(
        pl.concat([of_id, leads.filter(pl.col("alert_id") == lead_id)]).unique(["tenant_id", "lead_id", "export_date"]),
        "lead",
        lead_id,
    )
    row = versions[-1]
    stories = views.collected(
        reading.lake,
        views.current_stories(reading.lake)
        .filter(pl.col("tenant_id") == row["tenant_id"], pl.col("lead_ids").list.contains(row["lead_id"]))
        .select("story_id", "score", "lead_count", "title"),
    ).to_dicts()
    lines = reading.fetch_source_lines(row["sources"]) if raw else []
    if output_format == "json":
        found = {"lead": row, "versions": versions, "stories": stories}
        click.echo(as_json(found | ({"lines": lines_as_json(lines)} if raw else {})))
        return
    say(row["title"] or f"(evidence only) {row['alert_id']}", "bold")
    show_row(row, first=FIRST, leave_out=("title", "sources"))
    if stories:
        show_structs("stories", stories)
    if len(versions) > 1:
        show_structs("versions", [{name: version[name] for name in VERSION} for version in versions])
    show_structs("sources", row["sources"] or [])
    if raw:
        show_originals(lines, row["sources"])
