"""`defender-assets demo`: a simulated tenant's export through Dagster to leads and stories, compared with the truth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.leads import CELLS as LEAD_CELLS
from defender_assets.cli.leads import FROM_WIDTH as LEADS_FROM
from defender_assets.cli.output import cell_text, console, fitting, say, table
from defender_assets.cli.stories import CELLS as STORY_CELLS
from defender_assets.cli.stories import FROM_WIDTH as STORIES_FROM

if TYPE_CHECKING:
    import polars as pl

    from defender_assets.cli.demo.place import Place
    from defender_assets.cli.demo.run import DayRun

LEADS_SHOWN = 10

_HEADING = "\n  day          new bytes  new rows  duplicates  quarantined  leads  stories      time"


@click.command(short_help="Two simulated tenants, from export to stories.")
@click.option("--first-day", is_flag=True, hidden=True, help="Only print the first partition that shows the demo.")
def demo(*, first_day: bool) -> None:
    """Simulate two small tenants, materialize their days through Dagster, and show what comes of it.

    Everything lies under .defender/ of the working directory. A second run finds nothing new to read.
    """
    from defender_assets.cli.demo.place import Place
    from defender_assets.cli.demo.run import materialize_days
    from defender_assets.core.pipeline.staleness import list_all
    from defender_assets.outputs.queries import views

    place = Place.of(Path.cwd())
    if first_day:
        click.echo(place.first_day() or "")
        return
    out = console()
    scenario, truth = place.simulated()
    say(
        f"Simulated export: {scenario.tenants} tenants of {scenario.devices} devices, {scenario.days} days from "
        f"{scenario.start}, in {_short(place.settings.export_dir)}"
    )
    days = sorted(list_all(place.settings.export()))
    settings = replace(place.settings, start_date=min(place.settings.start_date, days[0]))
    runs = []
    say(_HEADING)
    with place.instance() as instance:
        told = materialize_days(settings, days, instance)
        for day in days:
            with out.status(f"Dagster materializes {day}"):
                run = next(told)
            say(_line(run))
            runs.append(run)
    lake = place.settings.lake()
    leads = views.collected(lake, views.current_leads(lake))
    stories = views.collected(lake, views.current_stories(lake))
    _show(leads, stories)
    say(_compared(truth["campaigns"], leads, stories))
    say(f"{sum(run.new_bytes for run in runs):,} new bytes were read this time.\n")
    say(_next(place))
    failed = [run for run in runs if run.problems]
    if failed:
        for run in failed:
            click.echo(f"error: {run.day} failed: {cell_text('; '.join(run.problems))}", err=True)
        raise click.exceptions.Exit(1)


def campaigns_found(
    campaigns: Iterable[Mapping[str, Any]], leads: "pl.DataFrame", stories: "pl.DataFrame"
) -> list[bool]:
    """Return, for each campaign of two or more alerts, whether one story holds all of them."""
    lead_ids = {(row[0], row[1]): row[2] for row in leads.select("tenant_id", "alert_id", "lead_id").iter_rows()}
    told = [(tenant, set(of)) for tenant, of in stories.select("tenant_id", "lead_ids").iter_rows()]
    found = []
    for campaign in campaigns:
        wanted = {lead_ids.get((campaign["tenant_id"], alert_id)) for alert_id in campaign["alert_ids"]}
        if len(campaign["alert_ids"]) > 1:
            found.append(any(tenant == campaign["tenant_id"] and wanted <= of for tenant, of in told))
    return found


def _line(run: "DayRun") -> str:
    mark = "✗" if run.problems else "✓"
    return (
        f"{mark} {run.day} {run.new_bytes:>11,} {run.rows:>9,} {run.duplicates:>11,} {run.quarantined:>12,} "
        f"{run.leads:>6,} {run.stories:>8,} {run.seconds:>7.1f} s"
    )


def _show(leads: "pl.DataFrame", stories: "pl.DataFrame") -> None:
    out = console()
    top = f"Leads: the {min(LEADS_SHOWN, leads.height)} of highest risk, of {leads.height}"
    out.print("", table(leads.head(LEADS_SHOWN).iter_rows(named=True), fitting(LEAD_CELLS, LEADS_FROM), top))
    out.print(table(stories.iter_rows(named=True), fitting(STORY_CELLS, STORIES_FROM), f"Stories: {stories.height}"))


def _compared(campaigns: Sequence[Mapping[str, Any]], leads: "pl.DataFrame", stories: "pl.DataFrame") -> str:
    found = campaigns_found(campaigns, leads, stories)
    return (
        f"The simulator staged {len(found)} attacks across products; {sum(found)} were found whole, each as one story."
    )


def _next(place: "Place") -> str:
    if place.apart:
        return (
            f"{place.apart}\nThis demo lies in {_short(place.root)}: neither Dagster's UI nor "
            "`defender-assets leads` shows it."
        )
    return (
        "What to do next\n"
        "  make ui                                 Dagster on this data, sensors on, at http://127.0.0.1:3000\n"
        "  .venv/bin/defender-assets leads         all leads; also stories, quarantine; --format json or csv\n"
        "  .venv/bin/defender-assets lead ID       everything about one, down to the bytes; also story ID\n"
        "  .venv/bin/defender-assets brief --out brief.html\n"
        "                                          the newest day as a page to read in a browser\n"
        "  .venv/bin/defender-assets check         what the settings amount to\n"
        "  .venv/bin/defender-assets init          asks for a real account, and removes the demo if you like"
    )


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
