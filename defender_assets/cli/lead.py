"""`defender-assets lead ID`: show everything about one lead, down to its lines in the export."""

import click

from defender_assets.cli.details import show_row, show_structs, show_versions
from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.options import output_format
from defender_assets.cli.output import as_json, say
from defender_assets.cli.source_lines import lines_as_json, show_source_lines

FIRST = ("risk_score", "risk_reasons", "severity", "product", "alert_time", "device_name", "portal_url")
VERSION = ("export_date", "change", "severity", "risk_score", "evidence_count", "verdict", "remediation_state")


@click.command(short_help="Everything about one lead.")
@click.argument("lead_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Also the lines of the export as Microsoft wrote them.")
@output_format(("text", "json"))
def lead(*, lead_id: str, raw: bool, output_format: str) -> None:
    """Show everything about one lead: device, entities, reasons, versions, stories, and the position of its records.

    ID is the beginning of a lead's id as `leads` shows it, or Microsoft's complete AlertId.
    """
    import polars as pl

    from defender_assets.core.raw.source_lines import fetch_source_lines
    from defender_assets.outputs.queries import filters, views

    reader = LakeReader.from_settings()
    leads = views.lead_versions(reader.lake, muted=True)
    found = pl.concat([filters.beginning_with(leads, "lead_id", lead_id), leads.filter(pl.col("alert_id") == lead_id)])
    versions = reader.versions_of_one(found.unique(["tenant_id", "lead_id", "export_date"]), "lead", lead_id)
    row = versions[-1]
    stories = views.collected(
        reader.lake,
        views.current_stories(reader.lake)
        .filter(pl.col("tenant_id") == row["tenant_id"], pl.col("lead_ids").list.contains(row["lead_id"]))
        .select("story_id", "score", "lead_count", "title"),
    ).to_dicts()
    sources = row["sources"] or []
    lines = fetch_source_lines(reader.lake, sources) if raw else []
    if output_format == "json":
        shown = {"lead": row, "versions": versions, "stories": stories}
        click.echo(as_json(shown | ({"lines": lines_as_json(lines)} if raw else {})))
        return
    say(row["title"] or f"(evidence only) {row['alert_id']}", "bold")
    show_row(row, first=FIRST, leave_out=("title", "sources"))
    show_structs("stories", stories)
    show_versions(versions, VERSION)
    show_structs("sources", sources)
    if raw:
        show_source_lines(lines, sources)
