"""The summary of a day of a typed table: arrival lag, counts for charts, and the newest rows."""

from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets.core.tables.moments import moment

LAGS = {"under 1 min": 60, "1 to 5 min": 300, "5 to 15 min": 900, "15 to 60 min": 3600, "1 to 6 h": 21600}
LONGER = "over 6 h"
"""Names of the ranges of arrival lag, with their upper bounds in seconds."""

NEWEST = 10

_SHOWN = {
    ALERT_INFO.name: ("Timestamp", "Severity", "ServiceSource", "Title", "AlertId"),
    ALERT_EVIDENCE.name: ("Timestamp", "AlertId", "EntityType", "EvidenceRole", "DeviceName", "AccountUpn"),
    DEVICE_INFO.name: ("Timestamp", "DeviceName", "OSPlatform", "ExposureLevel", "SensorHealthState", "DeviceId"),
}
_COUNTED = {ALERT_INFO.name: "Severity", ALERT_EVIDENCE.name: "EntityType", DEVICE_INFO.name: "OSPlatform"}


@dataclass(frozen=True)
class DailySummary:
    """What arrived on a day.

    `lag_median` and `lag_p95` are seconds from event to export, None if no record has both times. A Timestamp that is
    no moment (`moments`) is no time of an event. `lags` counts records by the names of LAGS and LONGER. `counts` counts
    alerts or devices by their most telling column, `hours` by hour of the event (UTC) and that column. Each alert or
    device is counted once per value, as "(none)" if none of its records has a value. `newest` contains up to NEWEST
    rows of a few columns.
    """

    lag_median: float | None
    lag_p95: float | None
    lags: dict[str, int]
    counts: dict[str, int]
    hours: dict[tuple[int, str], int]
    newest: pl.DataFrame


def summarize_day(snapshot: DeltaTable, table: Table, day: date) -> DailySummary:
    """Return the summary of a day. It reads four columns of all records, and a few newest rows."""
    rows = scan_days(snapshot, day, day)
    records = rows.select(
        hour=moment().dt.hour().cast(pl.Int64),
        value=_COUNTED[table.name],
        key=pl.col(table.key),
        lag=(pl.col("exported_at") - moment()).dt.total_milliseconds() / 1000,
    ).collect()
    # ignore a record without a value if another record of the same key has one
    partial = pl.col("value").is_null() & pl.col("value").is_not_null().any().over("key")
    counted = records.filter(~partial).with_columns(pl.col("value").fill_null("(none)"))
    hours = counted.drop_nulls("hour").group_by("hour", "value").agg(pl.col("key").n_unique())
    newest = [moment(), pl.col("record_id")]
    lags = records.select(pl.col("lag").drop_nulls())
    lag_name = pl.lit(LONGER)
    for name, bound in reversed(LAGS.items()):
        lag_name = pl.when(pl.col("lag") < bound).then(pl.lit(name)).otherwise(lag_name)
    return DailySummary(
        lag_median=lags["lag"].quantile(0.5),
        lag_p95=lags["lag"].quantile(0.95),
        lags=dict(lags.group_by(lag_name.alias("name")).len().iter_rows()),
        counts=dict(counted.group_by("value").agg(pl.col("key").n_unique()).iter_rows()),
        hours={(hour, value): count for hour, value, count in hours.iter_rows()},
        newest=rows.top_k(NEWEST, by=newest)
        .sort(newest, descending=True, nulls_last=True)
        .select(_SHOWN[table.name])
        .collect(),
    )
