"""Which alerts get a row on a day, and whether they are new. What the rows say is told in the rooms beside this one."""

from datetime import date, timedelta

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.lake.snapshots import days_between
from defender_assets.core.leads.devices.as_of import devices_as_of
from defender_assets.core.leads.devices.primary import distinct_devices


def candidate_alerts(day: date, *alert_tables: pl.LazyFrame) -> pl.DataFrame:
    """Return the alerts that may get a row: ALERT_KEY and `on_eve`, whether the day before holds a record of it.

    A copy is enough here, and no more than a candidate: whether a record is new is `alert_history`'s to say.
    """
    eve = day - timedelta(days=1)
    rows = pl.concat([days_between(table, eve, day).select(*ALERT_KEY, "export_date") for table in alert_tables])
    return (
        rows.filter(pl.col("AlertId").is_not_null())
        .group_by(ALERT_KEY)
        .agg(on_eve=(pl.col("export_date") == eve).any())
        .collect()
    )


def alert_history(day: date, *distinct: pl.DataFrame) -> pl.DataFrame:
    """Return for each alert `alert_time`, `is_new` (a record that no earlier day holds) and `known_before`.

    `distinct` are AlertInfo and AlertEvidence rows, each record once, on its earliest day.
    """
    records = pl.concat([table.select(*ALERT_KEY, "Timestamp", "export_date") for table in distinct])
    return records.group_by(ALERT_KEY).agg(
        alert_time=pl.col("Timestamp").min(),
        is_new=(pl.col("export_date") == day).any(),
        known_before=(pl.col("export_date") < day).any(),
    )


def late_device_matches(day: date, probes: pl.DataFrame, as_of: pl.DataFrame, devices: pl.LazyFrame) -> pl.DataFrame:
    """Return the alerts (ALERT_KEY) whose device became known on the day: a heartbeat can follow its alert.

    Args:
        day: the day.
        probes: what `named_devices` found for the alerts with a record on the day before and none new on the day, with
            `alert_time`.
        as_of: what `devices_as_of` found for them with the partitions up to the day.
        devices: typed DeviceInfo rows of the look-back.
    """
    known_now = _primary_matches(probes, as_of).filter(pl.col("device_match") != "unknown")
    probes = probes.join(known_now, on=ALERT_KEY, how="semi")
    if probes.is_empty():
        return probes.select(ALERT_KEY)
    then = devices_as_of(devices.filter(pl.col("export_date") < day), probes)
    return _primary_matches(probes, then).filter(pl.col("device_match") == "unknown").select(ALERT_KEY)


def _primary_matches(named: pl.DataFrame, as_of: pl.DataFrame) -> pl.DataFrame:
    """Return the `device_match` of the device that each alert is about."""
    devices = distinct_devices(named, as_of)
    return devices.unique(ALERT_KEY, keep="first", maintain_order=True).select(*ALERT_KEY, "device_match")
