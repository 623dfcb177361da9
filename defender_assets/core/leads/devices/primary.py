"""The device columns of a lead: its primary device, and all of its devices if there are several."""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.as_of import DEVICE_COLUMNS
from defender_assets.core.leads.devices.mentions import BY_ID, BY_NAME, rank_devices, same_host
from defender_assets.core.leads.devices.texts import has_domain, host_name, is_host_name
from defender_assets.core.lists import without_nulls
from defender_assets.core.schemas.column import INSTANT

MATCHED_BY = ("id", "name")
"""How a device was found: by the evidence's identifier, or by its name."""

_TAGS = ("manual_tags", "dynamic_tags", "registry_tag")

_DEVICE = pl.Struct(
    {
        "device_id": pl.String(),
        "original_device_id": pl.String(),
        "device_name": pl.String(),
        "role": pl.String(),
        "device_match": pl.String(),
        "device_seen_at": INSTANT,
        "os_platform": pl.String(),
        "machine_group": pl.String(),
        "exposure_level": pl.String(),
        "asset_value": pl.String(),
        "is_internet_facing": pl.Boolean(),
        "device_matched_by": pl.String(),
    }
)
DEVICES = pl.List(_DEVICE)
"""The type of a lead's `devices`."""


def distinct_devices(named: pl.DataFrame, as_of: pl.DataFrame) -> pl.DataFrame:
    """Return the alerts' devices with their state, ranked, each merged device once.

    A device that evidence names by identifier and by name counts by its identifier; its role and its rank are those of
    the mention that ranks first. `device_id` is null for a name that no device bears.

    `named` comes from `named_devices`, `as_of` from `devices_as_of` for them.
    """
    joined = named.join(as_of, on=[*ALERT_KEY, "mention"], how="left")
    found = pl.col("device_match").is_in(["as_of", "after"])
    by_id, by_name = (pl.lit(word) for word in MATCHED_BY)
    joined = joined.with_columns(
        device_name=pl.coalesce("device_name", "evidence_name"),
        os_platform=pl.coalesce("os_platform", "evidence_os"),
        device_matched_by=pl.when(found).then(
            pl.when(pl.col("original_device_id").is_not_null()).then(by_id).otherwise(by_name)
        ),
    )
    device = [*ALERT_KEY, "_device"]
    ranked = rank_devices(_with_devices_of_names(joined)).with_columns(
        _device=pl.coalesce(pl.lit(BY_ID) + pl.col("device_id"), "mention")
    )
    first = ranked.unique(device, keep="first", maintain_order=True).select(*device, "role", "named_at")
    return rank_devices(
        ranked.sort(pl.col("original_device_id").is_null(), ~found, maintain_order=True)
        .unique(device, keep="first", maintain_order=True)
        .drop("role", "named_at")
        .join(first, on=device)
        .drop("_device")
    )


def primary_devices(devices: pl.DataFrame, alerts: pl.DataFrame) -> pl.DataFrame:
    """Return the device columns of each alert, one row per alert of `alerts` (ALERT_KEY, `alert_time`).

    ALERT_KEY, `device_id`, `original_device_id`, `device_match` (`no_device` where no evidence names one),
    `device_matched_by` (of MATCHED_BY), `device_seen_at`, `device_age_seconds` (negative for a heartbeat after the
    alert), the lead's DEVICE_COLUMNS, `device_tags`, `device_count` and `devices` (null unless there are several).
    """
    first = devices.unique(ALERT_KEY, keep="first", maintain_order=True)
    several = devices.group_by(ALERT_KEY, maintain_order=True).agg(
        device_count=pl.len().cast(pl.Int64), devices=pl.struct(field.name for field in _DEVICE.fields)
    )
    names = [taken.column.name for taken in DEVICE_COLUMNS if taken.column.name not in _TAGS]
    return (
        alerts.select(*ALERT_KEY, "alert_time")
        .join(first, on=ALERT_KEY, how="left")
        .join(several, on=ALERT_KEY, how="left")
        .select(
            *ALERT_KEY,
            "device_id",
            "original_device_id",
            "device_matched_by",
            "device_seen_at",
            *names,
            device_match=pl.col("device_match").fill_null("no_device"),
            device_age_seconds=(pl.col("alert_time") - pl.col("device_seen_at")).dt.total_seconds(),
            device_tags=tags(),
            device_count=pl.col("device_count").fill_null(0),
            devices=pl.when(pl.col("device_count") > 1).then("devices"),
        )
    )


def linking_devices(devices: pl.DataFrame, older: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `value` and `identity`: the values under which a device links leads; no row for one of none.

    A device also links by the identifiers that were merged into it: leads of earlier days have these. `older` are the
    `merges.predecessors`.

    A device without identifier links by its fully qualified name, as `name:<fqdn>`, and never by a short one: many
    hosts can have it.
    """
    full = has_domain(pl.col("name")) & is_host_name(devices.get_column("name"))
    value = pl.coalesce("device_id", pl.when(full).then(pl.lit(BY_NAME) + pl.col("name")))
    own = devices.select(*ALERT_KEY, value=value, identity=value).drop_nulls("value")
    merged = devices.join(older, on=["tenant_id", "device_id"])
    return pl.concat([own, merged.select(*ALERT_KEY, value="old_id", identity="device_id")]).unique()


def tags(prefix: str = "") -> pl.Expr:
    """Return the device's tags of all three columns, sorted; null if no heartbeat is known."""
    lists = [pl.col(f"{prefix}{name}").fill_null(pl.lit([], dtype=pl.List(pl.String()))) for name in _TAGS[:2]]
    single = pl.concat_list(pl.col(f"{prefix}registry_tag"))
    found = without_nulls(pl.concat_list(*lists, single)).list.unique().list.sort()
    return pl.when(pl.col("device_seen_at").is_not_null()).then(found)


def _with_devices_of_names(devices: pl.DataFrame) -> pl.DataFrame:
    """Return the devices with the `device_id` of another device of the alert for a name that only this one can bear."""
    nameless = devices.filter(pl.col("device_id").is_null())
    others = (
        devices.drop_nulls("device_id")
        .join(nameless, on=ALERT_KEY, how="semi")
        .select(*ALERT_KEY, name=host_name(pl.col("device_name")), _other="device_id")
    )
    return (
        same_host(devices, others, "_other").with_columns(device_id=pl.coalesce("device_id", "_other")).drop("_other")
    )
