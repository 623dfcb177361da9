"""`defender-assets story ID`: show everything about one story, down to the lines of its leads in the export."""

from collections.abc import Mapping
from typing import Any

import click

from defender_assets.cli.details import show_row, show_structs, show_versions
from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.leads import CELLS, FROM_WIDTH, NARROW_CELLS
from defender_assets.cli.options import output_format
from defender_assets.cli.output import Cells, as_json, cell_text, console, fitting, say, table
from defender_assets.cli.source_lines import lines_as_json, show_source_lines

TIME = "alert time (UTC)"
FROM_WIDTHS = {**{name: width for name, width in FROM_WIDTH.items() if name != TIME}, "tactic": 130, "shares": 150}
FIRST = (
    "score",
    "portal_url",
    "state",
    "score_reasons",
    "severity",
    "products",
    "first_alert_time",
    "last_alert_time",
    "device_names",
    "accounts",
)
VERSION = ("export_date", "lead_count", "severity", "score")


@click.command()
@click.argument("story_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Also the lines of the export as Microsoft wrote them.")
@output_format(("text", "json"))
def story(*, story_id: str, raw: bool, output_format: str) -> None:
    """Show everything about one story: its leads in order of time, shared entities, reasons, versions, provenance.

    ID is the beginning of a story's id as `stories` shows it.
    """
    import polars as pl

    from defender_assets.core.raw.source_lines import fetch_source_lines
    from defender_assets.core.triage.states import with_states, with_story_states
    from defender_assets.outputs.labels import category_name
    from defender_assets.outputs.queries import filters, views

    reader = LakeReader.from_settings()
    found = filters.beginning_with(views.story_versions(reader.lake), "story_id", story_id)
    versions = reader.versions_of_one(found, "story", story_id)
    states = views.lead_states(reader.lake).filter(pl.col("tenant_id") == versions[-1]["tenant_id"])
    slim = pl.LazyFrame([{name: versions[-1][name] for name in ("tenant_id", "story_id", "export_date", "lead_ids")}])
    row = versions[-1] | views.collected(reader.lake, with_story_states(slim, states)).row(0, named=True)
    by_priority = views.collected(
        reader.lake,
        with_states(
            views.current_leads(reader.lake, muted=True).filter(
                pl.col("tenant_id") == row["tenant_id"], pl.col("lead_id").is_in(row["lead_ids"])
            ),
            states,
        ),
    )
    leads = by_priority.sort("alert_time", "lead_id").to_dicts()
    sources = [source for lead in leads for source in lead["sources"] or []]
    lines = fetch_source_lines(reader.lake, sources) if raw else []
    if output_format == "json":
        shown = {"story": row, "versions": versions, "leads": leads}
        click.echo(as_json(shown | ({"lines": lines_as_json(lines)} if raw else {})))
        return
    say(cell_text(row["title"] or "(untitled)"), "bold")
    # the portal has no page of a story: that of its most urgent lead is the way in
    portal_url = next((url for url in by_priority["portal_url"] if url), None)
    tactics = [category_name(tactic) for tactic in row["tactics"] or []]
    show_row(
        row | {"portal_url": portal_url, "tactics": tactics},
        first=FIRST,
        leave_out=("title", "lead_ids", "shared_entities", "timeline"),
    )
    console().print(table(leads, fitting(_timeline(row), FROM_WIDTHS, NARROW_CELLS), "Timeline"))
    shared = row["shared_entities"] or []
    show_structs("shared entities", [{**each, "lead_ids": [lead[:8] for lead in each["lead_ids"]]} for each in shared])
    show_versions(versions, VERSION)
    show_structs("sources", [{"lead": lead["lead_id"][:8], **each} for lead in leads for each in lead["sources"] or []])
    if raw:
        show_source_lines(lines, sources)


def _timeline(story: Mapping[str, Any]) -> Cells:
    """Return the columns of `leads`, with the tactic of each lead and the entities it shares with earlier ones."""
    steps: dict[str, Mapping[str, Any]] = {step["lead_id"]: step for step in story["timeline"] or []}

    def step(lead: Mapping[str, Any]) -> Mapping[str, Any]:
        return steps.get(lead["lead_id"], {})

    def shares(lead: Mapping[str, Any]) -> list[str]:
        return sorted({text.partition(" ")[0] for text in step(lead).get("shares") or []})

    # within a story the priority is the risk and the same points for each lead
    cells = {name: show for name, show in CELLS.items() if name not in {"priority", "story"}}
    return {TIME: CELLS[TIME], "tactic": lambda lead: step(lead).get("tactic"), **cells, "shares": shares}
