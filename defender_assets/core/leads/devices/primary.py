"""The device columns of a lead: its primary device, and all of its devices if there are several."""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.as_of import DEVICE_COLUMNS
from defender_assets.core.leads.devices.mentions import rank_devices
from defender_assets.core.schemas.column import INSTANT

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
    }
)
DEVICES = pl.List(_DEVICE)
"""The type of a lead's `devices`."""


def distinct_devices(named: pl.DataFrame, as_of: pl.DataFrame) -> pl.DataFrame:
    """Return the alerts' devices with their state, ranked, each merged device once.

    Args:
        named: result of `named_devices`.
        as_of: result of `devices_as_of` for them.
    """
    joined = named.join(as_of, on=[*ALERT_KEY, "original_device_id"], how="left").with_columns(
        device_name=pl.coalesce("device_name", "evidence_name"),
        os_platform=pl.coalesce("os_platform", "evidence_os"),
    )
    return rank_devices(joined).unique([*ALERT_KEY, "device_id"], keep="first", maintain_order=True)


def primary_devices(devices: pl.DataFrame, alerts: pl.DataFrame) -> pl.DataFrame:
    """Return the device columns of each alert, one row per alert of `alerts` (ALERT_KEY, `alert_time`).

    ALERT_KEY, `device_id`, `original_device_id`, `device_match` (`no_device` where no evidence names one),
    `device_seen_at`, `device_age_seconds` (negative for a heartbeat after the alert), the lead's DEVICE_COLUMNS,
    `device_tags`, `device_count` and `devices` (null unless there are several).
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
            "device_seen_at",
            *names,
            device_match=pl.col("device_match").fill_null("no_device"),
            device_age_seconds=(pl.col("alert_time") - pl.col("device_seen_at")).dt.total_seconds(),
            device_tags=tags(),
            device_count=pl.col("device_count").fill_null(0),
            devices=pl.when(pl.col("device_count") > 1).then("devices"),
        )
    )


def tags(prefix: str = "") -> pl.Expr:
    """Return the device's tags of all three columns, sorted; null if no heartbeat is known."""
    lists = [pl.col(f"{prefix}{name}").fill_null(pl.lit([], dtype=pl.List(pl.String()))) for name in _TAGS[:2]]
    single = pl.concat_list(pl.col(f"{prefix}registry_tag"))
    found = pl.concat_list(*lists, single).list.drop_nulls().list.unique().list.sort()
    return pl.when(pl.col("device_seen_at").is_not_null()).then(found)
