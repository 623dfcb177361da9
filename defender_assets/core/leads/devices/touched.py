"""Which alerts new heartbeats can change by their devices: the leads' values, and whether they get a lead.

An alert depends on its devices in two ways:

- by the devices that its evidence names: the heartbeats along their paths of merges, in the day's view and in that of
  the day before, which decides whether a device became known on the day; for a name, also those of its bearers;
- by the tenant's newest heartbeat: compared with it, a device can become silent without a heartbeat of its own.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.as_of import end_of, lookup_id
from defender_assets.core.leads.devices.merges import Device, merge_paths, merges
from defender_assets.core.leads.devices.names import bearers_of_names
from defender_assets.core.leads.devices.state_changes import SILENCE, SILENT_AFTER, newest_heartbeats
from defender_assets.core.leads.devices.texts import identifier
from defender_assets.core.tables.moments import DAYS_AHEAD

_DEVICE, _PATH = ["tenant_id", "lookup_id"], ["tenant_id", "start_id"]


def alerts_of_heartbeats(
    day: date,
    leads: pl.DataFrame,
    named: pl.DataFrame,
    devices: pl.LazyFrame,
    successors: Mapping[Device, str],
    new: pl.LazyFrame,
) -> pl.DataFrame:
    """Return ALERT_KEY of the alerts that new heartbeats can change by their devices.

    `leads` (LEAD_SCHEMA) are the day's leads without the new heartbeats; `named` are the `named_devices` of the alerts
    with a record on the day or the day before. `devices` are typed DeviceInfo rows of the look-back, with moments and
    with the new heartbeats; `successors` are their `merges`. Copies of older heartbeats are allowed among the new ones.
    """
    views = [successors]
    if new.filter(pl.col("export_date") < day).head(1).collect().height:
        views.append(merges(devices.filter(pl.col("export_date") < day)))
    by_device = _naming(named, devices, views, _changed(new))
    return pl.concat([by_device, _of_silence(day, leads, devices, successors)]).unique()


def _changed(new: pl.LazyFrame) -> pl.DataFrame:
    """Return `tenant_id` and `lookup_id`: the devices of the heartbeats, and those that these merge into another."""
    merged = new.explode("MergedDeviceIds").select("tenant_id", lookup_id=identifier(pl.col("MergedDeviceIds")))
    seen = new.select("tenant_id", lookup_id=identifier(pl.col("DeviceId")))
    return pl.concat([seen, merged]).drop_nulls().unique().collect()


def _naming(
    named: pl.DataFrame, devices: pl.LazyFrame, views: list[Mapping[Device, str]], changed: pl.DataFrame
) -> pl.DataFrame:
    """Return the alerts that name a device whose path, in any view of the merges, has a changed identifier.

    The part of a path up to the first identifier whose merge changed is the same as before.
    """
    by_id = named.select(*ALERT_KEY, start_id="original_device_id").drop_nulls()
    nameless = named.filter(pl.col("original_device_id").is_null())
    bearers = bearers_of_names(devices, nameless)
    by_name = nameless.join(bearers, on=["tenant_id", "name"]).select(by_id.columns)
    mentions = pl.concat([by_id, by_name])
    paths = pl.concat([merge_paths(view, mentions) for view in views])
    return mentions.join(paths.join(changed, on=_DEVICE, how="semi"), on=_PATH, how="semi").select(ALERT_KEY)


def _of_silence(
    day: date, leads: pl.DataFrame, devices: pl.LazyFrame, successors: Mapping[Device, str]
) -> pl.DataFrame:
    """Return the alerts whose primary device can have become silent, or can be so no more, without a new heartbeat.

    It is silent no more if the tenant's newest heartbeat turned out to be no moment. Of a device that was found by name
    the lead has only the end of the path, so such a device can seem silent that is not.
    """
    known = leads.filter(pl.col("device_seen_at") < end_of(day)).select(
        *ALERT_KEY,
        "device_seen_at",
        start_id=pl.coalesce("original_device_id", "device_id"),
        by_name=pl.col("original_device_id").is_null(),
        was_silent=pl.col("device_changes").list.eval(pl.element().struct.field("what") == SILENCE).list.any(),
    )
    newest = newest_heartbeats(day, devices, known.select("tenant_id").unique())
    known = known.join(newest.select("tenant_id", since=pl.col("newest") - SILENT_AFTER), on="tenant_id")
    maybe = known.filter(pl.col("device_seen_at") <= pl.col("since"))
    heard = _heard(day, maybe, devices, successors)
    silent = maybe.join(heard, on=_PATH, how="anti").select(ALERT_KEY).with_columns(silent=True)
    is_silent, was_silent = pl.col("silent").fill_null(value=False), pl.col("was_silent").fill_null(value=False)
    changed = pl.when(was_silent).then(pl.col("by_name") | ~is_silent).otherwise(is_silent)
    return known.join(silent, on=ALERT_KEY, how="left").filter(changed).select(ALERT_KEY)


def _heard(day: date, maybe: pl.DataFrame, devices: pl.LazyFrame, successors: Mapping[Device, str]) -> pl.DataFrame:
    """Return the starts of paths that have a heartbeat after `since` that is not later than the day."""
    since = maybe.get_column("since").min()
    if not isinstance(since, datetime):
        return maybe.select(_PATH)
    paths = merge_paths(successors, maybe).join(maybe.select(*_PATH, "since").unique(), on=_PATH)
    ids = paths.get_column("lookup_id").unique().implode()
    # a moment is less than DAYS_AHEAD after the beginning of its day
    first = since.date() - DAYS_AHEAD + timedelta(days=1)
    return (
        devices.filter(pl.col("export_date") >= first)
        .filter(pl.col("Timestamp").is_between(since, end_of(day), closed="none") & lookup_id().is_in(ids))
        .select("tenant_id", "Timestamp", lookup_id=lookup_id())
        .join(paths.lazy(), on=_DEVICE)
        .filter(pl.col("Timestamp") > pl.col("since"))
        .select(_PATH)
        .unique()
        .collect()
    )
