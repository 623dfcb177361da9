"""`defender-assets entity VALUE`: what is known of a device, user, hash, address, host or mail."""

from datetime import UTC, datetime, timedelta

import click

from defender_assets.cli.details import show_facts, show_structs
from defender_assets.cli.errors import NOTHING_FOUND
from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.leads import CELLS, FROM_WIDTH
from defender_assets.cli.options import output_format
from defender_assets.cli.output import TABLE_ROWS, as_json, console, fitting, say, table
from defender_assets.cli.stories import CELLS as STORY_CELLS
from defender_assets.cli.stories import FROM_WIDTH as STORIES_FROM
from defender_assets.core.enums import VERDICTS
from defender_assets.core.text import escape_control_chars, pluralize

DAYS = 30


@click.command()
@click.argument("value")
@click.option(
    "--days",
    type=click.IntRange(min=1, max=36_500),
    default=DAYS,
    show_default=True,
    help="Past days of device states. Leads and stories are those of all days.",
)
@output_format(("text", "json"))
def entity(*, value: str, days: int, output_format: str) -> None:
    r"""Show when an entity was first and last seen, its leads and stories, verdicts, and the states of a device.

    VALUE is an id, a name (of a device also without its domain), a UPN, domain\name, a hash, an address, a URL, a host
    or the id of a mail. Upper and lower case are the same. Muted and closed leads are shown too.
    """
    from defender_assets.core.triage.states import with_states, with_story_states
    from defender_assets.outputs.queries import entities, views

    reader = LakeReader.from_settings()
    states = views.lead_states(reader.lake)
    keys = views.collected(reader.lake, entities.lead_keys(reader.lake, value))
    current = entities.current_leads_of(reader.lake, keys)
    leads = views.collected(reader.lake, with_states(current, states))
    named = keys.lazy().select("tenant_id", lead_ids="lead_id")
    members = (
        views.current_stories(reader.lake).explode("lead_ids").join(named, on=["tenant_id", "lead_ids"], how="semi")
    )
    of_them = views.current_stories(reader.lake).join(
        members, on=["tenant_id", "story_id"], how="semi", maintain_order="left"
    )
    stories = views.collected(reader.lake, with_story_states(of_them, states))
    since = datetime.now(UTC).date() - timedelta(days=days)
    device = views.collected(reader.lake, entities.device_states(reader.lake, value, since)).to_dicts()
    times = [*leads["alert_time"].drop_nulls(), *(state["Timestamp"] for state in device)]
    verdicts = {verdict: (leads["analyst_verdict"] == verdict).sum() for verdict in VERDICTS}
    seen = {"first_seen": min(times, default=None), "last_seen": max(times, default=None)}
    if output_format == "json":
        found = {"leads": leads.to_dicts(), "stories": stories.to_dicts(), "device_states": device}
        click.echo(as_json({"value": value, **seen, "verdicts": verdicts, **found}))
        return
    shown = escape_control_chars(value)
    say(shown, "bold")
    if not times:
        say(f"No lead names '{shown}', and no device of the last {pluralize(days, 'day')} has this id or name.")
        raise click.exceptions.Exit(NOTHING_FOUND)
    said = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in verdicts.items() if count)
    show_facts({**seen, "leads": leads.height, "stories": stories.height, "verdicts": said or "none"})
    if leads.height:
        console().print(table(leads.head(TABLE_ROWS).iter_rows(named=True), fitting(CELLS, FROM_WIDTH), "Leads"))
    if leads.height > TABLE_ROWS:
        say(f"{TABLE_ROWS} of {leads.height:,} leads: --format json has all.")
    if stories.height:
        console().print(table(stories.iter_rows(named=True), fitting(STORY_CELLS, STORIES_FROM), "Stories"))
    show_structs(f"device states of the last {pluralize(days, 'day')}", device)
