"""`defender-assets notify`: run the notification sensor once by hand, or show what it would send."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from defender_assets.cli.errors import CliError
from defender_assets.cli.lake_reader import announced_settings
from defender_assets.cli.options import output_format
from defender_assets.cli.output import as_json, say
from defender_assets.core.text import escape_control_chars, pluralize

if TYPE_CHECKING:
    from defender_assets.outputs.notifications.incidents import Incidents
    from defender_assets.settings import Settings


@click.command()
@click.option("--dry-run", is_flag=True, help="Show the messages, also without a webhook; send and record nothing.")
@output_format(("text", "json"))
@click.pass_context
def notify(ctx: click.Context, *, dry_run: bool, output_format: str) -> None:
    """Do one round of the sensor `notify_sensor`: post new leads, new or grown stories and failures, once each.

    Failed runs and checks are found only if DAGSTER_HOME names an instance. Exit code 1: something could not be
    delivered; a later round tries again.
    """
    from defender_assets.outputs.notifications.delivery import Notifier
    from defender_assets.outputs.notifications.formatting import headline
    from defender_assets.outputs.notifications.webhooks import SLACK, TEAMS, Webhook

    settings = announced_settings()
    config = settings.notifications
    if not config.webhooks:
        if not dry_run:
            raise CliError(
                "no webhook is set: set DEFENDER_TEAMS_WEBHOOK or DEFENDER_SLACK_WEBHOOK (docs/notifications.md)"
            )
        config = replace(config, webhooks=(Webhook(TEAMS, ""), Webhook(SLACK, "")))
        say("No webhook is set: this is what Teams and Slack would get.", stderr=True)
    notifier, incidents = Notifier(settings.lake(), config), _incidents(settings)
    if dry_run:
        messages = [
            {"destination": destination, "notices": [headline(each) for each in notifications], "payload": payload}
            for destination, notifications, payload in notifier.preview(incidents)
        ]
        if output_format == "json":
            click.echo(as_json(messages))
            return
        for message in messages:
            notices = message["notices"]
            if len(notices) > 1:
                say(f"{message['destination']}: a digest of {len(notices)} notifications")
            for line in notices:
                say(f"{message['destination']}: {escape_control_chars(line)}")
        say(f"{pluralize(len(messages), 'message')} would be sent.")
        return
    reports = notifier.deliver(incidents)
    if output_format == "json":
        results = [
            {
                "destination": report.destination,
                "messages": report.messages,
                "notices": [headline(each) for each in report.sent],
                "problem": report.problem,
            }
            for report in reports
        ]
        click.echo(as_json(results))
    else:
        for report in reports:
            say(report.describe())
    ctx.exit(1 if any(report.problem for report in reports) else 0)


def _incidents(settings: "Settings") -> "Incidents":
    from defender_assets.outputs.notifications.incidents import Incidents

    if not os.environ.get("DAGSTER_HOME"):
        return Incidents()
    import dagster as dg

    from defender_assets.sensors.notifications import find_incidents

    with dg.DagsterInstance.get() as instance:
        return find_incidents(instance, datetime.now(UTC), settings.lookback_days)
