"""How an alert's device changed between the alert and its newest heartbeat: then and now, side by side."""

from datetime import date, timedelta

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.lake.snapshots import days_between
from defender_assets.core.leads.devices.as_of import end_of
from defender_assets.core.leads.devices.primary import tags
from defender_assets.core.lists import row_list
from defender_assets.core.tables.moments import DAYS_AHEAD

COMPARED = (
    "device_name", "os_version", "machine_group", "onboarding_status", "sensor_health_state", "exposure_level",
    "asset_value", "is_internet_facing", "join_type",
)  # fmt: skip
"""Columns whose change matters; addresses and builds change in normal operation."""

SILENT_AFTER = timedelta(hours=24)
"""A device is silent if its newest heartbeat is this much older than its tenant's newest one."""

CHANGES = pl.List(pl.Struct({"what": pl.String(), "then": pl.String(), "now": pl.String()}))
"""`what` is a column of the lead, `device_tag` (null then: added; null now: removed) or SILENCE."""

SILENCE = "heartbeat"


def device_changes(day: date, devices: pl.DataFrame, device_info: pl.LazyFrame) -> pl.DataFrame:
    """Return ALERT_KEY and `device_changes` (CHANGES) of each alert's primary device.

    Heartbeats dated after the day are not "now". `devices` come from `distinct_devices`, with `now_…` columns;
    `device_info` has the typed rows of the look-back, with moments.
    """
    first = devices.unique(ALERT_KEY, keep="first", maintain_order=True)
    newest = newest_heartbeats(day, device_info, first.drop_nulls("now_seen_at").select("tenant_id").unique())
    first = first.join(newest, on="tenant_id", how="left")
    known = pl.col("now_seen_at") >= pl.col("device_seen_at")  # an alert of tomorrow has no "now" yet
    before, after = tags(), tags("now_")
    changes = pl.concat_list(
        row_list(_compared(column) for column in COMPARED),
        after.list.set_difference(before).list.sort().list.eval(_change("device_tag", pl.lit(None), pl.element())),
        before.list.set_difference(after).list.sort().list.eval(_change("device_tag", pl.element(), pl.lit(None))),
        row_list([_silence()]),
    )
    return first.select(*ALERT_KEY, device_changes=pl.when(known).then(changes))


def newest_heartbeats(day: date, device_info: pl.LazyFrame, tenants: pl.DataFrame) -> pl.DataFrame:
    """Return `tenant_id` and `newest`, the tenant's newest heartbeat that is not later than the day."""

    def newest(rows: pl.LazyFrame) -> pl.DataFrame:
        rows = rows.filter(pl.col("Timestamp") < end_of(day))
        return rows.group_by("tenant_id").agg(newest=pl.col("Timestamp").max()).collect()

    # A moment is less than DAYS_AHEAD after the beginning of its day, so only these days have moments of this day.
    found = newest(days_between(device_info, day - DAYS_AHEAD + timedelta(days=1), day))
    of_day = found.filter(pl.col("newest") >= end_of(day) - timedelta(days=1))
    return found if tenants.join(of_day, on="tenant_id", how="anti").is_empty() else newest(device_info)


def _compared(column: str) -> pl.Expr:
    then, now = pl.col(column), pl.col(f"now_{column}")
    return pl.when(now.is_not_null() & now.ne_missing(then)).then(_change(column, then, now))


def _silence() -> pl.Expr:
    last = pl.col("now_seen_at")
    then, since = (moment.dt.strftime("%Y-%m-%d %H:%M") for moment in (pl.col("device_seen_at"), last))
    return pl.when(pl.col("newest") - last >= SILENT_AFTER).then(
        _change(SILENCE, then, pl.format("none since {}", since))
    )


def _change(what: str, then: pl.Expr, now: pl.Expr) -> pl.Expr:
    return pl.struct(what=pl.lit(what), then=then.cast(pl.String), now=now.cast(pl.String)).cast(CHANGES.inner)
