"""Which alerts get a lead on a day, and whether they are new or changed."""

from collections.abc import Mapping
from datetime import date, timedelta

import polars as pl
import polars.selectors as cs

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.lake.snapshots import days_between
from defender_assets.core.leads.devices.as_of import devices_as_of, ids_with_heartbeats
from defender_assets.core.leads.devices.merges import Device, merge_paths
from defender_assets.core.leads.devices.primary import distinct_devices
from defender_assets.core.schemas.column import INSTANT


def candidate_alerts(day: date, *alert_tables: pl.LazyFrame) -> pl.DataFrame:
    """Return the alerts with a record, or a copy of one, on the day or the day before: ALERT_KEY and `on_eve`.

    `on_eve`: the day before has a record of the alert. `alert_history` decides which records are new. Alerts with the
    same DeviceId are neighbours, so that a build of a part of them reads few devices.
    """
    eve = day - timedelta(days=1)
    read = cs.by_name(*ALERT_KEY, "export_date", "DeviceId", require_all=False)
    rows = pl.concat([days_between(table, eve, day).select(read) for table in alert_tables], how="diagonal")
    return (
        rows.filter(pl.col("AlertId").is_not_null())
        .group_by(ALERT_KEY)
        .agg(on_eve=(pl.col("export_date") == eve).any(), device=pl.col("DeviceId").min())
        .sort("device", nulls_last=True)
        .drop("device")
        .collect()
    )


def alert_history(day: date, *distinct: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `alert_time`, `is_new` (the day has a new record) and `known_before` (an earlier day has one).

    `alert_time` is the earliest moment of its records; without any, 00:00 of its first `export_date`.
    `distinct` are AlertInfo and AlertEvidence rows with moments, each record once, on its earliest day.
    """
    records = pl.concat([table.select(*ALERT_KEY, "Timestamp", "export_date") for table in distinct])
    return records.group_by(ALERT_KEY).agg(
        alert_time=pl.coalesce(pl.col("Timestamp").min(), pl.col("export_date").min().cast(INSTANT)),
        is_new=(pl.col("export_date") == day).any(),
        known_before=(pl.col("export_date") < day).any(),
    )


def records_of(table: pl.LazyFrame, alerts: pl.DataFrame) -> pl.LazyFrame:
    """Return the rows of some alerts (ALERT_KEY)."""
    # The filter is pushed down, so that only these alerts are decoded; the join adds the tenant.
    wanted = table.filter(pl.col("AlertId").is_in(alerts.get_column("AlertId").unique().implode()))
    return wanted.join(alerts.lazy(), on=ALERT_KEY, how="semi")


def alerts_without_device(
    day: date, probes: pl.DataFrame, devices: pl.LazyFrame, successors: Mapping[Device, str], look_back: int
) -> pl.DataFrame:
    """Return the alerts (ALERT_KEY) that name a device without a heartbeat on an earlier day, or by name only.

    Only their devices can have become known on the day (`late_device_matches`). The arguments are those of
    `late_device_matches`, and the number of earlier days that `devices` has.
    """
    by_id = probes.select(*ALERT_KEY, start_id="original_device_id")
    unseen = merge_paths(successors, by_id.drop_nulls("start_id"))
    start, found = ["tenant_id", "start_id"], []
    # Most devices have a heartbeat on the day before, so the other days are rarely read.
    for back in range(1, look_back + 1):
        if unseen.is_empty():
            break
        ids = ids_with_heartbeats(devices.filter(pl.col("export_date") == day - timedelta(days=back)), unseen)
        found.append(unseen.join(ids, on=["tenant_id", "lookup_id"], how="semi").select(start))
        unseen = unseen.join(found[-1], on=start, how="anti")
    known = pl.concat(found) if found else unseen.select(start)
    return by_id.join(known, on=start, how="anti").select(ALERT_KEY).unique()


def late_device_matches(
    day: date, probes: pl.DataFrame, as_of: pl.DataFrame, devices: pl.LazyFrame, successors: Mapping[Device, str]
) -> pl.DataFrame:
    """Return the alerts (ALERT_KEY) whose device became known on the day: a heartbeat can arrive after its alert.

    `probes` (`named_devices`, with `alert_time`) are of the alerts with a record on the day before and no new one on
    the day; `as_of` (`devices_as_of`) is their state from the partitions up to the day. `devices` are typed DeviceInfo
    rows of the look-back, with moments; `successors` are the `merges` of earlier days.
    """
    known_now = _primary_matches(probes, as_of).filter(pl.col("device_match") != "unknown")
    probes = probes.join(known_now, on=ALERT_KEY, how="semi")
    if probes.is_empty():
        return probes.select(ALERT_KEY)
    then = devices_as_of(devices.filter(pl.col("export_date") < day), successors, probes, day)
    return _primary_matches(probes, then).filter(pl.col("device_match") == "unknown").select(ALERT_KEY)


def _primary_matches(named: pl.DataFrame, as_of: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY and the `device_match` of each alert's primary device."""
    devices = distinct_devices(named, as_of)
    return devices.unique(ALERT_KEY, keep="first", maintain_order=True).select(*ALERT_KEY, "device_match")
