"""A day of a typed table at a glance: how late its records came, counts that a picture shows, the newest rows.

How they are shown is the business of the shell; what a run did to the day, of the report of that run.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table

LAGS = {"under 1 min": 60, "1 to 5 min": 300, "5 to 15 min": 900, "15 to 60 min": 3600, "1 to 6 h": 21600}
LONGER = "over 6 h"
"""Arrival behind event time, and the upper bounds of it in seconds."""

NEWEST = 10

_SHOWN = {
    ALERT_INFO.name: ("Timestamp", "Severity", "ServiceSource", "Title", "AlertId"),
    ALERT_EVIDENCE.name: ("Timestamp", "AlertId", "EntityType", "EvidenceRole", "DeviceName", "AccountUpn"),
    DEVICE_INFO.name: ("Timestamp", "DeviceName", "OSPlatform", "ExposureLevel", "SensorHealthState"),
}
_COUNTED = {ALERT_INFO.name: "Severity", ALERT_EVIDENCE.name: "EntityType", DEVICE_INFO.name: "OSPlatform"}


@dataclass(frozen=True)
class DailySummary:
    """What arrived on a day.

    `lag_median` and `lag_p95` are seconds from event to export, None where no record tells both; `lags` counts records
    by the words of LAGS and LONGER. `words` counts alerts, or devices, by the column that tells most of the table,
    `hours` by hour of the event (UTC) and that column: each once however many records it has, as "(none)" where none
    of them fills it. `newest` holds up to NEWEST rows of a few columns.
    """

    lag_median: float | None
    lag_p95: float | None
    lags: dict[str, int]
    words: dict[str, int]
    hours: dict[tuple[int, str], int]
    newest: pl.DataFrame


def summarize_day(opening: DeltaTable, table: Table, day: date) -> DailySummary:
    """Read what a glance at a day shows: the key, a word and two times of each record, and a few whole rows."""
    rows = scan_days(opening, day, day)
    seen = rows.select(
        hour=pl.col("Timestamp").dt.hour().cast(pl.Int64),
        word=_COUNTED[table.name],
        key=pl.col(table.key),
        lag=(pl.col("exported_at") - pl.col("Timestamp")).dt.total_milliseconds() / 1000,
    ).collect()
    # a partial record is silent on what others of its key tell
    silent = pl.col("word").is_null() & pl.col("word").is_not_null().any().over("key")
    counted = seen.filter(~silent).with_columns(pl.col("word").fill_null("(none)"))
    hours = counted.group_by("hour", "word").agg(pl.col("key").n_unique())
    newest = ["Timestamp", "record_id"]
    lags = seen.select(pl.col("lag").drop_nulls())
    words = pl.lit(LONGER)
    for name, bound in reversed(LAGS.items()):
        words = pl.when(pl.col("lag") < bound).then(pl.lit(name)).otherwise(words)
    return DailySummary(
        lag_median=lags["lag"].quantile(0.5),
        lag_p95=lags["lag"].quantile(0.95),
        lags=dict(lags.group_by(words.alias("words")).len().iter_rows()),
        words=dict(counted.group_by("word").agg(pl.col("key").n_unique()).iter_rows()),
        hours={(hour, word): count for hour, word, count in hours.iter_rows()},
        newest=rows.top_k(NEWEST, by=newest).sort(newest, descending=True).select(_SHOWN[table.name]).collect(),
    )
