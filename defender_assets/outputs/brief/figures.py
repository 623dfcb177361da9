"""The brief's numbers: leads by severity, product and hour, and the devices with most leads."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from defender_assets.outputs.brief.format import KINDS

HOURS = 24
DEVICES_SHOWN = 10

Counts = dict[str, int]
"""Kind of severity -> number of leads, without zeros."""


@dataclass(frozen=True)
class Figures:
    """The leads of a day in numbers. `hours` are those of the day's alerts; `earlier` counts alerts of other days."""

    day: date
    leads: int
    severities: Counts
    products: list[tuple[str, Counts]]
    hours: list[Counts]
    earlier: int

    @property
    def busiest(self) -> tuple[int, int]:
        """Return the hour with the most alerts, and their number."""
        totals = [sum(counts.values()) for counts in self.hours]
        most = max(totals)
        return totals.index(most), most


def figures(day: date, leads: pl.DataFrame) -> Figures:
    """Return the numbers of a day's leads (rows of `device_enriched_leads`)."""
    kind = pl.col("severity").str.to_lowercase()
    rows = leads.select(
        "product",
        kind=pl.when(kind.is_in(KINDS)).then(kind).otherwise(pl.lit(KINDS[-1])),
        hour=pl.when(pl.col("alert_time").dt.date() == day).then(pl.col("alert_time").dt.hour().cast(pl.Int64)),
    )
    by_product = _counts(rows, pl.col("product").fill_null(KINDS[-1]))
    by_hour = _counts(rows.drop_nulls("hour"), pl.col("hour"))
    return Figures(
        day,
        leads.height,
        severities=dict(_counts(rows, pl.lit(0)).get(0, {})),
        products=sorted(by_product.items(), key=lambda item: (-sum(item[1].values()), item[0])),
        hours=[by_hour.get(hour, {}) for hour in range(HOURS)],
        earlier=leads.height - sum(sum(counts.values()) for counts in by_hour.values()),
    )


def _counts(rows: pl.DataFrame, group: pl.Expr) -> dict[Any, Counts]:
    found: dict[Any, Counts] = {}
    for key, kind, count in rows.group_by(group=group, kind=pl.col("kind")).len().rows():
        found.setdefault(key, {})[kind] = count
    return {key: {kind: counts[kind] for kind in KINDS if kind in counts} for key, counts in found.items()}


def devices_hit(leads: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the devices with most leads, of equal ones the riskiest first.

    Each has tenant_id, device_id, the newest device columns, `leads`, `top_risk`, `severities` (one per lead).
    """
    shown = ("device_name", "os_platform", "machine_group", "exposure_level", "asset_value", "is_internet_facing")
    return (
        leads.filter(pl.col("device_id").is_not_null())
        .sort("alert_time", "lead_id")
        .group_by("tenant_id", "device_id")
        .agg(
            pl.col(shown).last(ignore_nulls=True),
            leads=pl.len(),
            top_risk=pl.col("risk_score").max(),
            severities=pl.col("severity"),
        )
        .sort("leads", "top_risk", "tenant_id", "device_id", descending=[True, True, False, False])
        .head(DEVICES_SHOWN)
        .to_dicts()
    )
