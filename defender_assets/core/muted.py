"""Leads that a team has muted: they stay in their table, and the views leave them out. Who mutes is told in `risk`."""

from typing import TypeVar

import polars as pl

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


def unmuted(leads: Frame) -> Frame:
    """Return the leads that nothing mutes."""
    return leads.filter(pl.col("muted_by").is_null())
