"""Explained scores from 0 to 100: reasons whose points add up to the score. Leads and stories use them."""

import polars as pl

from defender_assets.core.lists import row_list

TOP = 100

REASON = pl.Struct({"reason": pl.String(), "points": pl.Int64()})
REASONS = pl.List(REASON)
"""The type of reasons: their points add up to the score."""

_CUT = "More than 100 points count as 100"
_FLOOR = "Fewer than 0 points count as 0"


def clamp_score(frame: pl.DataFrame, score: str, reasons: str) -> pl.DataFrame:
    """Add the column `score`: the sum of `reasons`, kept within 0 and 100 by a last reason."""
    total = pl.col(reasons).list.eval(pl.element().struct.field("points")).list.sum().fill_null(0)
    above, below = reason(pl.lit(_CUT), TOP - total), reason(pl.lit(_FLOOR), -total)
    correction = pl.when(total > TOP).then(above).when(total < 0).then(below)
    return frame.with_columns(
        pl.concat_list(reasons, row_list([correction])).alias(reasons),
        total.clip(0, TOP).cast(pl.Int64).alias(score),
    )


def reason(words: pl.Expr, points: pl.Expr) -> pl.Expr:
    """Return a REASON."""
    return pl.struct(reason=words, points=points.cast(pl.Int64))
