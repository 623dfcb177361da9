"""`defender-assets demo`: simulated exports through Dagster to leads and stories, compared with the ground truth."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.leads import CELLS as LEAD_CELLS
from defender_assets.cli.leads import FROM_WIDTH as LEADS_FROM
from defender_assets.cli.leads import NARROW_CELLS
from defender_assets.cli.output import cell_text, console, fitting, progress, say, table
from defender_assets.cli.stories import CELLS as STORY_CELLS
from defender_assets.cli.stories import FROM_WIDTH as STORIES_FROM

if TYPE_CHECKING:
    from datetime import date

    import polars as pl

    from defender_assets.cli.demo.run import DayRun

LEADS_SHOWN = 10

_HEADING = "\n  day         new bytes new rows duplicates quarantined leads stories    time"

_NEXT = (
    ("leads", "all leads; also stories, quarantine; --format json or csv"),
    ("lead ID", "everything about one, down to the bytes; also story ID"),
    ("brief --open", "the newest day as a page in the browser"),
    ("check", "the settings in use, and the state of export and lake"),
    ("init", "connects your own account"),
)

_NOT_SHOWN = """\
The other commands and Dagster do not show this demo: an export or a lake is set, or .defender/lake exists.
`defender-assets check` shows what they read."""


@click.command()
def demo() -> None:
    """Simulate two small tenants, materialize their days through Dagster, and show leads and stories.

    Everything is in .defender/demo/ of the working directory. A second run finds nothing new to read.
    """
    from defender_assets.cli.demo.run import (
        audit_days,
        demo_instance,
        materialize_days,
        quarantine_readable_line,
    )
    from defender_assets.cli.demo.scenario import faulty_day, old_demo, prepare_export, readable_line
    from defender_assets.core.pipeline.staleness import list_all
    from defender_assets.outputs.queries import views
    from defender_assets.settings import DEMO_EXPORT_DIR, DEMO_LAKE, Settings, load_settings

    folder = Path.cwd()
    with progress("Simulating the export of two small tenants ..."):
        scenario, truth = prepare_export(folder)
    shown = load_settings().reads_demo
    say(
        f"Simulated export: {scenario.tenants} tenants of {scenario.devices} devices, {scenario.days} days from "
        f"{scenario.start}, in {DEMO_EXPORT_DIR}"
    )
    settings = Settings(
        export_dir=folder / DEMO_EXPORT_DIR, lake_uri=str(folder / DEMO_LAKE), start_date=scenario.start
    )
    days = sorted(list_all(settings.export())[0])
    runs = []
    with progress("Starting Dagster ..."):
        planted = readable_line(scenario, settings.export_dir)
        if planted:
            quarantine_readable_line(settings, *planted, faulty_day(scenario))
        instance = demo_instance(folder)
        results = materialize_days(settings, days, instance)
    say(_HEADING)
    with instance:
        for day in days:
            with console().status(f"Dagster materializes {day}", spinner="line"):
                run = next(results)
            say(_line(run))
            runs.append(run)
        if planted:
            with console().status("Dagster audits the days", spinner="line"):
                audit_days(settings, instance)
    lake = settings.lake()
    leads = views.collected(lake, views.current_leads(lake))
    stories = views.collected(lake, views.current_stories(lake))
    _show(leads, stories)
    say(_compared(truth["campaigns"], leads, stories))
    say(f"{sum(run.new_bytes for run in runs):,} new bytes were read this time.\n")
    say(_next(folder, faulty_day(scenario)) if shown else _NOT_SHOWN)
    if old := old_demo(folder):
        say(f"\n{old}")
    failed = [run for run in runs if run.problems]
    for run in failed:
        click.echo(f"error: {run.day} failed: {cell_text('; '.join(run.problems))}", err=True)
    if failed:
        raise click.exceptions.Exit(1)


def campaigns_found(
    campaigns: Iterable[Mapping[str, Any]], leads: "pl.DataFrame", stories: "pl.DataFrame"
) -> list[bool]:
    """Return, for each campaign of two or more alerts, whether one story holds all of them."""
    lead_ids = {(row[0], row[1]): row[2] for row in leads.select("tenant_id", "alert_id", "lead_id").iter_rows()}
    grouped = [(tenant, set(ids)) for tenant, ids in stories.select("tenant_id", "lead_ids").iter_rows()]
    found = []
    for campaign in campaigns:
        wanted = {lead_ids.get((campaign["tenant_id"], alert_id)) for alert_id in campaign["alert_ids"]}
        if len(campaign["alert_ids"]) > 1:
            found.append(any(tenant == campaign["tenant_id"] and wanted <= ids for tenant, ids in grouped))
    return found


def _line(run: "DayRun") -> str:
    mark = "✗" if run.problems else "✓"
    return (
        f"{mark} {run.day}{run.new_bytes:>11,}{run.rows:>9,}{run.duplicates:>11,}{run.quarantined:>12,}"
        f"{run.leads:>6,}{run.stories:>8,}{run.seconds:>6.1f} s"
    )


def _next(folder: Path, faulty: "date") -> str:
    """Return what to do next: the commands as they are typed in this working directory."""
    prefix = ".venv/bin/" if (folder / ".venv" / "bin" / "defender-assets").exists() else ""
    in_repository = (folder / "workspace.yaml").exists() and (folder / "Makefile").exists()
    start = "make ui" if in_repository else f"{prefix}defender-assets ui"
    lines = [
        (start, "Dagster on this data, sensors on, at http://127.0.0.1:3000"),
        ("", f"a new column makes the check drift fail on {faulty}"),
        (f"{prefix}defender-assets audit", f"names a quarantined line of {faulty} that is readable by now;"),
        ("", "`replay` moves it into its table"),
    ]
    lines += [(f"{prefix}defender-assets {command}", what) for command, what in _NEXT]
    return "\n".join(
        ["What to do next", *(f"  {command}\n      {what}" if command else f"      {what}" for command, what in lines)]
    )


def _show(leads: "pl.DataFrame", stories: "pl.DataFrame") -> None:
    out = console()
    top = f"Leads: the first {min(LEADS_SHOWN, leads.height)} to look at, of {leads.height}"
    out.print(
        "", table(leads.head(LEADS_SHOWN).iter_rows(named=True), fitting(LEAD_CELLS, LEADS_FROM, NARROW_CELLS), top)
    )
    out.print(table(stories.iter_rows(named=True), fitting(STORY_CELLS, STORIES_FROM), f"Stories: {stories.height}"))


def _compared(campaigns: Sequence[Mapping[str, Any]], leads: "pl.DataFrame", stories: "pl.DataFrame") -> str:
    found = campaigns_found(campaigns, leads, stories)
    return (
        f"The simulator staged {len(found)} attacks across products; {sum(found)} were found whole, each as one story."
    )
