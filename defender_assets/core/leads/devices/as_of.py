"""The state of a device at its alert, from its heartbeats. Identifiers of merged devices are in `merges`."""

from dataclasses import dataclass
from typing import Literal

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.merges import merge_chains
from defender_assets.core.schemas.column import INSTANT, LOGGED_ON_USERS, Column

DEVICES_AT_ONCE = 20_000
"""Devices per slice: bounds memory by this number instead of the tenant's size."""


@dataclass(frozen=True)
class DeviceColumn:
    """A column of the lead that comes from DeviceInfo; `carried`: filled forward from earlier heartbeats."""

    column: Column
    source: pl.Expr
    carried: bool = True


def _device_column(name: str, microsoft: str, meaning: str, dtype: pl.DataType | None = None) -> DeviceColumn:
    return DeviceColumn(Column(name, dtype or pl.String(), meaning), pl.col(microsoft))


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
        pl.col("LoggedOnUsers"),
        carried=False,
    ),
)
"""What a lead takes from a heartbeat. A null in a partial heartbeat is unknown, so values are carried forward."""

_LOOKUP, _PROBE = ["tenant_id", "lookup_id"], [*ALERT_KEY, "original_device_id"]
_NAMES = [taken.column.name for taken in DEVICE_COLUMNS]


def devices_as_of(devices: pl.LazyFrame, probes: pl.DataFrame) -> pl.DataFrame:
    """Return each probed device as it was at the time of its alert.

    `as_of`: the latest heartbeat at or before the alert, with columns carried forward from earlier heartbeats of the
    same identifier. It is looked for under the resolved identifier, then under the others of the merge chain, those
    near the original first. `after`: the earliest heartbeat after the alert, in the same order, nothing carried. Else
    `unknown`. At equal times the higher ReportId wins, then the higher record_id.

    Args:
        devices: typed DeviceInfo rows of the look-back; copies are allowed.
        probes: ALERT_KEY, `original_device_id` (lower case), `alert_time`.

    Returns:
        ALERT_KEY, `original_device_id`, `device_id`, `device_match`, `device_seen_at` and DEVICE_COLUMNS; also
        `now_seen_at` and DEVICE_COLUMNS with the prefix `now_`, as of the newest heartbeat, carried forward too.
    """
    chains = merge_chains(devices, probes)
    originals = chains.select("tenant_id", "original_device_id").unique(maintain_order=True)
    parts = [
        _as_of(devices, probes.join(part, on=part.columns, how="semi"), chains.join(part, on=part.columns, how="semi"))
        for part in originals.iter_slices(DEVICES_AT_ONCE)
    ]
    return pl.concat(parts or [_as_of(devices, probes, chains)])


def _as_of(devices: pl.LazyFrame, probes: pl.DataFrame, chains: pl.DataFrame) -> pl.DataFrame:
    looked_up = probes.select(*_PROBE, "alert_time").join(chains, on=["tenant_id", "original_device_id"])
    beats = _heartbeats(devices, chains)
    names = [taken.column.name for taken in DEVICE_COLUMNS if taken.carried]
    carried = beats.with_columns(pl.col(names).forward_fill().over(_LOOKUP))
    before = _first_found(looked_up, carried, "backward").with_columns(device_match=pl.lit("as_of"))
    rest = looked_up.join(before, on=_PROBE, how="anti")
    after = _first_found(rest, beats, "forward").with_columns(device_match=pl.lit("after"))
    found = pl.concat([before, after]).drop("device_id")
    return (
        looked_up.filter(pl.col("rank") == 0)
        .select(*_PROBE, "device_id")
        .join(found, on=_PROBE, how="left")
        .join(_newest(looked_up, carried), on=_PROBE, how="left")
        .with_columns(pl.col("device_match").fill_null("unknown"))
    )


def _heartbeats(devices: pl.LazyFrame, chains: pl.DataFrame) -> pl.DataFrame:
    """Return the heartbeats of the devices that are looked up, sorted by time."""
    needed = chains.select(_LOOKUP).unique()
    ids = needed.get_column("lookup_id").unique().implode()
    lookup_id = pl.col("DeviceId").str.strip_chars().str.to_lowercase()
    # The filter is pushed down, so that only these devices are decoded; the join adds the tenant.
    return (
        devices.filter(lookup_id.is_in(ids))
        .with_columns(lookup_id=lookup_id)
        .join(needed.lazy(), on=_LOOKUP, how="semi")
        .select(
            *_LOOKUP,
            "ReportId",
            "record_id",
            pl.col("Timestamp").cast(INSTANT).alias("device_seen_at"),
            **{taken.column.name: taken.source for taken in DEVICE_COLUMNS},
        )
        .collect()
        .sort(*_LOOKUP, "device_seen_at", "ReportId", "record_id", nulls_last=False)
    )


def _newest(looked_up: pl.DataFrame, carried: pl.DataFrame) -> pl.DataFrame:
    """Return for each probe the newest heartbeat under the first identifier that has one, as `now_…`."""
    last = carried.unique(_LOOKUP, keep="last", maintain_order=True).select(
        *_LOOKUP, now_seen_at="device_seen_at", **{f"now_{name}": name for name in _NAMES}
    )
    return (
        looked_up.join(last, on=_LOOKUP)
        .sort(*_PROBE, "rank")
        .unique(_PROBE, keep="first", maintain_order=True)
        .select(*_PROBE, pl.col("^now_.*$"))
    )


def _first_found(
    looked_up: pl.DataFrame, beats: pl.DataFrame, strategy: Literal["backward", "forward"]
) -> pl.DataFrame:
    """Return for each probe the heartbeat nearest to the alert, under the first identifier that has one."""
    distinct = beats.unique([*_LOOKUP, "device_seen_at"], keep="last", maintain_order=True)
    return (
        # An unsorted side would give wrong rows, not an error.
        looked_up.sort("alert_time")
        .join_asof(
            distinct.sort("device_seen_at"),
            left_on="alert_time",
            right_on="device_seen_at",
            by=_LOOKUP,
            strategy=strategy,
            coalesce=False,
            check_sortedness=False,
        )
        .filter(pl.col("device_seen_at").is_not_null())
        .sort(*_PROBE, "rank")
        .unique(_PROBE, keep="first", maintain_order=True)
        .select(*_PROBE, "device_id", "device_seen_at", *_NAMES)
    )
