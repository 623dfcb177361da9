"""Freshness of the lake: how far its newest records are behind. Whether the export is silent is in `silence`."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.pulse import silent_from, start_of
from defender_assets.core.quality.signs import KnownSigns, read_signs
from defender_assets.core.schemas import DEVICE_INFO, Table
from defender_assets.core.text import pluralize

ARRIVAL = timedelta(hours=1)
"""How long a record takes to arrive, at most, as a rule."""


def freshness(
    lake: Lake, table: Table, day: date, now: datetime, signs: Callable[[], KnownSigns] | None = None
) -> CheckOutcome:
    """Return how far the newest record of each tenant is behind the end of the day, or behind now.

    Only heartbeats have a limit, the tenant's pulse: a tenant may have no alert for days. `signs` gives the signs of
    life up to now for it, by default `read_signs`. If all late tenants are silent, the outcome says so.
    """
    end = min(now, datetime.combine(day + timedelta(days=1), time.min, UTC))
    newest = _newest_by_tenant(lake, table, day)
    minutes = {tenant: round((end - moment).total_seconds() / 60) for tenant, moment in newest.items()}
    late: list[bool] = []
    if table is DEVICE_INFO:
        known = signs() if signs else read_signs(lake, now)
        for tenant, moment in newest.items():
            hours = _hours(known, tenant)
            due = silent_from(hours, moment)
            if end >= due:
                late.append(_is_silence(hours, moment, due - moment, end))
    if late:
        summary = (
            f"The newest heartbeat of {pluralize(len(late), 'tenant')} is further behind than usual. "
            "If the containers hold newer blobs, find out why the sensor's runs fail; otherwise the export is late."
        )
    elif minutes:
        summary = (
            f"Records of {pluralize(len(minutes), 'tenant')}; the newest is {min(minutes.values())} minutes behind."
        )
    else:
        summary = "No records on this day."
    return CheckOutcome(not late, summary, {"minutes_behind": minutes}, silence=all(late))


def _is_silence(hours: set[int], newest: datetime, allowed: timedelta, end: datetime) -> bool:
    """Return whether nothing has arrived since the newest record, or only for less time than a record may be late.

    A record may arrive in the hour after it was written. What arrives after a silence is read within minutes, so the
    end of a silence is no fault of the lake. It may have arrived as late as at the end of its hour.
    """
    since = [start for hour in hours if newest + ARRIVAL <= (start := start_of(hour)) < end]
    return not since or end - (min(since) + timedelta(hours=1)) < allowed


def _newest_by_tenant(lake: Lake, table: Table, day: date) -> dict[str, datetime]:
    """Return when Microsoft wrote the newest record of each tenant with records on the day."""
    rows = (
        scan_days(lake.snapshot(table.name, create=True), day, day)
        .group_by("tenant_id")
        .agg(pl.col("exported_at").max())
    )
    return dict(rows.drop_nulls().sort("tenant_id").collect().iter_rows())


def _hours(signs: KnownSigns, tenant: str) -> set[int]:
    """Return the hours of a tenant's heartbeats."""
    known = signs[tenant].by_table.get(DEVICE_INFO.name) if tenant in signs else None
    return known.hours if known else set()
