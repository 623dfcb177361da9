"""Which leads become one story: ties in, groups out; and what the leads of a group share. Ties are made next door."""

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY, connected_components
from defender_assets.core.stories.correlation import LINK_THRESHOLD, MERGE_THRESHOLD, PARTS, TIE_WINDOW, held_entities


def groups(tied: pl.DataFrame) -> pl.DataFrame:
    """Return which leads belong together: `tenant_id`, `lead_id`, `group` (a number of no further meaning).

    A lead follows from one earlier lead, the one that it is tied to most surely; so a lead that touches two groups by
    the way does not make them one. Only a tie below SURE does. A lead that no single one ties may still be
    tied to a group as a whole.
    """
    close = tied.filter(pl.col("expected") < LINK_THRESHOLD)
    best = close.unique(LEAD_KEY, keep="first", maintain_order=True)
    sure = close.filter(pl.col("expected") < MERGE_THRESHOLD)
    pairs = pl.concat([best, sure]).select("tenant_id", "lead_id", "earlier").unique()
    ties = (((tenant_id, one), (tenant_id, other)) for tenant_id, one, other in pairs.iter_rows())
    members = [(*lead, number) for number, component in enumerate(connected_components(ties)) for lead in component]
    schema = {"tenant_id": pl.String(), "lead_id": pl.String(), "group": pl.Int64()}
    grouped = pl.DataFrame(members, schema=schema, orient="row")
    return pl.concat([grouped, _lone(tied, grouped)])


def _lone(tied: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    """Return the leads that stand alone, but follow from a group and share much with what its leads hold together.

    A step from one device to the next has the user in common with what came before, and the device with what came
    after. Where one lead has both in common only the rarer counts, since they may be one's own.
    """
    followed = tied.with_columns(follows=pl.lit(value=True))
    led = tied.rename({"lead_id": "earlier", "earlier": "lead_id"}).with_columns(follows=pl.lit(value=False))
    of_group = grouped.rename({"lead_id": "earlier"})
    lone = (
        pl.concat([followed, led.select(followed.columns)])
        .join(grouped, on=LEAD_KEY, how="anti")
        .join(of_group, on=["tenant_id", "earlier"])
    )
    user, device, what, ordinary = (pl.col(part) for part in PARTS)
    own = ((user < 1) & (device < 1)).any()
    who = pl.when(own).then(pl.min_horizontal(user.min(), device.min())).otherwise(user.min() * device.min())
    return (
        lone.group_by(*LEAD_KEY, "group")
        .agg(expected=who * what.min() * ordinary.min(), first=pl.col("earlier").min(), follows=pl.col("follows").any())
        .filter(pl.col("follows") & (pl.col("expected") < LINK_THRESHOLD))
        .sort(*LEAD_KEY, "expected", "first")
        .unique(LEAD_KEY, keep="first", maintain_order=True)
        .select(grouped.columns)
    )


def shared_entities(leads: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    r"""Return `group` and `shared_entities`: what ties its leads, each with the ids of the leads that it ties.

    The identifiers of one user that tie the same leads are one entity, named by the best of them: the object id,
    failing that the UPN, then the SID, then domain\name.
    """
    held = _in_time(held_entities(leads).join(grouped, on=LEAD_KEY, how="inner"))
    named = held.join(_users(held), on=["tenant_id", "kind", "value"], how="left")
    entities = named.group_by("group", "kind", "value", _who=pl.coalesce("person", "value")).agg(
        pl.col("lead_id").unique().sort().alias("lead_ids")
    )
    return (
        entities.sort("group", _preference(), "value")
        .unique(["group", "kind", "_who", "lead_ids"], keep="first", maintain_order=True)
        .sort("group", pl.col("lead_ids").list.len() * -1, "kind", "value")
        .group_by("group", maintain_order=True)
        .agg(shared_entities=pl.struct("kind", "value", "lead_ids"))
    )


def _in_time(held: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of entities that another lead of the group holds within TIE_WINDOW."""
    entity = ["group", "kind", "value"]
    gap = pl.col("alert_time").diff().over(entity) <= TIE_WINDOW
    held = held.sort(*entity, "alert_time", "lead_id").with_columns(_near=gap.fill_null(value=False))
    return held.filter(pl.col("_near") | pl.col("_near").shift(-1, fill_value=False).over(entity))


def _users(held: pl.DataFrame) -> pl.DataFrame:
    """Return which user identifiers are one person's: leads of different days may know different parts of them."""
    users = held.filter(pl.col("kind") == "user").select("tenant_id", "value", "identity").unique()
    ties = (((tenant_id, one), (tenant_id, other)) for tenant_id, one, other in users.iter_rows())
    rows = [
        (tenant_id, "user", value, min(component)[1])
        for component in connected_components(ties)
        for tenant_id, value in component
    ]
    schema = {"tenant_id": pl.String(), "kind": pl.String(), "value": pl.String(), "person": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _preference() -> pl.Expr:
    value = pl.col("value")
    return (
        pl.when(value.str.contains("@", literal=True))
        .then(1)
        .when(value.str.starts_with("s-1-"))
        .then(2)
        .when(value.str.contains("\\", literal=True))
        .then(3)
        .otherwise(0)
    )
