"""The device columns of a lead: its primary device, and all of its devices if there are several."""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.as_of import DEVICE_COLUMNS
from defender_assets.core.leads.devices.mentions import rank_devices
from defender_assets.core.leads.devices.names import is_address, is_fqdn, name_key, same_name
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
        "device_matched_by": pl.String(),
    }
)
DEVICES = pl.List(_DEVICE)
"""The type of a lead's `devices`."""


def distinct_devices(named: pl.DataFrame, as_of: pl.DataFrame) -> pl.DataFrame:
    """Return the alerts' devices with their state, ranked, each device once.

    A merged device is one device, and so are an identifier and a name of it in one alert. The row of the identifier is
    kept, with the best role and the earliest `named_at`.

    Args:
        named: result of `named_devices`.
        as_of: result of `devices_as_of` for them.
    """
    joined = named.join(as_of, on=[*ALERT_KEY, "mention"], how="left").with_columns(
        device_name=pl.coalesce("device_name", "evidence_name"),
        os_platform=pl.coalesce("os_platform", "evidence_os"),
    )
    device = [*ALERT_KEY, "_device"]
    ranked = rank_devices(_with_devices_of_names(joined)).with_columns(
        pl.col("role").first().over(device), pl.col("named_at").min().over(device)
    )
    identified_first = ranked.sort(pl.col("original_device_id").is_null(), maintain_order=True)
    return rank_devices(identified_first.unique(device, keep="first", maintain_order=True)).drop("_device")


def _with_devices_of_names(devices: pl.DataFrame) -> pl.DataFrame:
    """Return the devices with `_device`, equal for mentions of one device in an alert."""
    devices = devices.with_columns(_device=pl.coalesce("device_id", "mention"))
    borne = devices.filter(pl.col("original_device_id").is_not_null()).select(
        *ALERT_KEY, "_device", _names=pl.concat_list(name_key(pl.col("device_name")), name_key(pl.col("evidence_name")))
    )
    in_same_alert = (
        devices.filter(pl.col("name").is_not_null())
        .select(*ALERT_KEY, "mention", "name")
        .join(borne.explode("_names"), on=ALERT_KEY)
        .filter(same_name(pl.col("name"), pl.col("_names")))
        .sort("_device")
        .unique([*ALERT_KEY, "mention"], keep="first", maintain_order=True)
        .select(*ALERT_KEY, "mention", _identified="_device")
    )
    return (
        devices.join(in_same_alert, on=[*ALERT_KEY, "mention"], how="left")
        .with_columns(_device=pl.coalesce("_identified", "_device"))
        .drop("_identified")
    )


def linking_devices(devices: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY and what ties leads by their device, `device_id`: the id, else `name:` and the name with domain.

    A name without domain ties nothing: other devices of the tenant can bear it.

    Args:
        devices: result of `distinct_devices`.
    """
    name = pl.col("name")
    linking = is_fqdn(name) & ~name.map_elements(is_address, return_dtype=pl.Boolean)
    by_name = pl.when(linking).then(pl.concat_str(pl.lit("name:"), name))
    return devices.select(*ALERT_KEY, device_id=pl.coalesce("device_id", by_name))


def primary_devices(devices: pl.DataFrame, alerts: pl.DataFrame) -> pl.DataFrame:
    """Return the device columns of each alert, one row per alert of `alerts` (ALERT_KEY, `alert_time`).

    ALERT_KEY, `device_id`, `original_device_id`, `device_match` (`no_device` where no evidence names one),
    `device_matched_by`, `device_seen_at`, `device_age_seconds` (negative for a heartbeat after the alert), the lead's
    DEVICE_COLUMNS, `device_tags`, `device_count` and `devices` (null unless there are several).
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


def tags(prefix: str = "") -> pl.Expr:
    """Return the device's tags of all three columns, sorted; null if no heartbeat is known."""
    lists = [pl.col(f"{prefix}{name}").fill_null(pl.lit([], dtype=pl.List(pl.String()))) for name in _TAGS[:2]]
    single = pl.concat_list(pl.col(f"{prefix}registry_tag"))
    found = pl.concat_list(*lists, single).list.drop_nulls().list.unique().list.sort()
    return pl.when(pl.col("device_seen_at").is_not_null()).then(found)
