"""The order of leads and stories wherever they are shown."""

from collections.abc import Sequence
from typing import TypeVar

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

PRIORITY_COLUMNS = ("priority", "priority_points", "story_id", "story_title", "story_score")
"""The columns of a lead's entry in the queue that are shown with the lead."""

_POINTS = PRIORITY_COLUMNS[:2]


def with_priority(leads: Frame, entries: Frame, on: Sequence[str] = LEAD_KEY, more: Sequence[str] = ()) -> Frame:
    """Add PRIORITY_COLUMNS to leads; `queue_order` then sorts them.

    A lead without an entry has its own risk as its priority: a muted one, or one of a day whose queue is not built yet.
    The priority is never below the risk, also where the entry is older than the lead.

    `entries` are rows of `lead_queue`, at most one for each lead, with which it has the columns `on` in common; `more`
    are further columns of them to add.
    """
    risk = pl.col("risk_score").fill_null(0)
    return leads.join(entries.select(*on, *PRIORITY_COLUMNS, *more), on=list(on), how="left").with_columns(
        pl.max_horizontal(name, risk).alias(name) for name in _POINTS
    )


def story_order(stories: Frame) -> Frame:
    """Return rows of `lead_stories`, most points first, then the newest.

    Rows of older lakes have no points; their score counts.
    """
    points = pl.coalesce("points", "score")
    order = [points, "last_alert_time", "tenant_id", "story_id", "export_date"]
    return stories.sort(order, descending=[True, True, False, False, True], nulls_last=True)
