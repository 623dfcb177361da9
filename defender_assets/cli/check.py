"""`defender-assets check`: what the settings amount to, and what follows from the facts about export and lake.

The facts are gathered in `export_facts` and `lake_facts`, and laid out for people in `check_report`.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from defender_assets.cli.complaints import complain
from defender_assets.cli.options import output_format
from defender_assets.cli.output import as_json
from defender_assets.core.counting import counted
from defender_assets.core.failures import SettingsError, scrub

if TYPE_CHECKING:
    from defender_assets.cli.export_facts import ContainerFacts, ExportFacts
    from defender_assets.cli.lake_facts import LakeFacts
    from defender_assets.settings import Settings

WELL, ATTENTION, WRONG = 0, 1, 2
STATUS = {WELL: "well", ATTENTION: "attention", WRONG: "wrong"}
HOUR, DAY = 3600, 86_400
CLOCK_NOTED = 60
"""Seconds; the service refuses signatures of clocks that are a quarter of an hour off."""
SOON = timedelta(days=14)
STREAMING_API = "Microsoft Defender portal → Settings → Microsoft Defender XDR → Streaming API"


@dataclass(frozen=True)
class Setting:
    """One setting as it counts, without a secret, and where it came from."""

    name: str
    value: str
    origin: str


@dataclass
class Report:
    """All that `check` says. `notes` are worth knowing; `attention` must be mended; `errors` stop the work."""

    settings: list[Setting]
    export: "ExportFacts"
    lake: "LakeFacts"
    notes: list[str] = field(default_factory=list)
    attention: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[str]:
        """Return why export or lake cannot be used."""
        return list(dict.fromkeys(error for error in (self.export.error, self.lake.error) if error))

    @property
    def exit_code(self) -> int:
        """Return 2 when export or lake cannot be used, 1 when something needs attention, else 0."""
        return WRONG if self.errors else ATTENTION if self.attention else WELL

    def as_dict(self) -> dict[str, Any]:
        """Return what `--format json` prints."""
        export, lake = asdict(self.export), asdict(self.lake)
        lake["behind"] = [
            {
                "day": behind.day,
                "missing_bytes": behind.missing_bytes,
                "blobs": len(behind.missing),
                "stale": [asdict(stale) for stale in behind.stale],
            }
            for behind in self.lake.behind
        ]
        return {
            "status": STATUS[self.exit_code],
            "settings": [asdict(setting) for setting in self.settings],
            "export": {"reachable": self.export.error is None, **export, "tenants": self.export.tenants},
            "lake": {"writable": self.lake.error is None, **lake},
            "errors": self.errors,
            "attention": self.attention,
            "notes": self.notes,
        }


@click.command(short_help="Whether export and lake can be used, and what to mend.")
@output_format(("text", "json"))
@click.pass_context
def check(ctx: click.Context, *, output_format: str) -> None:
    """Say what the settings amount to, whether export and lake can be used, and what to mend.

    Exit code 0: all is well, or merely empty. 1: something needs attention. 2: a setting is wrong, or the export or
    the lake cannot be used. Nothing is changed but for a trial table in the lake, which is removed.
    """
    from defender_assets.cli.check_report import show
    from defender_assets.settings import load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        if output_format == "json":
            click.echo(as_json({"status": STATUS[WRONG], "errors": [scrub(str(error))]}))
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


def look(settings: "Settings", now: datetime) -> Report:
    """Return the report on the settings at a moment (UTC)."""
    from defender_assets.cli.export_facts import look_at_export
    from defender_assets.cli.lake_facts import look_at_lake

    export = settings.export()
    facts, listing = look_at_export(export, settings.start_date, now)
    lake = look_at_lake(settings, None if facts.error else export, listing, now.date())
    report = Report(list(_settings(settings)), facts, lake)
    _judge_mutes(report, settings, now.date())
    if settings.start_date > now.date():
        report.attention.append(f"DEFENDER_START_DATE={settings.start_date} is still to come: nothing is read before")
    if not facts.error:
        _judge_export(report, settings)
        _judge_credentials(report, settings, now)
    if not facts.error and not lake.error:
        _judge_lake(report)
    return report


def _settings(settings: "Settings") -> Iterator[Setting]:
    from defender_assets import settings as names

    values = {
        names.LAKE_URI: settings.lake_uri,
        names.START_DATE: settings.start_date.isoformat(),
        names.LOOKBACK_DAYS: str(settings.lookback_days),
        names.RETENTION_DAYS: str(settings.retention_days or "every day is kept"),
        names.RISK_WEIGHTS: str(settings.risk_weights or "as they come"),
        names.MUTED: _muted(settings),
        **_told(settings),
    }
    if settings.lake_account and names.LAKE_CONNECTION_STRING in settings.origins:
        values[names.LAKE_CONNECTION_STRING] = f"{settings.lake_account.endpoint} ({settings.lake_account.way_in})"
    chosen = next((name for name in names.EXPORT_CHOICES if name in settings.origins), names.EXPORT_DIR)
    account = settings.export_account
    export = f"{account.endpoint} ({account.way_in})" if account else str(settings.export_dir)
    for name, value in {chosen: export, **values}.items():
        yield Setting(name, value, settings.origins.get(name, "default"))


def _muted(settings: "Settings") -> str:
    rules = counted(len(settings.judgement.mutes), "rule")
    return f"{settings.muted} ({rules})" if settings.muted else "no lead is muted"


def _told(settings: "Settings") -> dict[str, str]:
    """Return who is told of what is new; of an address nothing but that it is set."""
    from defender_assets import settings as names

    who = settings.notifying
    return {
        **{
            name: "set" if name in settings.origins else "nobody is told"
            for name in (names.TEAMS_WEBHOOK, names.SLACK_WEBHOOK)
        },
        names.NOTIFY_RISK: str(who.risk),
        names.UI_URL: who.ui_url or "messages do not link to it",
    }


def _judge_mutes(report: Report, settings: "Settings", today: date) -> None:
    over = [mute.name for mute in settings.judgement.mutes if mute.until and mute.until < today]
    if over:
        report.notes.append(f"{settings.muted} holds rules that are over: {', '.join(over)}")


def _judge_export(report: Report, settings: "Settings") -> None:
    containers = report.export.containers
    if not any(container.blobs for container in containers):
        report.notes.append("the export is empty: nothing to read yet")
        if settings.export_account is None:
            missing = "" if settings.export_dir.is_dir() else f"{settings.export_dir} does not exist; "
            report.notes.append(f"{missing}`make demo` fills and shows a simulated one, `.env` names a real account")
    lacking = [container for container in containers if container.exists is not True]
    if len(lacking) == len(containers):
        report.notes.append(
            f"none of the export's containers is there: nothing written yet, or the export is another account's or off "
            f"({STREAMING_API})"
        )
        lacking = []
    for container in containers:
        if container in lacking:
            state = "is missing" if container.exists is False else "is missing or empty"
            report.notes.append(
                f"container {container.container} {state}: nothing written yet, or the table is not ticked in the "
                f"export ({STREAMING_API})"
            )
        _judge_container(report, container, settings)


def _judge_credentials(report: Report, settings: "Settings", now: datetime) -> None:
    from defender_assets.core.azure import LOOPBACK
    from defender_assets.core.sas import grant_of

    ahead = report.export.clock_ahead_seconds or 0
    if abs(ahead) > CLOCK_NOTED:
        report.attention.append(
            f"this machine's clock is {abs(ahead)} seconds {'ahead of' if ahead > 0 else 'behind'} the account's: set "
            "it by NTP, or signatures will be refused and arrival look wrong"
        )
    account = settings.export_account
    if account is None or settings.lake_account == account:
        return  # a lake in the same account has to be written
    if account.key and urlsplit(account.endpoint).hostname not in LOOPBACK:
        report.notes.append(
            "the account key allows everything, deleting the export included: a SAS with rl, or the role 'Storage Blob "
            "Data Reader', is enough"
        )
    if account.sas:
        grant = grant_of(account.sas)
        if grant.beyond():
            report.notes.append(f"the SAS allows more than is needed ({', '.join(grant.beyond())}): rl is enough")
        if grant.until and grant.until - now < SOON:
            report.attention.append(
                f"the SAS ends on {grant.until:%Y-%m-%d at %H:%M} UTC: make a new one with read and list before"
            )


def _judge_container(report: Report, container: "ContainerFacts", settings: "Settings") -> None:
    if container.days_before_start:
        days = counted(container.days_before_start, "day")
        report.notes.append(
            f"{container.container} holds {days} before {settings.start_date} that are not read: "
            f"DEFENDER_START_DATE={container.first_day} takes them in"
        )
    if container.sample and container.sample.quarantined:
        report.attention.append(
            f"{container.sample.quarantined} of the last lines of {container.container}/{container.newest_blob} cannot "
            f"be read ({', '.join(container.sample.reasons)}): `defender-assets quarantine` shows such lines"
        )
    if container.table == "mdatp_device_info" and (container.age_seconds or 0) > DAY:
        # a directory may be a copy of long ago
        (report.notes if settings.export_account is None else report.attention).append(
            f"the newest device record is {(container.age_seconds or 0) // HOUR} hours old, though devices report at "
            f"least daily: is the export still on ({STREAMING_API})?"
        )


def _judge_lake(report: Report) -> None:
    unknown = set(report.lake.tenants) - set(report.export.tenants)
    if unknown and report.export.tenants:
        report.notes.append(
            f"the lake holds tenants that the export does not: {', '.join(sorted(unknown))}. If they are the demo's or "
            "another account's, name a lake of its own in DEFENDER_LAKE_URI"
        )
    if report.lake.behind:
        report.notes.append(
            f"{len(report.lake.behind)} of the last {len(report.lake.looked_at)} days are behind: Dagster's sensor "
            "asks for their runs while it is on (`make ui`)"
        )
