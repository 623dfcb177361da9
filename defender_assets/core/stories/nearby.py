"""Finds leads near a story: they share a user or device with it, too little to belong to it, but enough to rise."""

from datetime import date

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.stories.clustering import JOIN_THRESHOLD, Evidence
from defender_assets.core.stories.group_correlation import expected_of_joins
from defender_assets.core.stories.schema import NEARBY_LEAD

MOST_RECEIVED = 80
"""A story with more points says no more about a lead that does not belong to it."""

HALF = 10 * JOIN_THRESHOLD
"""A lead receives half of the points if so many unrelated leads are expected to share as much with the story."""

BY_DETECTION = "detection"
"""The kind of a lead that names nothing: only its detection links it to the story."""


def nearby_leads(evidence: Evidence, grouped: pl.DataFrame, points: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return `group` and `nearby_leads`: the lone leads of the day that each story lifts.

    Each lead is lifted by the one story from which it receives most.

    `grouped` (GROUPED) and `points` (`group`, `points`) are those of the stories of the day. Leads without a row in the
    day are in no queue of it.
    """
    lone = evidence.leads.filter(pl.col("_last_day") == day).select("lead", *LEAD_KEY)
    numbered = evidence.leads.select("lead", *LEAD_KEY).join(grouped, on=LEAD_KEY).select("lead", "group")
    share = HALF / (HALF + pl.col("expected"))
    received = (
        expected_of_joins(evidence.known, evidence.pairs, numbered, evidence.leads, evidence.ordinary)
        .filter(pl.col("expected") < 1)
        .join(lone, on="lead")
        .join(points, on="group")
        .with_columns(points=(pl.col("points").clip(upper_bound=MOST_RECEIVED) * share).round().cast(pl.Int64))
        .filter(pl.col("points") > 0)
        .sort("lead", "points", "group", descending=[False, True, False])
        .unique("lead", keep="first", maintain_order=True)
    )
    return (
        received.join(_closest(evidence, numbered, received), on=["lead", "group"], how="left")
        .with_columns(pl.col("kind").fill_null(BY_DETECTION))
        .sort("group", "lead_id")
        .group_by("group", maintain_order=True)
        .agg(nearby_leads=pl.struct(*NEARBY_LEAD))
    )


def _closest(evidence: Evidence, grouped: pl.DataFrame, nearby: pl.DataFrame) -> pl.DataFrame:
    """Return `lead`, `group`, and the `kind` of the rarest entity that they share, with the `seconds` between them."""
    either = pl.concat(
        [
            evidence.pairs.select("lead", "entity", "rate", "gap", member="earlier"),
            evidence.pairs.select("entity", "rate", -pl.col("gap"), lead="earlier", member="lead"),
        ],
        how="diagonal",
    )
    kinds = evidence.known.select("entity", "kind").unique()
    return (
        either.join(nearby.select("lead", "group"), on="lead")
        .join(grouped.select("group", member="lead"), on=["group", "member"])
        .join(kinds, on="entity")
        .sort(pl.col("rate"), pl.col("gap").abs(), "kind", "gap")
        .unique(["lead", "group"], keep="first", maintain_order=True)
        .select("lead", "group", "kind", seconds=pl.col("gap").dt.total_seconds())
    )
