"""The state of a device at its alert, from its heartbeats. Identifiers of merged devices are in `merges`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, Self

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.devices.merges import Device, merge_paths
from defender_assets.core.leads.devices.names import devices_by_name
from defender_assets.core.leads.devices.texts import filled, filled_list
from defender_assets.core.schemas.column import INSTANT, LOGGED_ON_USERS, Column

DEVICES_AT_ONCE = 30_000
"""Devices per slice: bounds memory by this number instead of the tenant's size."""


@dataclass(frozen=True)
class DeviceColumn:
    """A column of the lead that comes from DeviceInfo; `carried`: filled forward from earlier heartbeats."""

    column: Column
    source: pl.Expr
    carried: bool = True


def _device_column(name: str, microsoft: str, meaning: str, dtype: pl.DataType | None = None) -> DeviceColumn:
    dtype, source = dtype or pl.String(), pl.col(microsoft)
    if dtype == pl.String():
        source = filled(source)
    elif dtype == pl.List(pl.String()):
        source = filled_list(source)
    return DeviceColumn(Column(name, dtype, meaning), source)


def _users() -> pl.Expr:
    """Return LoggedOnUsers without texts that fill nothing, and without entries that have no other."""
    texts = [filled(pl.element().struct.field(name)).alias(name) for name in ("UserName", "DomainName", "Sid")]
    known = pl.any_horizontal(text.is_not_null() for text in texts)
    return pl.col("LoggedOnUsers").list.eval(pl.struct(texts).filter(known))


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
        _users(),
        carried=False,
    ),
)
"""What a lead takes from a heartbeat.

A null in a partial heartbeat is unknown, so values are carried forward; so is a text that fills nothing, such as `-`.
"""

_BEAT = ["tenant_id", "export_date", "lookup_id", "record_id"]
"""What identifies a heartbeat."""
_PATH, _MENTION = ["tenant_id", "start_id"], [*ALERT_KEY, "mention"]
_AT_ONCE = [taken for taken in DEVICE_COLUMNS if taken.carried]
_LATER = [taken for taken in DEVICE_COLUMNS if not taken.carried]
_CARRIED = [taken.column.name for taken in DEVICE_COLUMNS if taken.carried]


def end_of(day: date) -> datetime:
    """Return the end of a day (UTC): no heartbeat after it is "now" for the leads of the day."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def devices_as_of(
    devices: pl.LazyFrame, successors: Mapping[Device, str], probes: pl.DataFrame, day: date
) -> pl.DataFrame:
    """Return each probed device as it was at the time of its alert.

    The heartbeats of all identifiers on the path of merges, from the evidence's one to the last successor, are one
    timeline. `as_of`: its latest heartbeat at or before the alert, with columns carried forward from earlier ones.
    `after`: its earliest heartbeat after the alert, nothing carried. Else `unknown`. At equal times the higher ReportId
    wins, then the higher record_id. A name without identifier is looked up first (`names`).

    Args:
        devices: typed DeviceInfo rows of the look-back, with moments (`tables.moments`); copies are allowed.
        successors: result of `merges` for them.
        probes: ALERT_KEY, `mention`, `original_device_id`, `name` (as `named_devices`), `alert_time`.
        day: the partition of the leads.

    Returns:
        ALERT_KEY, `mention`, `device_id` (the last successor; null for a name that not exactly one device bears),
        `device_match`, `device_seen_at` and DEVICE_COLUMNS; also `now_seen_at` and the carried DEVICE_COLUMNS with the
        prefix `now_`, as of the newest heartbeat that is not later than the day.
    """
    started = _with_start(devices, successors, probes)
    starts = started.select(_PATH).drop_nulls().unique(maintain_order=True)
    parts = [
        _as_of(devices, successors, started.join(part, on=_PATH, how="semi"), day)
        for part in starts.iter_slices(DEVICES_AT_ONCE)
    ]
    nowhere = started.filter(pl.col("start_id").is_null())
    if nowhere.height or not parts:
        parts.append(_as_of(devices.head(0), {}, nowhere, day))
    return pl.concat(parts)


def ids_with_heartbeats(devices: pl.LazyFrame, paths: pl.DataFrame) -> pl.DataFrame:
    """Return `tenant_id` and `lookup_id` of the identifiers of merge paths that have a heartbeat with a moment."""
    ids = paths.get_column("lookup_id").unique().implode()
    return (
        devices.filter(lookup_id().is_in(ids) & pl.col("Timestamp").is_not_null())
        .select("tenant_id", lookup_id=lookup_id())
        .unique()
        .collect()
    )


def _with_start(devices: pl.LazyFrame, successors: Mapping[Device, str], probes: pl.DataFrame) -> pl.DataFrame:
    """Return the probes with `start_id`: where the path begins, null for a name that not exactly one device bears."""
    named = devices_by_name(devices, successors, probes.filter(pl.col("original_device_id").is_null()))
    return probes.join(named, on=_MENTION, how="left").select(
        *_MENTION, "alert_time", start_id=pl.coalesce("original_device_id", "start_id")
    )


def _as_of(devices: pl.LazyFrame, successors: Mapping[Device, str], probes: pl.DataFrame, day: date) -> pl.DataFrame:
    paths = merge_paths(successors, probes.drop_nulls("start_id"))
    numbers = paths.select(_PATH).unique().with_row_index("path")
    timelines = _Timelines.of(_heartbeats(devices, paths.join(numbers, on=_PATH)))
    asked = probes.join(numbers, on=_PATH)
    before, after = _nearest(asked, timelines.rows)
    found = pl.concat(
        [
            _found(before, timelines.carried(before.get_column("row")), "as_of"),
            _found(after, timelines.whole(after.get_column("row")), "after"),
        ]
    )
    found = found.join(_read_later(devices, found), on=_BEAT, how="left").drop(_BEAT[1:])
    return (
        probes.select(*_MENTION, *_PATH[1:])
        .join(paths.select(*_PATH, "device_id").unique(), on=_PATH, how="left")
        .join(found, on=_MENTION, how="left")
        .join(_newest(timelines, numbers, day), on=_PATH, how="left")
        .with_columns(pl.col("device_match").fill_null("unknown"))
        .drop("start_id")
    )


def _heartbeats(devices: pl.LazyFrame, paths: pl.DataFrame) -> pl.DataFrame:
    """Return the heartbeats along each path, with its number, in any order; without what is read later."""
    ids = paths.get_column("lookup_id").unique().implode()
    # The filter is pushed down, so that only these devices are decoded; the join adds the tenant and the path.
    return (
        devices.filter(lookup_id().is_in(ids) & pl.col("Timestamp").is_not_null())
        .with_columns(lookup_id=lookup_id())
        .join(paths.lazy().select("tenant_id", "lookup_id", "path"), on=["tenant_id", "lookup_id"])
        .select(
            "path",
            "ReportId",
            *_BEAT,
            pl.col("Timestamp").cast(INSTANT).alias("device_seen_at"),
            **{taken.column.name: taken.source for taken in _AT_ONCE},
        )
        .collect()
    )


def _read_later(devices: pl.LazyFrame, beats: pl.DataFrame) -> pl.DataFrame:
    """Return _BEAT and the columns that are not carried forward, of these heartbeats, each once.

    Only the days of the heartbeats are read: a list of structs costs as much as all other columns together.
    """
    beats = beats.select(_BEAT).unique()
    days, ids = (beats.get_column(name).unique().implode() for name in ("export_date", "lookup_id"))
    return (
        devices.filter(pl.col("export_date").is_in(days) & lookup_id().is_in(ids))
        .with_columns(lookup_id=lookup_id())
        .join(beats.lazy(), on=_BEAT, how="semi")
        .select(*_BEAT, **{taken.column.name: taken.source for taken in _LATER})
        .unique(_BEAT)
        .collect()
    )


class _Timelines(NamedTuple):
    """The heartbeats of each path in order of time. Only numbers are sorted; values are copied when they are wanted."""

    beats: pl.DataFrame
    """The heartbeats, in any order."""
    rows: pl.DataFrame
    """`row`, `path`, `device_seen_at`, and `beat`: the heartbeat's place in `beats`; by path and time."""
    newest: pl.DataFrame
    """For each row and carried column, the newest row up to it that has a value, null if none of the path has."""

    @classmethod
    def of(cls, beats: pl.DataFrame) -> Self:
        rows = (
            beats.select(
                "path", "device_seen_at", "ReportId", "record_id", beat=pl.int_range(pl.len(), dtype=pl.UInt32)
            )
            .sort("path", "device_seen_at", "ReportId", "record_id", nulls_last=False)
            .select("path", "device_seen_at", "beat")
            .with_row_index("row")
        )
        path, row = pl.col("path"), pl.col("row")
        has_value = beats.select(pl.col(_CARRIED).is_not_null())[rows.get_column("beat")]
        newest = (
            rows.select("row", first=pl.when(path.ne_missing(path.shift())).then(row).forward_fill())
            .hstack(has_value)
            .select("first", *(pl.when(name).then(row).forward_fill().alias(name) for name in _CARRIED))
            .select(pl.when(pl.col(name) >= pl.col("first")).then(name) for name in _CARRIED)
        )
        return cls(beats, rows, newest)

    def carried(self, rows: pl.Series) -> pl.DataFrame:
        """Return what `whole` does of these rows, with what the heartbeat does not fill carried forward."""
        whole, newest = self.whole(rows), self.newest[rows]
        return whole.with_columns(
            self.beats.get_column(name).gather(self.rows.get_column("beat").gather(newest.get_column(name)))
            for name in _CARRIED
        )

    def whole(self, rows: pl.Series) -> pl.DataFrame:
        """Return _BEAT without the tenant, `device_seen_at` and _CARRIED of these rows, as the heartbeat has them."""
        return self.beats.select(*_BEAT[1:], "device_seen_at", *_CARRIED)[self.rows.get_column("beat").gather(rows)]


def lookup_id() -> pl.Expr:
    """Return DeviceId as `identifier` does, but also what fills nothing, which is never looked up."""
    return pl.col("DeviceId").str.strip_chars().str.to_lowercase()


def _nearest(asked: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return `_MENTION` and `row`: of each alert the latest heartbeat at or before it, else the earliest after it.

    The first frame has those before, the second one those after. Of heartbeats at one time, the last row counts.

    `asked` has _MENTION, `path` and `alert_time`; `rows` are those of `_Timelines`.
    """
    times = rows.get_column("device_seen_at")
    moments = times.unique().sort()
    # Path and moment as one number, by which the rows are sorted.
    keys = (_first_key(rows, moments) + moments.search_sorted(times, "left")).rename("key")
    first = _first_key(asked, moments)
    start, end = (keys.search_sorted(edge, "left") for edge in (first, first + len(moments) + 1))
    until = keys.search_sorted(first + moments.search_sorted(asked.get_column("alert_time"), "right"), "left")
    before, after = asked.filter(until > start), asked.filter((until == start) & (until < end))
    earliest = keys.gather(until.filter((until == start) & (until < end)))
    return (
        before.select(_MENTION).with_columns((until.filter(until > start) - 1).alias("row")),
        after.select(_MENTION).with_columns((keys.search_sorted(earliest, "right") - 1).alias("row")),
    )


def _first_key(rows: pl.DataFrame, moments: pl.Series) -> pl.Series:
    return rows.get_column("path").cast(pl.Int64) * (len(moments) + 1)


def _found(nearest: pl.DataFrame, values: pl.DataFrame, match: str) -> pl.DataFrame:
    return pl.concat([nearest.select(_MENTION), values.with_columns(device_match=pl.lit(match))], how="horizontal")


def _newest(timelines: _Timelines, numbers: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return the newest heartbeat of each path that is not later than the day, as `now_…`."""
    in_time = timelines.rows.filter(pl.col("device_seen_at") < end_of(day))
    last = in_time.group_by("path").agg(pl.col("row").max())
    values = timelines.carried(last.get_column("row")).select(
        now_seen_at="device_seen_at", **{f"now_{name}": name for name in _CARRIED}
    )
    return last.select("path").hstack(values).join(numbers, on="path").drop("path")
