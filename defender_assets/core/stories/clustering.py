"""Clusters linked leads into stories, and finds the entities that the leads of a group share."""

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY, connected_components
from defender_assets.core.stories.correlation import (
    ENTITY_KEY,
    LINK_THRESHOLD,
    LINK_WINDOW,
    MERGE_THRESHOLD,
    PARTS,
    lead_entities,
)


def groups(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return the groups of leads: `tenant_id`, `lead_id`, `group` (an arbitrary number).

    A lead joins only the earlier lead to which its link is strongest, so that a lead which happens to touch two groups
    does not merge them. Only links below MERGE_THRESHOLD do. A lead without a link to any single lead can still join a
    group as a whole.

    Args:
        candidates: result of `candidate_links`.
    """
    close = candidates.filter(pl.col("expected") < LINK_THRESHOLD)
    best = close.unique(LEAD_KEY, keep="first", maintain_order=True)
    sure = close.filter(pl.col("expected") < MERGE_THRESHOLD)
    pairs = pl.concat([best, sure]).select("tenant_id", "lead_id", "earlier").unique()
    links = (((tenant_id, one), (tenant_id, other)) for tenant_id, one, other in pairs.iter_rows())
    members = [(*lead, number) for number, component in enumerate(connected_components(links)) for lead in component]
    schema = {"tenant_id": pl.String(), "lead_id": pl.String(), "group": pl.Int64()}
    grouped = pl.DataFrame(members, schema=schema, orient="row")
    return pl.concat([grouped, _joined_to_groups(candidates, grouped)])


def _joined_to_groups(candidates: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    """Return the single leads that follow a group and share enough with its leads taken together.

    A step from one device to the next shares the user with the leads before and the device with the leads after. If
    one lead shares both, only the rarer counts: it can be the user's own device.
    """
    followed = candidates.with_columns(follows=pl.lit(value=True))
    led = candidates.rename({"lead_id": "earlier", "earlier": "lead_id"}).with_columns(follows=pl.lit(value=False))
    of_group = grouped.rename({"lead_id": "earlier"})
    lone = (
        pl.concat([followed, led.select(followed.columns)])
        .join(grouped, on=LEAD_KEY, how="anti")
        .join(of_group, on=["tenant_id", "earlier"])
    )
    user, device, what, ordinary = (pl.col(part) for part in PARTS)
    own_device = ((user < 1) & (device < 1)).any()
    who = pl.when(own_device).then(pl.min_horizontal(user.min(), device.min())).otherwise(user.min() * device.min())
    return (
        lone.group_by(*LEAD_KEY, "group")
        .agg(expected=who * what.min() * ordinary.min(), first=pl.col("earlier").min(), follows=pl.col("follows").any())
        .filter(pl.col("follows") & (pl.col("expected") < LINK_THRESHOLD))
        .sort(*LEAD_KEY, "expected", "first")
        .unique(LEAD_KEY, keep="first", maintain_order=True)
        .select(grouped.columns)
    )


def shared_entities(leads: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    r"""Return `group` and `shared_entities`: the entities that link its leads, each with the ids of those leads.

    The identifiers of one user that link the same leads are one entity, named by the first that it has of object id,
    UPN, SID, domain\name.
    """
    shared = _shared_in_time(lead_entities(leads).join(grouped, on=LEAD_KEY))
    entities = (
        shared.join(_users(shared), on=ENTITY_KEY, how="left")
        .group_by("group", "kind", "value", _who=pl.coalesce("person", "value"))
        .agg(lead_ids=pl.col("lead_id").unique().sort())
    )
    return (
        entities.sort("group", _preference(), "value")
        .unique(["group", "kind", "_who", "lead_ids"], keep="first", maintain_order=True)
        .sort("group", pl.col("lead_ids").list.len() * -1, "kind", "value")
        .group_by("group", maintain_order=True)
        .agg(shared_entities=pl.struct("kind", "value", "lead_ids"))
    )


def _shared_in_time(entities: pl.DataFrame) -> pl.DataFrame:
    """Return the entities that another lead of the group has within LINK_WINDOW."""
    entity = ["group", "kind", "value"]
    gap = pl.col("alert_time").diff().over(entity) <= LINK_WINDOW
    entities = entities.sort(*entity, "alert_time", "lead_id").with_columns(_near=gap.fill_null(value=False))
    return entities.filter(pl.col("_near") | pl.col("_near").shift(-1, fill_value=False).over(entity))


def _users(entities: pl.DataFrame) -> pl.DataFrame:
    """Return the `person` of each user identifier: leads of different days can have different identifiers of one."""
    users = entities.filter(pl.col("kind") == "user").select("tenant_id", "value", "identity").unique()
    links = (((tenant_id, one), (tenant_id, other)) for tenant_id, one, other in users.iter_rows())
    rows = [
        (tenant_id, "user", value, min(component)[1])
        for component in connected_components(links)
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
