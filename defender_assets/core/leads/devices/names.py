"""Finds the device that bears a name: Defender for Identity and Sentinel name machines without an id."""

from collections.abc import Mapping

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.merges import Device, merge_paths
from defender_assets.core.leads.devices.texts import filled, has_domain, host_name, identifier, is_host_name, label
from defender_assets.core.schemas.column import INSTANT

MOST_BEARERS = 1_000
"""A name that more identifiers of a tenant have borne (`iphone`) identifies none; this bounds the comparisons."""

_MENTION = [*ALERT_KEY, "mention"]
_PATH = ["tenant_id", "start_id"]


def devices_by_name(devices: pl.LazyFrame, successors: Mapping[Device, str], probes: pl.DataFrame) -> pl.DataFrame:
    """Return the identifier of the one device of the tenant that bears each probe's name; no row without exactly one.

    A device bears the name of its newest heartbeat at or before the alert that has one, else of the earliest after it;
    OnboardingStatus is read in the same way. A merged device is the one it was merged into. A short name is compared
    only if the name of the evidence or of the device has no domain. The first of these tiers with a device decides:
    full name and onboarded, full name, short name and onboarded, short name.

    Within the tier, a device supersedes another one if its first heartbeat is later than the last one of the other
    before the alert, and not later than the alert. A device that was first seen after the alert supersedes none, and
    counts only if no device was seen before.

    Args:
        devices: typed DeviceInfo rows of the look-back, with moments; copies are allowed.
        successors: result of `merges`.
        probes: ALERT_KEY, `mention`, `name` (`host_name`, null if the evidence has an id), `alert_time`.

    Returns:
        ALERT_KEY, `mention` and `start_id`: the identifier from which the path of merges begins. Of several identifiers
        of the device that bear the name, it is the one whose path has the newest heartbeat.
    """
    probes = probes.filter(is_host_name(probes.get_column("name"))).select(*_MENTION, "name", "alert_time")
    if probes.is_empty():
        return probes.select(*_MENTION, start_id=pl.lit(None, pl.String))
    pairs = bearers_of_names(devices, probes).filter(pl.len().over("tenant_id", "name") <= MOST_BEARERS)
    paths = merge_paths(successors, pairs)
    known = _named_at(_heartbeats(devices, paths), probes.join(pairs, on=["tenant_id", "name"]))
    known = known.join(paths.select(*_PATH, "device_id").unique(), on=_PATH)
    return _one_device(known.with_columns(tier=_tier()).drop_nulls("tier"))


def _tier() -> pl.Expr:
    """Return the rank of a bearer, 0 to 3; null if it has another name at the alert."""
    name, borne = pl.col("name"), pl.col("borne")
    full = (name == borne) & has_domain(name)
    discovered = pl.when(pl.col("onboarded")).then(0).otherwise(1)
    return pl.when(full).then(discovered).when(_matches(name, borne)).then(discovered + 2)


def _one_device(bearers: pl.DataFrame) -> pl.DataFrame:
    """Return `_MENTION` and `start_id` of the mentions of which one device is left in the best tier."""
    device = [*_MENTION, "device_id"]
    by_then = pl.col("device_first").filter(pl.col("device_first") <= pl.col("alert_time"))
    return (
        bearers.filter(pl.col("tier") == pl.col("tier").min().over(_MENTION))
        .with_columns(device_last=pl.col("last").max().over(device), device_first=pl.col("first").min().over(device))
        .with_columns(newest_first=by_then.max().over(_MENTION))
        .filter(pl.col("newest_first").is_null() | (pl.col("device_last") >= pl.col("newest_first")))
        .filter(pl.col("device_id").n_unique().over(_MENTION) == 1)
        .sort("first", "start_id")
        .sort("last", descending=True, nulls_last=True, maintain_order=True)
        .unique(_MENTION, keep="first", maintain_order=True)
        .select(*_MENTION, "start_id")
    )


def _matches(name: pl.Expr, borne: pl.Expr) -> pl.Expr:
    """Return whether two names can be of one host: equal, or equal in their labels if one has no domain."""
    return (name == borne) | ((label(name) == label(borne)) & ~(has_domain(name) & has_domain(borne)))


def bearers_of_names(devices: pl.LazyFrame, probes: pl.DataFrame) -> pl.DataFrame:
    """Return `tenant_id`, `name` and `start_id`: the identifiers that have ever borne a wanted name, however many.

    The arguments are those of `devices_by_name`.
    """
    if probes.is_empty():
        return probes.select("tenant_id", "name", start_id=pl.lit(None, pl.String))
    wanted = probes.select("tenant_id", "name", label=label(pl.col("name"))).unique()
    spellings = devices.select("DeviceName").unique().collect(engine="streaming").get_column("DeviceName")
    names = spellings.to_frame().with_columns(borne=host_name(pl.col("DeviceName")))
    names = names.with_columns(label=label(pl.col("borne"))).join(
        wanted.select("label").unique(), on="label", how="semi"
    )
    names = names.filter(is_host_name(names.get_column("borne")))
    # The filter is pushed down, so that only devices of these names are decoded.
    bearers = (
        devices.filter(pl.col("DeviceName").is_in(names.get_column("DeviceName").implode()))
        .select("tenant_id", "DeviceName", start_id=identifier(pl.col("DeviceId")))
        .unique()
        .collect(engine="streaming")
    )
    return (
        bearers.drop_nulls("start_id")
        .join(names, on="DeviceName")
        .join(wanted, on=["tenant_id", "label"])
        .filter(_matches(pl.col("name"), pl.col("borne")))
        .select("tenant_id", "name", "start_id")
        .unique()
    )


def _heartbeats(devices: pl.LazyFrame, paths: pl.DataFrame) -> pl.DataFrame:
    """Return the names along each path, newest last, carried forward."""
    lookup_id = identifier(pl.col("DeviceId"))
    ids = paths.get_column("lookup_id").unique().implode()
    return (
        devices.filter(lookup_id.is_in(ids) & pl.col("Timestamp").is_not_null())
        .select(
            "tenant_id",
            "ReportId",
            "record_id",
            seen_at=pl.col("Timestamp").cast(INSTANT),
            lookup_id=lookup_id,
            borne=host_name(pl.col("DeviceName")),
            onboarded=filled(pl.col("OnboardingStatus")).str.to_lowercase() == "onboarded",
        )
        .collect()
        .join(paths.select(*_PATH, "lookup_id"), on=["tenant_id", "lookup_id"])
        .sort(*_PATH, "seen_at", "ReportId", "record_id", nulls_last=False)
        .with_columns(pl.col("borne", "onboarded").forward_fill().over(_PATH))
    )


def _named_at(beats: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of `asked` with the name of each path at the alert, `onboarded`, and its `first` and `last`.

    `last` is its last heartbeat at or before the alert.
    """
    first_filled = beats.group_by(_PATH).agg(
        first=pl.col("seen_at").min(),
        _borne=pl.col("borne").drop_nulls().first(),
        _onboarded=pl.col("onboarded").drop_nulls().first(),
    )
    distinct = beats.unique([*_PATH, "seen_at"], keep="last", maintain_order=True)
    return (
        # An unsorted side would give wrong rows, not an error.
        asked.sort("alert_time")
        .join_asof(
            distinct.sort("seen_at").select(*_PATH, "seen_at", "borne", "onboarded"),
            left_on="alert_time",
            right_on="seen_at",
            by=_PATH,
            strategy="backward",
            coalesce=False,
            check_sortedness=False,
        )
        .join(first_filled, on=_PATH)
        .with_columns(
            last="seen_at",
            borne=pl.coalesce("borne", "_borne"),
            onboarded=pl.coalesce("onboarded", "_onboarded"),
        )
    )
