"""What the lake knows of one entity: a device, a user, a hash, an address, a host or a mail."""

from datetime import date

import polars as pl
import polars.selectors as cs

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.invisible import as_pasted
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.devices.texts import filled
from defender_assets.core.leads.entities.lists import ENTITY_LISTS
from defender_assets.core.leads.schema import LEAD_SCHEMA, LEADS_TABLE
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets.outputs.queries.filters import is_text
from defender_assets.outputs.queries.views import current_leads

_LISTS = ("entities", "devices", *(listed.name for listed in ENTITY_LISTS))
_DEVICE = ("device_id", "original_device_id", "device_name")
DEVICE_STATE = (
    "DeviceName", "OSPlatform", "OSVersion", "MachineGroup", "OnboardingStatus", "SensorHealthState", "ExposureLevel",
    "AssetValue", "IsInternetFacing", "PublicIP", "JoinType",
)  # fmt: skip
"""The columns of a device's heartbeat that make up its state."""


def naming(leads: pl.LazyFrame, value: str) -> pl.LazyFrame:
    r"""Return the leads that name an entity, without regard to case: an id, a name, a hash, an address, a URL.

    A device is also found by its name without the domain, a user by `domain\name`.
    """
    wanted = as_pasted(value)
    conditions = [_is_device(pl.col(name), wanted) for name in _DEVICE]
    for name in _LISTS:
        found = pl.col(name).list.eval(_any_field(LEAD_SCHEMA[name], wanted).fill_null(value=False)).list.any()
        conditions.append(found.fill_null(value=False))
    return leads.filter(pl.any_horizontal(conditions))


def _any_field(structs: pl.DataType, wanted: str) -> pl.Expr:
    """Return whether any text of a struct in a list is the wanted one."""
    field, inner = pl.element().struct.field, structs.inner if isinstance(structs, pl.List) else None
    texts = [each.name for each in inner.fields if each.dtype == pl.String] if isinstance(inner, pl.Struct) else []
    matches = [(_is_device if text == "device_name" else is_text)(field(text), wanted) for text in texts]
    if {"domain", "name"} <= {*texts}:
        matches.append(is_text(pl.concat_str(field("domain"), pl.lit("\\"), field("name")), wanted))
    return pl.any_horizontal(matches)


def _is_device(name: pl.Expr, wanted: str) -> pl.Expr:
    """Return whether a device's id or name is the wanted one, or its name without the domain."""
    return is_text(name, wanted) | name.str.to_lowercase().str.starts_with(f"{wanted}.").fill_null(value=False)


def lead_keys(lake: Lake, value: str) -> pl.LazyFrame:
    """Return LEAD_KEY of the leads of which any row names the entity."""
    return naming(lake.read(LEADS_TABLE), value).select(LEAD_KEY).unique()


def current_leads_of(lake: Lake, keys: pl.DataFrame) -> pl.LazyFrame:
    """Return the latest row of each of these leads, muted ones included, in the order of the queue."""
    return current_leads(lake, muted=True).join(keys.lazy(), on=LEAD_KEY, how="semi", maintain_order="left")


def device_states(lake: Lake, value: str, since: date) -> pl.LazyFrame:
    """Return the states of a device, by its id or name, in the partitions from a day on: one row per change.

    What a partial heartbeat lacks is as before.

    Columns: `tenant_id`, `DeviceId`, `Timestamp` of the first heartbeat with the state, and DEVICE_STATE.
    """
    wanted, key = as_pasted(value), ["tenant_id", "DeviceId"]
    beats = lake.read(DEVICE_INFO.name).filter(
        pl.col("export_date") >= since, is_text(pl.col("DeviceId"), wanted) | _is_device(pl.col("DeviceName"), wanted)
    )
    state = pl.struct(DEVICE_STATE)
    return (
        beats.select(*key, "Timestamp", *DEVICE_STATE)
        .sort(*key, "Timestamp")
        .with_columns(filled(cs.by_name(DEVICE_STATE) & cs.string()))
        .with_columns(pl.col(DEVICE_STATE).forward_fill().over(key))
        .filter((state != state.shift(1).over(key)) | pl.struct(key).is_first_distinct())
        .sort("Timestamp", *key)
    )
