"""Leads that a team has muted: they stay in their table, and the views leave them out. Who mutes is told elsewhere."""

from typing import TypeVar

import polars as pl

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)
COLUMN = "muted_by"


def unmuted(leads: Frame) -> Frame:
    """Return the leads that nothing mutes; all of them where the table does not know of muting."""
    if COLUMN not in leads.lazy().collect_schema():
        return leads
    return leads.filter(pl.col(COLUMN).is_null())
