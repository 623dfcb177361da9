"""Diagnosis of the facts about settings, export and lake: notes worth knowing, and what to fix and how."""

import os
import stat
from collections import defaultdict
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from defender_assets.cli.check.export_facts import ContainerFacts
from defender_assets.cli.check.report import Report
from defender_assets.cli.demo.scenario import old_demo
from defender_assets.core.azure.account import LOOPBACK
from defender_assets.core.azure.sas import grant_of
from defender_assets.core.export.blobs import Kind
from defender_assets.core.schemas import ALERT_INFO, TABLES
from defender_assets.core.text import escape_control_chars, first_few, pluralize
from defender_assets.settings import DEMO_ORIGIN, ENVIRONMENT, EXPORT_DIR, SECRETS, Settings

HOUR, DAY = 3600, 86_400
CLOCK_NOTED = 60
"""Seconds. Azure refuses signatures from clocks that are 15 minutes off."""
SOON = timedelta(days=14)
GREY_DAYS_NOTED = 31
NAMED = 3
"""Unreadable parts of a container that are named."""
_NOT_READ = {
    Kind.LINK: "links are not followed; copy the files, or mount them, below the export's directory",
    Kind.COMPRESSED: "decompress what belongs to the export",
    Kind.RESOURCE: "the Streaming API writes to tenantId=… folders; is this another export?",
    Kind.OTHER: "blobs of the export are tenantId=…/y=…/m=…/d=…/h=…/m=…/PT1H.json; rename or remove the others",
}
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH
STREAMING_API = "Microsoft Defender portal → Settings → Microsoft Defender XDR → Streaming API"
# learn.microsoft.com/defender-xdr/streaming-api-storage
FIRST_DATA = (
    "After the export is switched on, the first data can take up to 24 hours. If none comes: register the resource "
    "provider Microsoft.Insights on the subscription and, where the storage account has a firewall, allow trusted "
    "Microsoft services in its networking"
)


def diagnose_settings(report: Report, settings: Settings, today: date) -> None:
    """Report the demo of an older version, expired rules, readable keys, and a start date in the future."""
    if old := old_demo(Path.cwd()):
        report.notes.append(old)
    over = [mute.name for mute in settings.scoring.mutes if mute.until and mute.until < today]
    if over:
        report.notes.append(f"{settings.muted} contains rules that have expired: {', '.join(over)}")
    _report_readable_secrets(report, settings)
    ended = [rule.path for rule in settings.left_out if rule.until and rule.until < today]
    if ended:
        report.notes.append(f"{settings.leave_out} contains rules that have expired: {', '.join(ended)}")
    if settings.start_date > today:
        report.attention.append(f"DEFENDER_START_DATE={settings.start_date} is in the future: nothing is read before")


def _report_readable_secrets(report: Report, settings: Settings) -> None:
    """Report the variables with secrets in a file that other users of the machine may read."""
    if os.name != "posix":
        return  # on Windows the permissions of the directory apply
    held: dict[str, list[str]] = defaultdict(list)
    for name in SECRETS:
        if settings.origins.get(name) not in {None, ENVIRONMENT, DEMO_ORIGIN}:
            held[settings.origins[name]].append(name)
    for file, names in held.items():
        with suppress(OSError):
            mode = stat.S_IMODE(Path(file).stat().st_mode)
            if mode & _OTHERS_READ:
                report.attention.append(
                    f"{file} holds {' and '.join(names)}, and other users of this machine may read it (mode "
                    f"{mode:o}): chmod 600 {file}"
                )


def diagnose_export(report: Report, settings: Settings) -> None:
    """Report what is missing, unread or old in the export."""
    containers = report.export.containers
    if not any(container.blobs for container in containers):
        _diagnose_empty(report, settings)
    if not report.export.exists:
        line = f"{settings.export_dir} does not exist"
        if EXPORT_DIR in settings.origins:
            report.attention.append(f"{line}: correct {EXPORT_DIR}, mount the directory, or copy the export into it")
        else:
            report.notes.append(f"{line}, which is the default of {EXPORT_DIR}")
    first_day = min(
        (container.first_day for container in containers if container.first_day), default=settings.start_date
    )
    before = (first_day - settings.start_date).days
    if before >= GREY_DAYS_NOTED:
        report.notes.append(
            f"the first blob is of {first_day}: the {before} days before it stay grey in Dagster's UI, "
            f"DEFENDER_START_DATE={first_day} hides them"
        )
    none_exists = not any(container.exists for container in containers)
    for container in containers:
        if not container.exists and not none_exists:
            state = "is missing" if container.exists is False else "is missing or empty"
            report.notes.append(
                f"container {container.container} {state}: nothing is written yet, or the table is not ticked in the "
                f"export ({STREAMING_API})"
            )
        _diagnose_container(report, container, settings)
        _diagnose_parts(report, container, settings)
    if settings.export_account is not None and not all(container.blobs for container in containers):
        report.notes.append(FIRST_DATA)


def _diagnose_empty(report: Report, settings: Settings) -> None:
    """Report why an export has no blob: its directory is another one, or nothing is written yet."""
    misplaced = _names_beside_containers(settings)
    if misplaced:
        report.attention.append(
            f"{settings.export_dir} has no folder of a container, such as {ALERT_INFO.container}, but "
            f"{', '.join(first_few(misplaced, NAMED))}: set {EXPORT_DIR} to the directory whose folders are the "
            f"containers, with their names in lower case"
        )
        return
    report.notes.append("the export is empty: nothing to read yet")
    if settings.export_account is None:
        report.notes.append(
            "`defender-assets demo` shows a simulated export, `defender-assets init` connects your own account"
        )
    if not any(container.exists for container in report.export.containers):
        report.notes.append(
            f"none of the export's containers exists: nothing is written yet, or the export is off or goes to another "
            f"account ({STREAMING_API})"
        )


def _names_beside_containers(settings: Settings) -> list[str]:
    """Return the names in the export's directory if none of them is a container's; none for an account."""
    if settings.export_account is not None:
        return []
    with suppress(OSError):
        names = sorted(file.name for file in settings.export_dir.iterdir() if not file.name.startswith("."))
        if not {table.container for table in TABLES} & {*names}:
            return [escape_control_chars(name) for name in names]
    return []


def diagnose_credentials(report: Report, settings: Settings, now: datetime) -> None:
    """Report a wrong clock, credentials that allow too much or expire soon."""
    ahead = report.export.clock_ahead_seconds or 0
    if abs(ahead) > CLOCK_NOTED:
        report.attention.append(
            f"this machine's clock is {abs(ahead)} seconds {'ahead of' if ahead > 0 else 'behind'} the account's: set "
            "it by NTP, or signatures will be refused and arrival times will be wrong"
        )
    account = settings.export_account
    if account is None or settings.lake_account == account:
        return  # a lake in the same account also needs write access
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
                f"the SAS ends on {grant.until:%Y-%m-%d at %H:%M} UTC: make a new one with read and list before then"
            )


def diagnose_lake(report: Report, settings: Settings) -> None:
    """Report a doubtful clock, tenants that only the lake holds, days that are behind, or judged by other rules."""
    if report.lake.clock_doubt:
        (report.attention if settings.retention_days else report.notes).append(report.lake.clock_doubt)
    unknown = set(report.lake.tenants) - set(report.export.tenants)
    if unknown and report.export.tenants:
        report.notes.append(
            f"the lake holds tenants that the export does not: {', '.join(sorted(unknown))}. If they belong to "
            "the demo or to another account, set DEFENDER_LAKE_URI to a separate lake"
        )
    if report.lake.behind:
        report.notes.append(
            f"{len(report.lake.behind)} of the last {pluralize(len(report.lake.looked_at), 'day')} are behind. "
            "Dagster's sensor requests their runs while it is on (`defender-assets ui`)"
        )
    if judged := report.lake.judged_by_others:
        days = ", ".join(first_few([str(day) for day in judged], NAMED))
        report.notes.append(
            f"the leads of {len(judged)} of the last {pluralize(len(report.lake.looked_at), 'day')} were judged by "
            f"other weights, mute rules or code ({days}): the job rebuild_day judges a day again by the current ones, "
            "`defender-assets what-if --stored` shows before what that changes"
        )


def diagnose_triage(report: Report) -> None:
    """Report whether this identity may write statements about leads, where that differs from the rest of the lake."""
    writable, may_triage = report.lake.error is None, report.lake.may_triage
    if may_triage and not writable:
        report.notes.append("this identity may write lead_verdicts: `defender-assets triage` needs no other permission")
    if may_triage is False and writable:
        report.notes.append("this identity may not write lead_verdicts: `defender-assets triage` is refused")


def diagnose_damage(report: Report) -> None:
    """Report what is damaged in the lake, unless that is why it cannot be used."""
    report.attention += [line for line in report.lake.damaged if line != report.lake.error]


def diagnose_silence(report: Report, settings: Settings) -> None:
    """Report tenants that are silent for longer than usual, and what the lake knows and the export does not show."""
    report.attention += report.lake.not_shown
    # a directory may be an old copy
    (report.notes if settings.export_account is None else report.attention).extend(report.lake.silent)


def _diagnose_parts(report: Report, container: ContainerFacts, settings: Settings) -> None:
    """Report what cannot be read, what the team leaves out, and what is not read because of its name."""
    more = f"{container.container}: {{}} more cannot be read"
    report.attention += first_few([part.reason for part in container.unreadable], NAMED, more)
    for rule in settings.left_out:
        if count := container.left_out.get(rule.path):
            until = f" until {rule.until}" if rule.until else ""
            what = f"{container.container}: {pluralize(count, 'blob')} left out{until} by path '{rule.path}'"
            report.notes.append(f"{what} of {settings.leave_out}: {rule.reason}")
    for kind, count in container.ignored.items():
        line = (
            f"{container.container}: {pluralize(count, 'file')} not read ({kind}), "
            f"such as '{container.ignored_sample[kind]}'"
        )
        # AzCopy, rsync and macOS leave such files; all others may be data
        if kind == Kind.HIDDEN:
            report.notes.append(line)
        else:
            report.attention.append(f"{line}: {_NOT_READ[Kind(kind)]}")


def _diagnose_container(report: Report, container: ContainerFacts, settings: Settings) -> None:
    if container.future_blobs:
        report.attention.append(
            f"{container.container} has {pluralize(container.future_blobs, 'blob')} of the future, such as "
            f"'{container.future_sample}', and blobs of a later day are not read before that day: is this machine's "
            "clock right (UTC), and is this a copy of a real export?"
        )
    if container.days_before_start:
        days = pluralize(container.days_before_start, "day")
        report.notes.append(
            f"{container.container} has {days} before {settings.start_date} that are not read: "
            f"DEFENDER_START_DATE={container.first_day} includes them"
        )
    if container.sample and container.sample.quarantined:
        planted = ". The demo plants such lines, to show them: nothing is wrong with it" if settings.reads_demo else ""
        report.attention.append(
            f"{container.sample.quarantined} of the last lines of {container.container}/{container.newest_blob} cannot "
            f"be read ({', '.join(container.sample.reasons)}): `defender-assets quarantine` shows such lines "
            f"after a run has read them{planted}"
        )
    if container.table == "mdatp_device_info" and (container.age_seconds or 0) > DAY:
        # a directory may be an old copy
        (report.notes if settings.export_account is None else report.attention).append(
            f"the newest device record is {(container.age_seconds or 0) // HOUR} hours old, though devices report at "
            f"least daily: is the export still on ({STREAMING_API})?"
        )
