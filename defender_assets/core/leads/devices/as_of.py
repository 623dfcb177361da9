"""The state of a device at its alert, from its heartbeats. Merges are in `merges`, devices by name in `names`."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.filled import filled, filled_texts, filled_users
from defender_assets.core.leads.devices.merges import lowered, merge_paths, read_merges
from defender_assets.core.leads.devices.names import bearers
from defender_assets.core.moments import FIRST_DAY, day_start, moment
from defender_assets.core.schemas.column import INSTANT, LOGGED_ON_USERS, TEXTS, Column

DEVICES_AT_ONCE = 20_000
"""Devices per slice: bounds memory by this number instead of the tenant's size."""


@dataclass(frozen=True)
class DeviceColumn:
    """A column of the lead that comes from DeviceInfo; `carried`: filled forward from earlier heartbeats."""

    column: Column
    source: pl.Expr
    carried: bool = True


def _device_column(name: str, microsoft: str, meaning: str, dtype: pl.DataType | None = None) -> DeviceColumn:
    value = pl.col(microsoft)
    source = filled(value) if dtype is None else filled_texts(value) if dtype == TEXTS else value
    return DeviceColumn(Column(name, dtype or pl.String(), meaning), source)


DEVICE_COLUMNS = (
    _device_column("device_name", "DeviceName", "Name of the device; from the evidence where no heartbeat is known"),
    _device_column("os_platform", "OSPlatform", "Operating system; from the evidence where none is known"),
    _device_column("os_version", "OSVersion", "Version of the operating system"),
    _device_column("os_build", "OSBuild", "Build of the operating system", pl.Int64()),
    _device_column("device_type", "DeviceType", "Workstation, Server, Mobile, Printer, …"),
    _device_column("device_category", "DeviceCategory", "Endpoint, NetworkDevice, IoT, Unknown"),
    _device_column("machine_group", "MachineGroup", "Device group, from the device, else from the alert"),
    _device_column("manual_tags", "DeviceManualTags", "", pl.List(pl.String())),
    _device_column("dynamic_tags", "DeviceDynamicTags", "", pl.List(pl.String())),
    _device_column("registry_tag", "RegistryDeviceTag", ""),
    _device_column("onboarding_status", "OnboardingStatus", "Whether the device is onboarded to Defender for Endpoint"),
    _device_column("sensor_health_state", "SensorHealthState", "Health of the endpoint sensor"),
    _device_column("exposure_level", "ExposureLevel", "None, Low, Medium or High"),
    _device_column("asset_value", "AssetValue", "Low, Normal or High"),
    _device_column("is_internet_facing", "IsInternetFacing", "Reachable from the internet, if known", pl.Boolean()),
    _device_column("public_ip", "PublicIP", "Public address that the device used to reach the service"),
    _device_column("join_type", "JoinType", "How the device is joined to Entra ID"),
    _device_column("aad_device_id", "AadDeviceId", "Identifier of the device in Entra ID"),
    DeviceColumn(
        Column("logged_on_users", LOGGED_ON_USERS, "Users logged on at the heartbeat of `device_seen_at` itself"),
        filled_users(pl.col("LoggedOnUsers")),
        carried=False,
    ),
)
"""What a lead takes from a heartbeat. A null in a partial heartbeat is unknown, so values are carried forward."""

_START, _PROBE = ["tenant_id", "start_id"], [*ALERT_KEY, "mention"]
_NAMES = [taken.column.name for taken in DEVICE_COLUMNS]


def devices_as_of(day: date, devices: pl.LazyFrame, probes: pl.DataFrame) -> pl.DataFrame:
    """Return each probed device as it was at the time of its alert.

    The heartbeats of a device are those of the identifiers on the path of merges from the one that the evidence names
    to its last successor. `as_of`: the newest at or before the alert, with columns carried forward from earlier ones.
    `after`: the earliest after the alert, nothing carried. Else `unknown`. At equal times the higher ReportId wins,
    then the higher record_id. A heartbeat whose Timestamp is no moment does not count.

    Args:
        day: the partition; no later heartbeat is "now".
        devices: typed DeviceInfo rows of the look-back; copies are allowed.
        probes: ALERT_KEY, `mention`, `original_device_id` and `name` (see `named_devices`), `alert_time`.

    Returns:
        ALERT_KEY, `mention`, `device_id` (null for a name that no device or several bear), `device_match`,
        `device_matched_by` (`id` or `name`; null if unknown), `device_seen_at` and DEVICE_COLUMNS; also `now_seen_at`
        and DEVICE_COLUMNS with the prefix `now_`, as of the newest heartbeat of the day or earlier, carried forward.
    """
    merges = read_merges(devices)
    by_id = probes.filter(pl.col("original_device_id").is_not_null()).with_columns(
        start_id="original_device_id", by=pl.lit("id")
    )
    by_name = probes.filter(pl.col("original_device_id").is_null())
    by_name = by_name.join(bearers(devices, by_name, merges), on=_PROBE, how="left").with_columns(by=pl.lit("name"))
    located = pl.concat([by_id, by_name], how="diagonal").select(*_PROBE, "start_id", "by", "alert_time")
    paths = merge_paths(merges, located.drop_nulls("start_id"))
    starts = paths.select(_START).unique(maintain_order=True)
    parts = [
        _as_of(day, devices, located.join(part, on=_START, how="semi"), paths.join(part, on=_START, how="semi"))
        for part in starts.iter_slices(DEVICES_AT_ONCE)
    ]
    found = pl.concat(parts or [_as_of(day, devices, located.clear(), paths)])
    return (
        located.join(paths.select(*_START, "device_id").unique(), on=_START, how="left")
        .join(found, on=_PROBE, how="left")
        .with_columns(
            pl.col("device_match").fill_null("unknown"),
            device_matched_by=pl.when(pl.col("device_match").is_not_null()).then("by"),
        )
        .drop("start_id", "by", "alert_time")
    )


def _as_of(day: date, devices: pl.LazyFrame, probes: pl.DataFrame, paths: pl.DataFrame) -> pl.DataFrame:
    beats = _heartbeats(devices, paths)
    names = [taken.column.name for taken in DEVICE_COLUMNS if taken.carried]
    carried = beats.with_columns(pl.col(names).forward_fill().over(_START))
    before = _nearest(probes, carried, "backward").with_columns(device_match=pl.lit("as_of"))
    rest = probes.join(before, on=_PROBE, how="anti")
    after = _nearest(rest, beats, "forward").with_columns(device_match=pl.lit("after"))
    found = pl.concat([before, after])
    now = _newest(carried.filter(pl.col("device_seen_at") < day_start(pl.lit(day + timedelta(days=1)))))
    return found.join(probes.select(*_PROBE, "start_id"), on=_PROBE).join(now, on=_START, how="left").drop("start_id")


def _heartbeats(devices: pl.LazyFrame, paths: pl.DataFrame) -> pl.DataFrame:
    """Return the heartbeats on the paths that have a moment, each path's sorted by time."""
    ids = paths.get_column("lookup_id").unique().implode()
    # The filter is pushed down, so that only these devices are decoded; the join adds the tenant.
    return (
        devices.filter(lowered("DeviceId").is_in(ids))
        .with_columns(lookup_id=lowered("DeviceId"), device_seen_at=moment(FIRST_DAY).cast(INSTANT))
        .filter(pl.col("device_seen_at").is_not_null())
        .join(paths.select(*_START, "lookup_id").lazy(), on=["tenant_id", "lookup_id"])
        .select(
            *_START,
            "ReportId",
            "record_id",
            "device_seen_at",
            **{taken.column.name: taken.source for taken in DEVICE_COLUMNS},
        )
        .collect()
        .sort(*_START, "device_seen_at", "ReportId", "record_id", nulls_last=False)
    )


def _newest(carried: pl.DataFrame) -> pl.DataFrame:
    """Return the newest heartbeat of each path as `now_…`."""
    return carried.unique(_START, keep="last", maintain_order=True).select(
        *_START, now_seen_at="device_seen_at", **{f"now_{name}": name for name in _NAMES}
    )


def _nearest(probes: pl.DataFrame, beats: pl.DataFrame, strategy: Literal["backward", "forward"]) -> pl.DataFrame:
    """Return for each probe the heartbeat of its path that is nearest to the alert."""
    distinct = beats.unique([*_START, "device_seen_at"], keep="last", maintain_order=True)
    return (
        # An unsorted side would give wrong rows, not an error.
        probes.sort("alert_time")
        .join_asof(
            distinct.sort("device_seen_at"),
            left_on="alert_time",
            right_on="device_seen_at",
            by=_START,
            strategy=strategy,
            coalesce=False,
            check_sortedness=False,
        )
        .filter(pl.col("device_seen_at").is_not_null())
        .select(*_PROBE, "device_seen_at", *_NAMES)
    )
