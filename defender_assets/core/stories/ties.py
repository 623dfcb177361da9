"""What ties leads together, and which leads become one story by it. What a story says is told beside this room."""

from datetime import timedelta

import networkx as nx
import polars as pl

from defender_assets.core.keys import LEAD_KEY

TIE_WINDOW = timedelta(hours=24)
"""Two alerts that share an entity belong together when they are no further apart than this."""

MOST_LEADS = {"user": 100, "device": 100}
MOST_LEADS_OTHERWISE = 25
"""An entity that more leads of the look-back share is everybody's, and ties nothing (a mail gateway, a common file).

A user or a device is somebody's own: it takes more before they are a scanner or a service account.
"""


def ties(leads: pl.DataFrame) -> pl.DataFrame:
    """Return where entities tie leads: `tenant_id`, `kind`, `value`, `identity`, `lead_id`, `run`.

    Rows of one entity and one `run` are tied: sorted by alert time, each is within TIE_WINDOW of the one before. A run
    has two leads at least. Leads a few steps apart in a run may lie further apart; they are tied through those between.

    Args:
        leads: one row per lead, with `tenant_id`, `lead_id`, `alert_time`, `entities`.
    """
    entity = ["tenant_id", "kind", "value"]
    held = (
        leads.select(*LEAD_KEY, "alert_time", "entities")
        .filter(pl.col("alert_time").is_not_null() & (pl.col("entities").list.len() > 0))
        .explode("entities")
        .unnest("entities")
    )
    limit = pl.col("kind").replace_strict(MOST_LEADS, default=MOST_LEADS_OTHERWISE, return_dtype=pl.Int64)
    own = held.group_by(*entity, *LEAD_KEY[1:], "alert_time").agg(identity=pl.col("identity").min())
    gap = pl.col("alert_time").diff().over(entity)
    return (
        own.filter(pl.len().over(entity).is_between(2, limit))
        .sort(*entity, "alert_time", "lead_id")
        .with_columns(run=(gap > TIE_WINDOW).fill_null(value=False).cum_sum().over(entity))
        .filter(pl.len().over(*entity, "run") > 1)
        .select(*entity, "identity", "lead_id", "run")
    )


def groups(tied: pl.DataFrame) -> pl.DataFrame:
    """Return which leads belong together: `tenant_id`, `lead_id`, `group` (a number of no further meaning)."""
    after = pl.col("lead_id").shift(-1).over("tenant_id", "kind", "value", "run")
    pairs = tied.select("tenant_id", "lead_id", other=after).drop_nulls().unique()
    graph: nx.Graph[tuple[str, str]] = nx.Graph()
    graph.add_edges_from(((tenant_id, one), (tenant_id, other)) for tenant_id, one, other in pairs.iter_rows())
    members = [(*lead, number) for number, component in enumerate(nx.connected_components(graph)) for lead in component]
    schema = {"tenant_id": pl.String(), "lead_id": pl.String(), "group": pl.Int64()}
    return pl.DataFrame(members, schema=schema, orient="row")


def shared_entities(tied: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    r"""Return `group` and `shared_entities`: what ties its leads, each with the ids of the leads that it ties.

    The identifiers of one user that tie the same leads are one entity, named by the best of them: the object id,
    failing that the UPN, then the SID, then domain\name.
    """
    named = tied.join(_users(tied), on=["tenant_id", "kind", "value"], how="left").join(
        grouped, on=LEAD_KEY, how="inner"
    )
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


def _users(tied: pl.DataFrame) -> pl.DataFrame:
    """Return which user identifiers are one person's: leads of different days may know different parts of them."""
    users = tied.filter(pl.col("kind") == "user").select("tenant_id", "value", "identity").unique()
    graph: nx.Graph[tuple[str, str]] = nx.Graph()
    graph.add_edges_from(((tenant_id, one), (tenant_id, other)) for tenant_id, one, other in users.iter_rows())
    rows = [
        (tenant_id, "user", value, min(component)[1])
        for component in nx.connected_components(graph)
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
