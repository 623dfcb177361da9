"""The state of the data behind the brief: what arrived, how late, what was quarantined, which days are silent.

A day's brief depends only on the tables up to that day. `defender-assets check` and the check `stale_days` show which
days are behind now.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from defender_assets.core.lake.snapshots import days_between
from defender_assets.core.tables.moments import moment
from defender_assets.outputs.brief.schema import BRIEF_LOOKBACK_DAYS


@dataclass(frozen=True)
class Arrival:
    """What arrived on the day: count, newest event, and seconds from an event until Microsoft wrote it."""

    name: str
    what: str
    count: int
    newest: datetime | None
    lag_median: float | None
    lag_p95: float | None


@dataclass(frozen=True)
class Health:
    """What an analyst should know about the data before trusting a quiet page.

    `silent` are the days of the look-back without a heartbeat, counted from its first day with one.
    """

    arrivals: list[Arrival]
    quarantined: list[tuple[str, int]]
    silent: list[date]
    tenants: list[str]

    @property
    def quarantined_lines(self) -> int:
        """Return the number of the day's lines that are not records."""
        return sum(count for _, count in self.quarantined)


def health(day: date, leads: pl.DataFrame, device_info: pl.LazyFrame, quarantined: pl.LazyFrame) -> Health:
    """Return the state of the data.

    `leads` are those of the day, muted ones included; `device_info` has the partitions D-7 … D, `quarantined` partition
    D.
    """
    beats = days_between(device_info, day, day)
    span = days_between(device_info, day - timedelta(days=BRIEF_LOOKBACK_DAYS), day)
    alerts, heartbeats, tenants, reasons, beating = pl.collect_all(
        [
            _arrival(leads.lazy().filter(pl.col("change") == "new"), "alert_time", "first_seen_at"),
            _arrival(beats.with_columns(Timestamp=moment()), "Timestamp", "exported_at"),
            beats.select("tenant_id").unique().sort("tenant_id"),
            days_between(quarantined, day, day)
            .group_by("reason")
            .len()
            .sort("len", "reason", descending=[True, False]),
            span.select("export_date").unique(),
        ]
    )
    return Health(
        arrivals=[
            Arrival("Alerts", "new lead", *alerts.row(0)),
            Arrival("Heartbeats", "heartbeat", *heartbeats.row(0)),
        ],
        quarantined=[(reason or "unknown", count) for reason, count in reasons.rows()],
        silent=_silent(day, set(beating["export_date"])),
        tenants=tenants["tenant_id"].to_list(),
    )


def _arrival(rows: pl.LazyFrame, event: str, written: str) -> pl.LazyFrame:
    lag = (pl.col(written) - pl.col(event)).dt.total_milliseconds() / 1000
    return rows.select(
        pl.len(), pl.col(event).max(), median=lag.median(), p95=lag.quantile(0.95, interpolation="nearest")
    )


def _silent(day: date, beating: set[date]) -> list[date]:
    if not beating:
        return []
    first = min(beating)
    since = [first + timedelta(days=number) for number in range((day - first).days + 1)]
    return [one for one in since if one not in beating]
