"""Freshness of the source. DeviceInfo is the heartbeat of each tenant: no alerts is normal, no heartbeats is not."""

from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets.core.text import pluralize

LOOKBACK_DAYS = 7
QUIET_HOURS = 3


def quiet_or_broken(lake: Lake, day: date, now: datetime) -> CheckOutcome:
    """Return whether every tenant has sent heartbeats up to the end of the day, or up to now.

    Tenants are those with a record in any of the three tables within LOOKBACK_DAYS.
    """
    first = day - timedelta(days=LOOKBACK_DAYS)
    heartbeats = _newest_by_tenant(lake, DEVICE_INFO, first, day)
    alerts = {tenant for table in (ALERT_INFO, ALERT_EVIDENCE) for tenant in _newest_by_tenant(lake, table, first, day)}
    behind = _behind(heartbeats, day, now)
    silent = {
        tenant: _minutes(behind[tenant]) if tenant in behind else None
        for tenant in sorted(alerts | set(heartbeats))
        if tenant not in behind or behind[tenant] > timedelta(hours=QUIET_HOURS)
    }
    facts = {
        "tenants": len(alerts | set(heartbeats)),
        "newest_heartbeat": {tenant: moment.isoformat() for tenant, moment in heartbeats.items()},
        "silent_minutes": silent,
    }
    summary = f"Heartbeats are current for {pluralize(len(heartbeats), 'tenant')}."
    if silent:
        summary = (
            f"{pluralize(len(silent), 'tenant')} sent no heartbeat for over {QUIET_HOURS} hours: the export is broken, "
            "not quiet. Check the Streaming API in the Defender portal and the account's newest blobs "
            "(`defender-assets check`)."
        )
    return CheckOutcome(not silent, summary, facts)


def freshness(lake: Lake, table: Table, day: date, now: datetime) -> CheckOutcome:
    """Return how far the newest record of each tenant is behind the end of the day, or behind now.

    Only heartbeats have a limit: a tenant may have no alert for days.
    """
    behind = _behind(_newest_by_tenant(lake, table, day, day), day, now)
    minutes = {tenant: _minutes(delay) for tenant, delay in behind.items()}
    late = sum(delay > 60 * QUIET_HOURS for delay in minutes.values()) if table is DEVICE_INFO else 0
    if late:
        summary = (
            f"The newest heartbeat of {pluralize(late, 'tenant')} is over {QUIET_HOURS} hours behind. "
            "If the containers hold newer blobs, find out why the sensor's runs fail; otherwise the export is late."
        )
    elif minutes:
        summary = (
            f"Records of {pluralize(len(minutes), 'tenant')}; the newest is {min(minutes.values())} minutes behind."
        )
    else:
        summary = "No records on this day."
    return CheckOutcome(not late, summary, {"minutes_behind": minutes})


def _newest_by_tenant(lake: Lake, table: Table, first: date, last: date) -> dict[str, datetime]:
    """Return when Microsoft wrote the newest record of each tenant with records on the days."""
    rows = scan_days(lake.open(table.name), first, last).group_by("tenant_id").agg(pl.col("exported_at").max())
    return dict(rows.drop_nulls().sort("tenant_id").collect().iter_rows())


def _behind(newest: dict[str, datetime], day: date, now: datetime) -> dict[str, timedelta]:
    until = min(now, datetime.combine(day + timedelta(days=1), time.min, UTC))
    return {tenant: until - moment for tenant, moment in newest.items()}


def _minutes(delay: timedelta) -> int:
    return round(delay.total_seconds() / 60)
