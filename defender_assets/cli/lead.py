"""`defender-assets lead ID`: show everything about one lead, down to its lines in the export."""

from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.details import show_row, show_structs, show_versions
from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.options import output_format
from defender_assets.cli.output import as_json, cell_text, say
from defender_assets.cli.source_lines import lines_as_json, show_source_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from defender_assets.outputs.labels import Row

FIRST = (
    "priority",
    "story",
    "portal_url",
    "state",
    "this_detection",
    "risk_score",
    "priority_reasons",
    "risk_reasons",
    "severity",
    "product",
    "alert_time",
    "device_name",
)
STATEMENT = ("stated_at", "author", "state", "verdict", "assignee", "comment", "sequence")
VERSION = ("export_date", "change", "severity", "risk_score", "evidence_count", "verdict", "remediation_state")


@click.command()
@click.argument("lead_id", metavar="ID")
@click.option("--all", "everything", is_flag=True, help="Every column, the versions and the sources.")
@click.option("--raw", is_flag=True, help="Also the lines of the export as Microsoft wrote them.")
@output_format(("text", "json", "markdown"))
def lead(*, lead_id: str, everything: bool, raw: bool, output_format: str) -> None:
    """Show one lead on one screen: priority, story, state, device, entities, reasons. `--all` shows everything.

    JSON always has everything; Markdown is for a ticket. ID is the beginning of a lead's id as `leads` shows it, or
    Microsoft's complete AlertId.
    """
    import polars as pl

    from defender_assets.cli.lead_markdown import lead_markdown
    from defender_assets.cli.lead_summary import show_summary
    from defender_assets.core.raw.source_lines import fetch_source_lines
    from defender_assets.core.triage.precision import DETECTION
    from defender_assets.outputs.labels import whole_title
    from defender_assets.outputs.queries import filters, views

    reader = LakeReader.from_settings()
    leads = views.lead_versions(reader.lake, muted=True)
    versions = reader.versions_of_one(filters.named_lead(leads, lead_id), "lead", lead_id)
    row, reasons = _current(reader, versions[-1])
    stories = views.collected(
        reader.lake,
        views.current_stories(reader.lake)
        .filter(pl.col("tenant_id") == row["tenant_id"], pl.col("lead_ids").list.contains(row["lead_id"]))
        .select("story_id", "score", "lead_count", "title"),
    ).to_dicts()
    said = views.collected(reader.lake, views.statements(reader.lake, row["tenant_id"], row["lead_id"])).to_dicts()
    precision = views.precisions(reader.lake).get(tuple(row[name] for name in DETECTION))
    sources = row["sources"] or []
    lines = fetch_source_lines(reader.lake, sources) if raw else []
    if output_format == "json":
        shown: dict[str, Any] = {"lead": row, "priority_reasons": reasons, "versions": versions, "stories": stories}
        shown |= {"statements": said, "detection": precision}
        click.echo(as_json(shown | ({"lines": lines_as_json(lines)} if raw else {})))
        return
    if output_format == "markdown":
        click.echo(lead_markdown(row, reasons, said, precision), nl=False)
        return
    in_words = _in_words(row | {"priority_reasons": reasons}, stories, precision)
    comments = [f"{each['comment']} ({each['author']})" for each in said if each["comment"]]
    if everything:
        say(cell_text(whole_title(row)), "bold")
        show_row(in_words, first=FIRST, leave_out=("title", "sources"))
        show_structs("stories", stories)
        show_structs("statements", [{name: each[name] for name in STATEMENT} for each in said])
        show_versions(versions, VERSION)
        show_structs("sources", sources)
    else:
        show_summary(row, reasons, in_words | {"comment": comments[-1] if comments else None})
    if raw:
        show_source_lines(lines, sources)


def _current(reader: LakeReader, version: dict[str, Any]) -> tuple[dict[str, Any], list["Row"]]:
    """Return a lead's latest row with its current priority and state, and the reasons for the priority."""
    import polars as pl

    from defender_assets.core.identifiers import LEAD_KEY
    from defender_assets.core.queue.order import PRIORITY_COLUMNS, with_priority
    from defender_assets.core.triage.states import STATE_COLUMNS, with_states
    from defender_assets.outputs.queries import views

    row = {name: value for name, value in version.items() if name not in PRIORITY_COLUMNS}
    key = [pl.col(name) == row[name] for name in LEAD_KEY]
    entries = views.collected(reader.lake, views.current_queue(reader.lake).filter(*key))
    lead = pl.DataFrame(
        [{name: row[name] for name in (*LEAD_KEY, "risk_score")}], schema_overrides={"risk_score": pl.Int64}
    )
    states = views.collected(reader.lake, views.lead_states(reader.lake).filter(*key))
    (found,) = with_states(with_priority(lead, entries, more=("priority_reasons",)), states).to_dicts()
    return row | {name: found[name] for name in (*PRIORITY_COLUMNS, *STATE_COLUMNS)}, found["priority_reasons"] or []


def _in_words(row: "Row", stories: "Sequence[Row]", precision: "Row | None") -> dict[str, Any]:
    """Return what the text shows of a lead: story, state, precision and times relative to the alert in words."""
    from defender_assets.core.queue.order import PRIORITY_COLUMNS
    from defender_assets.core.triage.states import STATE_COLUMNS
    from defender_assets.outputs.labels import (
        category_name,
        device_state_words,
        precision_words,
        state_words,
        story_words,
    )

    story = row
    if row["story_id"] is None and stories:
        # the queue of the day is not built yet
        story = {f"story_{name}": stories[0][name] for name in ("score", "title")} | {
            "story_id": stories[0]["story_id"]
        }
    words = story_words(story)
    shown = {
        "priority": f"{row['priority']} of 100",
        "story": f"{story['story_id'][:8]}: {words}" if words else None,
        "state": state_words(row),
        "this_detection": precision_words(precision) if precision else None,
    }
    for name, value in row.items():
        if name == "device_age_seconds":
            shown["device_state"] = device_state_words(row)
        elif name == "category" and value:
            shown[name] = category_name(value)
        elif name not in {*PRIORITY_COLUMNS, *STATE_COLUMNS}:
            shown[name] = value
    return shown
