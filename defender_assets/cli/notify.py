"""`defender-assets notify`: one round of notices by hand, or a look at what it would send. The work: `core.notices`."""

import os
from typing import TYPE_CHECKING

import click

from defender_assets.cli.errors import CliError
from defender_assets.cli.options import output_format
from defender_assets.cli.output import as_json, say
from defender_assets.core.text import pluralize

if TYPE_CHECKING:
    from defender_assets.outputs.notifications.incidents import Incidents
    from defender_assets.settings import Settings


@click.command(short_help="Tell Teams or Slack what is new, or show what would be told.")
@click.option("--dry-run", is_flag=True, help="Show the messages; send nothing and write nothing down.")
@output_format(("text", "json"))
@click.pass_context
def notify(ctx: click.Context, *, dry_run: bool, output_format: str) -> None:
    """Do one round of the sensor `notify_sensor`: post new leads, new or grown stories and failures, once each.

    Failures of runs and checks are known where DAGSTER_HOME names an instance. Exit code 1: something could not be
    delivered; it is tried again in a later round.
    """
    from defender_assets.outputs.notifications.delivery import Notifier, lines
    from defender_assets.settings import load_settings

    settings = load_settings()
    if not settings.notifications.webhooks:
        raise CliError(
            "nobody is to be told: set DEFENDER_TEAMS_WEBHOOK or DEFENDER_SLACK_WEBHOOK (docs/notifications.md)"
        )
    notifier, incidents = Notifier(settings.lake(), settings.notifications), _health(settings)
    if dry_run:
        messages = list(notifier.preview(incidents))
        if output_format == "json":
            told = [
                {"destination": to, "notices": lines(notifications), "payload": sent}
                for to, notifications, sent in messages
            ]
            click.echo(as_json(told))
            return
        for destination, notifications, _ in messages:
            for line in lines(notifications):
                say(f"{destination}: {line}")
        say(f"{pluralize(len(messages), 'message')} would be sent.")
        return
    reports = notifier.round(incidents)
    if output_format == "json":
        done = [
            {"destination": of.destination, "messages": of.messages, "notices": lines(of.sent), "problem": of.problem}
            for of in reports
        ]
        click.echo(as_json(done))
    else:
        for report in reports:
            say(report.describe())
    ctx.exit(1 if any(report.problem for report in reports) else 0)


def _health(settings: "Settings") -> "Incidents":
    from datetime import UTC, datetime

    from defender_assets.outputs.notifications.incidents import Incidents

    if not os.environ.get("DAGSTER_HOME"):
        return Incidents()
    import dagster as dg

    from defender_assets.sensors.notifications import find_incidents

    with dg.DagsterInstance.get() as instance:
        return find_incidents(instance, datetime.now(UTC).date(), settings.lookback_days)
