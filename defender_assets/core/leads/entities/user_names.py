"""The users of a lead as people read them."""

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY


def user_names(leads: pl.DataFrame) -> pl.DataFrame:
    r"""Return LEAD_KEY and `_users`: the readable names of each lead's users: UPN, else domain\name, else an id.

    They come from the entities, which leave out accounts of the system and of machines.
    """
    value = pl.col("value")
    is_upn, is_qualified = (value.str.contains(mark, literal=True) for mark in ("@", "\\"))
    return (
        leads.select(*LEAD_KEY, "entities")
        .explode("entities")
        .unnest("entities")
        .filter(pl.col("kind") == "user")
        .sort(pl.when(is_upn).then(0).when(is_qualified).then(1).otherwise(2), "value")
        .unique([*LEAD_KEY, "identity"], keep="first", maintain_order=True)
        .group_by(LEAD_KEY)
        .agg(_users=value.unique())
    )
