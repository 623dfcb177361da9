"""`defender-assets check`: inspect export and lake, diagnose, and report."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from defender_assets.cli.errors import print_error
from defender_assets.cli.lake_reader import announced_settings
from defender_assets.cli.options import output_format
from defender_assets.cli.output import as_json, say
from defender_assets.core.errors import SettingsError, redact

if TYPE_CHECKING:
    from defender_assets.cli.check.report import Report
    from defender_assets.settings import Settings


@click.command()
@output_format(("text", "json"))
@click.option(
    "--clock-is-right",
    is_flag=True,
    help="Confirm this machine's clock for a lake on disk, so that maintenance deletes by age again.",
)
@click.pass_context
def check(ctx: click.Context, *, output_format: str, clock_is_right: bool) -> None:
    """Show the settings in effect, whether export and lake can be used, and what to fix.

    Of the lake, the size of every file is compared with the log, and up to five files of each table are read: damaged
    ones are named with the remedy.

    Exit code 0: nothing to fix, though there may be no data yet. 1: something needs attention. 2: a setting is wrong,
    or export or lake cannot be used. Nothing is changed except a trial table in the lake, which is removed again, and
    what `--clock-is-right` confirms.
    """
    from defender_assets.cli.check.render import show
    from defender_assets.cli.check.report import STATUS, WRONG
    from defender_assets.core.lake.clock import confirm_clock

    try:
        settings = announced_settings()
    except SettingsError as error:
        if output_format == "json":
            click.echo(as_json({"status": STATUS[WRONG], "errors": [redact(str(error))]}))
        raise
    if output_format == "text" and sys.stderr.isatty():
        targets = dict.fromkeys([settings.export().describe(), settings.lake().describe()])
        say(f"Checking {' and '.join(targets)}; this takes at most half a minute if one does not answer …", stderr=True)
    now = datetime.now(UTC)
    if clock_is_right:
        confirm_clock(settings.lake(), now)
    report = build_report(settings, now)
    if output_format == "json":
        click.echo(as_json(report.as_dict()))
    else:
        show(report)
    for line in report.errors:
        print_error(line, settings.secrets)
    ctx.exit(report.exit_code)


def build_report(settings: "Settings", now: datetime) -> "Report":
    """Return the report at a moment (UTC)."""
    from defender_assets.cli.check import diagnosis
    from defender_assets.cli.check.export_facts import inspect_export
    from defender_assets.cli.check.lake_facts import inspect_lake
    from defender_assets.cli.check.report import Report
    from defender_assets.cli.check.settings_shown import settings_shown

    export = settings.whole_export()
    facts, listing = inspect_export(export, settings.left_out, settings.start_date, now)
    lake = inspect_lake(settings, None if facts.error else export, listing, facts.shown, now)
    report = Report(list(settings_shown(settings)), facts, lake)
    diagnosis.diagnose_settings(report, settings, now.date())
    if not facts.error:
        diagnosis.diagnose_export(report, settings)
        diagnosis.diagnose_credentials(report, settings, now)
    diagnosis.diagnose_damage(report)
    diagnosis.diagnose_triage(report)
    if not facts.error and lake.readable:
        diagnosis.diagnose_lake(report, settings)
        diagnosis.diagnose_silence(report, settings)
    return report
