"""A story as a timeline: its leads in order of time, each with its tactic and what it shares with earlier ones."""

import polars as pl

from defender_assets.core.attack import tactic_names
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.schemas.column import INSTANT

STEP = {
    "alert_time": INSTANT,
    "tactic": pl.String(),
    "severity": pl.String(),
    "product": pl.String(),
    "title": pl.String(),
    "device_name": pl.String(),
    "accounts": pl.List(pl.String()),
    "shares": pl.List(pl.String()),
    "lead_id": pl.String(),
}
TIMELINE = pl.List(pl.Struct(STEP))
"""A story's steps, the earliest first. `shares` are the entities in common with earlier ones, as `kind value`."""


def timelines(members: pl.DataFrame, shared: pl.DataFrame) -> pl.DataFrame:
    """Return `group` and `timeline` (TIMELINE).

    `members` are the leads with their `group` and readable `_users`, sorted by group, alert_time and lead_id; `shared`
    has `group` and `shared_entities`.
    """
    order = ["group", "alert_time", "lead_id"]
    shares = (
        shared.explode("shared_entities")
        .unnest("shared_entities")
        .with_columns(_rank=pl.int_range(pl.len()).over("group"))
        .explode("lead_ids")
        .rename({"lead_ids": "lead_id"})
        .join(members.select("tenant_id", *order), on=["group", "lead_id"])
        .sort(*order)
        .filter(pl.int_range(pl.len()).over("group", "kind", "value") > 0)
        .sort("_rank")
        .group_by(LEAD_KEY, maintain_order=True)
        .agg(shares=pl.format("{} {}", "kind", "value"))
    )
    steps = members.join(shares, on=LEAD_KEY, how="left", maintain_order="left").with_columns(
        pl.col("shares").fill_null(pl.lit([], dtype=STEP["shares"])),
        tactic=tactic_or_category(pl.col("category")),
        accounts=pl.col("_users").fill_null(pl.lit([], dtype=STEP["accounts"])),
    )
    return steps.sort(order).group_by("group", maintain_order=True).agg(timeline=pl.struct(*STEP).cast(TIMELINE.inner))


def tactic_or_category(category: pl.Expr) -> pl.Expr:
    """Return ATT&CK's name of a category that is a tactic; any other category unchanged."""
    return pl.coalesce(tactic_names(category), category)
