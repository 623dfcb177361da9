"""Quiet or broken: no alerts is fine, no heartbeats is not. DeviceInfo is the pulse of each tenant."""

from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets.core.text import pluralize

LOOKBACK_DAYS = 7
QUIET_HOURS = 3
QUIET_AFTER = timedelta(hours=QUIET_HOURS)


def newest_by_tenant(lake: Lake, table: Table, first: date, last: date) -> dict[str, datetime]:
    """Return, for each tenant with records on the days, when Microsoft wrote the newest of them."""
    newest = (
        scan_days(lake.open(table.name), first, last)
        .group_by("tenant_id")
        .agg(pl.col("exported_at").max())
        .drop_nulls()
        .sort("tenant_id")
        .collect()
    )
    return dict(newest.iter_rows())


def quiet_or_broken(lake: Lake, day: date, now: datetime) -> CheckOutcome:
    """Return whether every tenant that was heard of within a week has sent heartbeats up to the day's end, or now.

    A tenant is heard of when any of the three tables holds a record of it.
    """
    first = day - timedelta(days=LOOKBACK_DAYS)
    until = min(now, datetime.combine(day + timedelta(days=1), time.min, UTC))
    beats = newest_by_tenant(lake, DEVICE_INFO, first, day)
    alerts = {tenant for table in (ALERT_INFO, ALERT_EVIDENCE) for tenant in newest_by_tenant(lake, table, first, day)}
    silent = {
        tenant: round((until - beats[tenant]).total_seconds() / 60) if tenant in beats else None
        for tenant in sorted(alerts | set(beats))
        if tenant not in beats or until - beats[tenant] > QUIET_AFTER
    }
    facts = {
        "tenants": len(alerts | set(beats)),
        "newest_heartbeat": {tenant: moment.isoformat() for tenant, moment in beats.items()},
        "silent_minutes": silent,
    }
    if not silent:
        return CheckOutcome(
            passed=True, summary=f"{pluralize(len(beats), 'tenant')} sent heartbeats to the end.", facts=facts
        )
    return CheckOutcome(
        passed=False,
        summary=f"{pluralize(len(silent), 'tenant')} sent no heartbeat for over {QUIET_HOURS} hours: the export is "
        "broken rather than quiet. Look at the Streaming API in the Defender portal and at the account's newest blobs "
        "(`defender-assets check`).",
        facts=facts,
    )


def freshness(lake: Lake, table: Table, day: date, now: datetime) -> CheckOutcome:
    """Return how far behind the day's end, or now, the newest record of each tenant is.

    Only heartbeats have a limit: a tenant may well have no alert for days.
    """
    until = min(now, datetime.combine(day + timedelta(days=1), time.min, UTC))
    newest = newest_by_tenant(lake, table, day, day)
    behind = {tenant: round((until - moment).total_seconds() / 60) for tenant, moment in newest.items()}
    late = [t for t, minutes in behind.items() if minutes * 60 > QUIET_AFTER.total_seconds()]
    facts = {"minutes_behind": behind}
    if table is not DEVICE_INFO or not late:
        told = (
            f"{pluralize(len(newest), 'tenant')}; the newest record is {min(behind.values())} minutes old"
            if behind
            else "none"
        )
        return CheckOutcome(passed=True, summary=f"Records of the day: {told}.", facts=facts)
    return CheckOutcome(
        passed=False,
        summary=f"The newest heartbeat of {pluralize(len(late), 'tenant')} is over {QUIET_HOURS} hours behind. "
        "If the containers hold newer blobs, see why the sensor's runs fail; otherwise the export is late.",
        facts=facts,
    )
