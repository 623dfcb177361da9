"""Silence of the export: tenants whose pulse stopped, and containers and folders that it no longer shows."""

from datetime import UTC, date, datetime, time, timedelta

from defender_assets.core.errors import ExportError
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.pulse import silent_from
from defender_assets.core.quality.shown_parts import ADVICE, FOLDER, Shown, missing_parts
from defender_assets.core.quality.signs import REMEMBERED, KnownSigns, TenantSigns
from defender_assets.core.text import escape_control_chars, format_duration, pluralize

EXPORT = "export"
"""The subject of a result about the whole export. Others are `tenant …`, `container …` and `folder of tenant …`."""


def tenant_silences(known: KnownSigns, at: datetime) -> dict[str, CheckOutcome]:
    """Return for each tenant whether it was silent at a moment for longer than its pulse allows.

    Tenants that have left are not in the result.
    """
    then = {tenant: earlier for tenant, signs in known.items() if (earlier := signs.before(at))}
    alive = any(at - signs.newest < REMEMBERED for signs in then.values())
    return {
        tenant: _judged(tenant, signs, at)
        for tenant, signs in sorted(then.items())
        if not alive or at - signs.newest < REMEMBERED
    }


def _judged(tenant: str, signs: TenantSigns, at: datetime) -> CheckOutcome:
    pulse = signs.pulse
    due = silent_from(pulse.hours, pulse.newest, heartbeats=signs.has_heartbeats)
    what = "heartbeat" if signs.has_heartbeats else "record"
    silent = format_duration((at - pulse.newest).total_seconds())
    facts = {"newest": pulse.newest.isoformat(), "silent_from": due.isoformat()}
    if at < due:
        return CheckOutcome(passed=True, summary=f"{tenant}: the last {what} arrived {silent} before.", facts=facts)
    usual = format_duration((due - pulse.newest).total_seconds())
    summary = f"{tenant} sent no {what} for {silent}; after {usual} its silence is a fault. {ADVICE}"
    return CheckOutcome(passed=False, summary=summary, facts=facts)


def quiet_or_broken(known: KnownSigns, day: date) -> CheckOutcome:
    """Return whether no tenant was silent for too long at the end of a day that is over."""
    end = datetime.combine(day + timedelta(days=1), time.min, UTC)
    outcomes = tenant_silences(known, end)
    silent = {tenant: outcome for tenant, outcome in outcomes.items() if not outcome.passed}
    facts = {
        "tenants": len(outcomes),
        "silent_minutes": {
            tenant: _minutes(end - datetime.fromisoformat(outcome.facts["newest"]))
            for tenant, outcome in silent.items()
        },
    }
    summary = f"Heartbeats are current for {pluralize(len(outcomes), 'tenant')}."
    if silent:
        summary = (
            f"{pluralize(len(silent), 'tenant')} sent nothing at the end of the day for longer than usual: the export "
            f"was broken, not quiet. {ADVICE}"
        )
    return CheckOutcome(not silent, summary, facts, silence=True)


def silences(known: KnownSigns, shown: Shown, now: datetime) -> dict[str, CheckOutcome]:
    """Return by subject whether each tenant is silent for too long now, and whether each known part is shown.

    Where the containers of a tenant's pulse are gone, they are the fault: nothing is said of the tenant.
    """
    parts = missing_parts(known, shown, now)

    def is_shown(container: str) -> bool:
        part = parts.get(f"container {container}")
        return part is None or part.passed

    return {
        EXPORT: CheckOutcome(passed=True, summary="The export can be listed."),
        **{
            f"tenant {tenant}": outcome
            for tenant, outcome in tenant_silences(known, now).items()
            if any(map(is_shown, known[tenant].pulse_containers))
        },
        **parts,
    }


def outage_of(subject: str) -> str:
    """Return what a subject of a silence is a part of: a tenant, a container or the export. It has one notice.

    >>> outage_of("folder of tenant t in insights-logs-advancedhunting-alertinfo")
    'tenant t'
    >>> outage_of("container insights-logs-advancedhunting-alertinfo")
    'container insights-logs-advancedhunting-alertinfo'
    """
    if subject.startswith(FOLDER):
        return subject.removeprefix(FOLDER).partition(" in ")[0]
    return subject


def unlistable(error: ExportError) -> CheckOutcome:
    """Return the outcome for an export that cannot be listed; the text of the error holds no secret."""
    return CheckOutcome(passed=False, summary=f"The export cannot be listed: {escape_control_chars(str(error))}")


def _minutes(delay: timedelta) -> int:
    return round(delay.total_seconds() / 60)
