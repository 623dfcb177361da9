"""Devices by name: the one device of the tenant that bears the name that an alert's evidence gives."""

import ipaddress
from typing import Literal

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.filled import filled
from defender_assets.core.leads.devices.merges import Merges, lowered, merge_paths
from defender_assets.core.moments import FIRST_DAY, moment
from defender_assets.core.schemas.column import INSTANT

MOST_BEARERS = 1_000
"""A host name that more devices of a tenant have borne identifies none of them; bounds the pairs to compare."""

_LONGEST_NAME = 255
_NO_NAMES = ["localhost", "localhost.localdomain"]
_DEVICE, _WANTED = ["tenant_id", "device_id"], [*ALERT_KEY, "mention"]


def name_key(text: pl.Expr) -> pl.Expr:
    r"""Return a device name in the form in which names are compared, or null if it cannot be one.

    In lower case, without spaces around, the final dots of a DNS name, the NetBIOS domain of `DOMAIN\host` and the
    `$` of a machine account.
    """
    name = filled(text.str.to_lowercase().str.replace(r"(?s)^.*\\", "").str.strip_chars().str.strip_chars_end(".$"))
    return pl.when(~name.is_in(_NO_NAMES) & (name.str.len_chars() <= _LONGEST_NAME)).then(name)


def is_address(name: str) -> bool:
    """Return whether a name is an IP address, which several devices bear one after the other."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def host_label(name: pl.Expr) -> pl.Expr:
    """Return the name without its domain."""
    return name.str.splitn(".", 2).struct.field("field_0")


def is_fqdn(name: pl.Expr) -> pl.Expr:
    """Return whether the name has a domain."""
    return name.str.contains(".", literal=True)


def same_name(one: pl.Expr, other: pl.Expr) -> pl.Expr:
    """Return whether two names can be one device's: they are equal, or equal up to a domain that only one has."""
    short = ~is_fqdn(one) | ~is_fqdn(other)
    return ((one == other) | (short & (host_label(one) == host_label(other)))).fill_null(value=False)


def bearers(devices: pl.LazyFrame, wanted: pl.DataFrame, merges: Merges) -> pl.DataFrame:
    """Return the one device that bears each wanted name; no row where none or several do.

    A device bears the name in its newest heartbeat at or before the alert that has one, else in its earliest after. A
    device that was merged into another is that other one. The first of these groups with a device decides: equal with
    domain and onboarded; equal with domain; equal without domain (one side has none) and onboarded; the same, not
    onboarded. In it, a device whose last heartbeat before the alert lies before the first of another is superseded.

    Args:
        devices: typed DeviceInfo rows of the look-back; copies are allowed.
        wanted: ALERT_KEY, `mention`, `name` (result of `name_key`), `alert_time`.
        merges: result of `read_merges`.

    Returns:
        ALERT_KEY, `mention`, `start_id`: the identifier of the device at which its path of merges begins.
    """
    wanted = wanted.filter(~pl.col("name").map_elements(is_address, return_dtype=pl.Boolean)).with_columns(
        label=host_label(pl.col("name"))
    )
    if wanted.is_empty():
        return wanted.select(*_WANTED, start_id="mention")
    found = _found(devices, wanted)
    paths = _paths(found, merges)
    beats = _named_heartbeats(devices, paths)
    starts = (
        found.join(paths.filter(pl.col("lookup_id") == pl.col("start_id")), on=["tenant_id", "start_id"])
        .sort(*_DEVICE, "label", "length", "start_id", descending=[False, False, False, True, False])
        .unique([*_DEVICE, "label"], keep="first", maintain_order=True)
        .filter(pl.len().over("tenant_id", "label") <= MOST_BEARERS)
        .select(*_DEVICE, "label", "start_id")
    )
    pairs = wanted.join(starts, on=["tenant_id", "label"])
    return _one_left(_with_names(pairs, beats)).select(*_WANTED, "start_id")


def _found(devices: pl.LazyFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Return the identifiers that ever bore a wanted host name: `tenant_id`, `start_id`, `label`."""
    labels = wanted.select("tenant_id", "label").unique()
    label = host_label(name_key(pl.col("DeviceName")))
    # The filter is pushed down, so that only identifiers of wanted names are kept; the join adds the tenant.
    return (
        devices.filter(label.is_in(labels.get_column("label").unique().implode()))
        .select("tenant_id", start_id=lowered("DeviceId"), label=label)
        .unique()
        .join(labels.lazy(), on=["tenant_id", "label"], how="semi")
        .collect(engine="streaming")
        .sort("tenant_id", "start_id", "label")
    )


def _paths(found: pl.DataFrame, merges: Merges) -> pl.DataFrame:
    """Return the paths, with their `length`, of all identifiers that were merged into the found devices."""
    merged = pl.DataFrame(list(merges), schema=dict.fromkeys(("tenant_id", "start_id"), pl.String), orient="row")
    paths = merge_paths(merges, pl.concat([found.select(merged.columns), merged]))
    devices = paths.join(found, on=merged.columns, how="semi").select(_DEVICE)
    return paths.join(devices, on=_DEVICE, how="semi").with_columns(length=pl.len().over(merged.columns))


def _named_heartbeats(devices: pl.LazyFrame, paths: pl.DataFrame) -> pl.DataFrame:
    """Return the heartbeats of the devices by time: `name` and `onboarded` carried forward, `first_at`, `own_name`."""
    needed = paths.select("tenant_id", "lookup_id", "device_id").unique()
    lookup_id = lowered("DeviceId")
    status = filled(pl.col("OnboardingStatus")).str.to_lowercase()
    return (
        devices.filter(lookup_id.is_in(needed.get_column("lookup_id").unique().implode()))
        .select(
            "tenant_id",
            "export_date",
            "Timestamp",
            "ReportId",
            "record_id",
            lookup_id=lookup_id,
            own_name=name_key(pl.col("DeviceName")),
            onboarded=status == "onboarded",
        )
        .with_columns(seen_at=moment(FIRST_DAY).cast(INSTANT))
        .filter(pl.col("seen_at").is_not_null())
        .join(needed.lazy(), on=["tenant_id", "lookup_id"])
        .collect()
        .sort(*_DEVICE, "seen_at", "ReportId", "record_id", nulls_last=False)
        .with_columns(
            name=pl.col("own_name").forward_fill().over(_DEVICE),
            onboarded=pl.col("onboarded").forward_fill().over(_DEVICE),
            first_at=pl.col("seen_at").min().over(_DEVICE),
        )
    )


def _with_names(pairs: pl.DataFrame, beats: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of alert and device with `bears`, `onboarded`, `last_at` (before the alert) and `first_at`."""
    columns = [*_DEVICE, "first_at", "seen_at", "onboarded"]
    keys = [*_WANTED, "device_id"]
    before = _nearest(pairs, beats.select(*columns, bears="name"), "backward")
    own = beats.filter(pl.col("own_name").is_not_null())
    after = _nearest(pairs, own.select(*columns, bears="own_name"), "forward")
    return (
        pairs.join(before, on=keys)
        .join(after, on=keys, suffix="_after")
        .with_columns(
            last_at="seen_at",
            first_at=pl.coalesce("first_at", "first_at_after"),
            onboarded=pl.when(pl.col("bears").is_not_null()).then("onboarded").otherwise("onboarded_after"),
            bears=pl.coalesce("bears", "bears_after"),
        )
    )


def _nearest(pairs: pl.DataFrame, beats: pl.DataFrame, strategy: Literal["backward", "forward"]) -> pl.DataFrame:
    """Return for each pair the columns of the heartbeat nearest to the alert; nulls where there is none."""
    distinct = beats.unique([*_DEVICE, "seen_at"], keep="last", maintain_order=True)
    # An unsorted side would give wrong rows, not an error.
    return (
        pairs.sort("alert_time")
        .join_asof(
            distinct.sort("seen_at"),
            left_on="alert_time",
            right_on="seen_at",
            by=_DEVICE,
            strategy=strategy,
            coalesce=False,
            check_sortedness=False,
        )
        .select(*_WANTED, "device_id", "first_at", "seen_at", "bears", "onboarded")
    )


def _one_left(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs whose device is the only one of the first group of the alert's name."""
    name, bears = pl.col("name"), pl.col("bears")
    with_domain = (name == bears) & is_fqdn(name)
    group = 2 * (~with_domain).cast(pl.Int8) + (~pl.col("onboarded").fill_null(value=False)).cast(pl.Int8)
    return (
        pairs.filter(same_name(name, bears))
        .with_columns(group=group)
        .filter(pl.col("group") == pl.col("group").min().over(_WANTED))
        .filter((pl.col("last_at") >= pl.col("first_at").max().over(_WANTED)).fill_null(value=True))
        .filter(pl.len().over(_WANTED) == 1)
    )
