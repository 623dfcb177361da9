"""What follows from the facts about export and lake: notes worth knowing, and what must be mended and how."""

from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

from defender_assets.cli.check.export_facts import ContainerFacts
from defender_assets.cli.check.report import Report
from defender_assets.core.azure.account import LOOPBACK
from defender_assets.core.azure.sas import grant_of
from defender_assets.core.text import pluralize
from defender_assets.settings import Settings

HOUR, DAY = 3600, 86_400
CLOCK_NOTED = 60
"""Seconds; the service refuses signatures of clocks that are a quarter of an hour off."""
SOON = timedelta(days=14)
GREY_DAYS_NOTED = 31
STREAMING_API = "Microsoft Defender portal → Settings → Microsoft Defender XDR → Streaming API"


def judge_settings(report: Report, settings: Settings, today: date) -> None:
    """Name the mute rules that are over, and a start that is still to come."""
    over = [mute.name for mute in settings.scoring.mutes if mute.until and mute.until < today]
    if over:
        report.notes.append(f"{settings.muted} holds rules that are over: {', '.join(over)}")
    if settings.start_date > today:
        report.attention.append(f"DEFENDER_START_DATE={settings.start_date} is still to come: nothing is read before")


def judge_export(report: Report, settings: Settings) -> None:
    """Say what is missing, unread or old in the export, and what to do about it."""
    containers = report.export.containers
    if not any(container.blobs for container in containers):
        report.notes.append("the export is empty: nothing to read yet")
        if settings.export_account is None:
            missing = "" if settings.export_dir.is_dir() else f"{settings.export_dir} does not exist; "
            report.notes.append(f"{missing}`make demo` fills and shows a simulated one, `.env` names a real account")
    begun = min((container.first_day for container in containers if container.first_day), default=settings.start_date)
    before = (begun - settings.start_date).days
    if before >= GREY_DAYS_NOTED:
        report.notes.append(
            f"the first blob is of {begun}: the {before} days before it stay grey in Dagster's UI, "
            f"DEFENDER_START_DATE={begun} hides them"
        )
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


def judge_credentials(report: Report, settings: Settings, now: datetime) -> None:
    """Say what is wrong with the clock, and whether the credentials allow too much or end soon."""
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


def _judge_container(report: Report, container: ContainerFacts, settings: Settings) -> None:
    if container.days_before_start:
        days = pluralize(container.days_before_start, "day")
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


def judge_lake(report: Report) -> None:
    """Say which days are behind, and whose tenants the lake holds."""
    unknown = set(report.lake.tenants) - set(report.export.tenants)
    if unknown and report.export.tenants:
        report.notes.append(
            f"the lake holds tenants that the export does not: {', '.join(sorted(unknown))}. If they are the demo's or "
            "another account's, name a lake of its own in DEFENDER_LAKE_URI"
        )
    if report.lake.behind:
        report.notes.append(
            f"{len(report.lake.behind)} of the last {pluralize(len(report.lake.looked_at), 'day')} are behind. "
            "Dagster's sensor requests their runs while it is on (`make ui`)"
        )
