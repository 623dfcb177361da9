"""`defender-assets check`: looks at export and lake, judges what it saw, and tells it."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from defender_assets.cli.errors import complain
from defender_assets.cli.options import output_format
from defender_assets.cli.output import as_json
from defender_assets.core.errors import SettingsError, redact

if TYPE_CHECKING:
    from defender_assets.cli.check.report import Report
    from defender_assets.settings import Settings


@click.command(short_help="Whether export and lake can be used, and what to mend.")
@output_format(("text", "json"))
@click.pass_context
def check(ctx: click.Context, *, output_format: str) -> None:
    """Say what the settings amount to, whether export and lake can be used, and what to mend.

    Exit code 0: all is well, or merely empty. 1: something needs attention. 2: a setting is wrong, or the export or
    the lake cannot be used. Nothing is changed but for a trial table in the lake, which is removed.
    """
    from defender_assets.cli.check.render import show
    from defender_assets.cli.check.report import STATUS, WRONG
    from defender_assets.settings import load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        if output_format == "json":
            click.echo(as_json({"status": STATUS[WRONG], "errors": [redact(str(error))]}))
        raise
    if output_format == "text" and sys.stderr.isatty():
        where = {settings.export().describe(): None, settings.lake().describe(): None}
        click.echo(
            f"Looking at {' and '.join(where)}; what does not answer is given up within half a minute …", err=True
        )
    report = look(settings, datetime.now(UTC))
    if output_format == "json":
        click.echo(as_json(report.as_dict()))
    else:
        show(report)
    for line in report.errors:
        complain(line, settings.secrets)
    ctx.exit(report.exit_code)


def look(settings: "Settings", now: datetime) -> "Report":
    """Return the report on the settings at a moment (UTC)."""
    from defender_assets.cli.check import diagnosis
    from defender_assets.cli.check.export_facts import look_at_export
    from defender_assets.cli.check.lake_facts import look_at_lake
    from defender_assets.cli.check.report import Report
    from defender_assets.cli.check.settings_shown import settings_shown

    export = settings.export()
    facts, listing = look_at_export(export, settings.start_date, now)
    lake = look_at_lake(settings, None if facts.error else export, listing, now.date())
    report = Report(list(settings_shown(settings)), facts, lake)
    diagnosis.judge_settings(report, settings, now.date())
    if not facts.error:
        diagnosis.judge_export(report, settings)
        diagnosis.judge_credentials(report, settings, now)
    if not facts.error and not lake.error:
        diagnosis.judge_lake(report)
    return report
