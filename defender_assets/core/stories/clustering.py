"""Clusters linked leads into stories, and finds the entities that the leads of a group share."""

from datetime import date
from typing import NamedTuple

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY, connected_components
from defender_assets.core.stories.correlation import (
    LINK_WINDOW,
    expected_of_pairs,
    groups_with_little_in_common,
    neighbours,
    ordinariness,
    with_frequency,
)
from defender_assets.core.stories.group_correlation import expected_of_joins, expected_of_merges
from defender_assets.core.stories.occurrences import RANKS, lead_entities, occurrences, with_known_days
from defender_assets.core.stories.reach import leads_that_matter

LINK_THRESHOLD = 0.022
"""Leads are linked if fewer unrelated ones than this are expected."""
MERGE_THRESHOLD = 0.002
"""Below this a link also merges two groups that began separately."""
JOIN_THRESHOLD = 0.026
"""A lead joins an ongoing story if fewer unrelated ones than this are expected."""
ONGOING = 3
"""Leads that make a group an ongoing story; to join a smaller one, LINK_THRESHOLD counts."""
UNLIKE_THRESHOLD = 0.005
"""A lead joins a group that repeats one other detection if fewer unrelated ones than this are expected."""
MERGE_GROUPS = 0.01
"""Two groups of which one is an ongoing story are merged if fewer unrelated leads than this are expected."""
LARGER = 3
CONFIRMED = 0.06
"""A weak link of two leads that have closer ones merges their groups if the groups confirm it: if fewer unrelated leads
than this are expected to share as much with a group as the other one does."""
CONFIRMED_BY_LITTLE = 0.04
"""The same for two groups that share one user and one device at most, and nothing else."""
SEPARATE = 10
"""How much likelier chance is for two of these groups if each is held together by something that it brought."""
FEW_OF_GROUP = 0.1
"""A lead at the edge of a group that shares something with at most this share of it can be a bystander."""
ROUNDS = 3
"""How often at most the lone leads are compared with the groups, which grow meanwhile."""

GROUPED = pl.Schema({"tenant_id": pl.String, "lead_id": pl.String, "group": pl.Int64})


class Evidence(NamedTuple):
    """What is known of the leads of a look-back that can matter for the stories of some of them."""

    leads: pl.DataFrame
    """These leads with their number, `lead`, and `known_days`."""
    known: pl.DataFrame
    """Result of `occurrences`."""
    pairs: pl.DataFrame
    """Result of `neighbours`."""
    ordinary: pl.DataFrame
    """Result of `ordinariness`."""


def evidence(leads: pl.DataFrame, day: date, wanted: pl.DataFrame) -> Evidence:
    """Return what is known of the leads, as far as it matters for the stories of the wanted ones.

    `leads` come from `with_detection`: one row per lead, with `tenant_id`, `lead_id`, `alert_time`, `entities`,
    `first_day`, `muted_by`; sorted by LEAD_KEY. `wanted` has LEAD_KEY, and `day` is the last one of the look-back.
    """
    leads = leads_that_matter(with_frequency(with_known_days(leads, day)), wanted).with_row_index("lead")
    known = occurrences(leads)
    return Evidence(leads, known, neighbours(known), ordinariness(leads))


def groups(found: Evidence) -> pl.DataFrame:
    """Return the groups of leads: GROUPED, `group` is an arbitrary number. Only those of wanted leads are complete.

    A lead joins only the earlier lead to which its link is strongest, so that a lead which happens to touch two groups
    does not merge them. Only links below MERGE_THRESHOLD do, and weaker ones that the two groups confirm. Then
    bystanders are taken out, and lone leads join the group that they share most with.
    """
    leads, known, pairs, ordinary = found
    if pairs.is_empty():
        return GROUPED.to_frame()
    close = expected_of_pairs(pairs, ordinary).filter(pl.col("expected") < LINK_THRESHOLD)
    best = close.unique("lead", keep="first", maintain_order=True)
    sure = close.filter(pl.col("expected_once") < MERGE_THRESHOLD)
    links = pl.concat([best, sure])
    weak = _between_groups(best, sure)
    grouped = _grouped(links.join(weak, on=["lead", "earlier"], how="anti"))
    if not weak.is_empty():
        grouped = _confirmed(found, grouped, weak)
    grouped = grouped.join(_bystanders(grouped, known, best, sure), on="lead", how="anti")
    for _ in range(ROUNDS):
        before = grouped
        joined = _joined(expected_of_joins(known, pairs, grouped, leads, ordinary))
        grouped = pl.concat([grouped, joined])
        expected = expected_of_merges(known, pairs, grouped, ordinary).filter(pl.col("expected") < LINK_THRESHOLD)
        little = groups_with_little_in_common(known, grouped, expected)
        grouped = _merged(grouped, _of_separate(expected, little))
        if grouped.equals(before):
            break
    return grouped.join(leads.select("lead", *LEAD_KEY), on="lead").select(GROUPED.names())


def _grouped(links: pl.DataFrame) -> pl.DataFrame:
    """Return `lead` and `group` of the leads that the links connect."""
    pairs = ((lead, earlier) for lead, earlier in links.select("lead", "earlier").iter_rows())
    members = [(lead, min(component)) for component in connected_components(pairs) for lead in component]
    return pl.DataFrame(members, schema={"lead": pl.UInt32, "group": pl.Int64}, orient="row")


def _between_groups(best: pl.DataFrame, sure: pl.DataFrame) -> pl.DataFrame:
    """Return the links of two leads that both have closer ones: such a link would merge two groups.

    These are the weak links, and those by a detection that comes `again` on one user or device.
    """
    strong = pl.col("expected") < MERGE_THRESHOLD
    again = (pl.col("expected") < pl.col("expected_once")) & (pl.col("expected_once") >= MERGE_THRESHOLD)
    weak = _both_linked(best.filter(~strong, ~again), pl.concat([best.filter(strong), sure]))
    of_again = _both_linked(best.filter(again), pl.concat([best.filter(strong, ~again), sure]))
    return pl.concat([links.select("lead", "earlier", again=again) for links in (weak, of_again)])


def _both_linked(links: pl.DataFrame, close: pl.DataFrame) -> pl.DataFrame:
    """Return the links of two leads that both have close ones."""
    linked = pl.concat([close.select("lead"), close.select(lead="earlier")]).unique()
    return links.join(linked, on="lead", how="semi").join(linked.rename({"lead": "earlier"}), on="earlier", how="semi")


def _confirmed(found: Evidence, grouped: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Merge the groups between which there is a link, and which share enough as a whole.

    One person can be in two waves of mail. The more others only one of them has, the more likely is that chance. The
    severe leads of both groups can confirm a weak link alone, so a flood of cheap alerts does not part them. A link by
    a detection that comes again needs no confirmation, unless the groups are separate ones.
    """
    one, two = pl.col("group"), pl.col("_group")
    ties = (
        links.join(grouped, on="lead")
        .join(grouped.rename({"lead": "earlier", "group": "_group"}), on="earlier")
        .filter(one != two)
        .group_by(group=pl.min_horizontal(one, two), other=pl.max_horizontal(one, two))
        .agg(pl.col("again").any())
    )
    of_ties = grouped.filter(pl.col("group").is_in(pl.concat([ties["group"], ties["other"]]).implode()))
    expected = []
    for rank in RANKS:
        known = found.known.filter(pl.col("rank") >= rank)
        severe = of_ties.join(known, on="lead", how="semi")
        expected.append(expected_of_merges(known, found.pairs, severe, found.ordinary))
    both = ["group", "other"]
    little = groups_with_little_in_common(found.known, of_ties, ties)
    threshold = pl.when(pl.col("separate").is_null()).then(CONFIRMED).otherwise(CONFIRMED_BY_LITTLE)
    close = _of_separate(pl.concat(expected), little).filter(pl.col("expected") < threshold)
    repeated = ties.filter("again").join(little.filter("separate"), on=both, how="anti")
    return _united(grouped, pl.concat([close.join(ties, on=both, how="semi").select(both), repeated.select(both)]))


def _of_separate(expected: pl.DataFrame, little: pl.DataFrame) -> pl.DataFrame:
    """Return the result of `expected_of_merges` with what it means that groups are separate; adds `separate`.

    `separate` is null for groups that have more than a user and a device in common.
    """
    factor = pl.when(pl.col("separate")).then(SEPARATE).otherwise(1)
    return expected.join(little, on=["group", "other"], how="left", maintain_order="left").with_columns(
        pl.col("expected") * factor
    )


def _bystanders(grouped: pl.DataFrame, known: pl.DataFrame, best: pl.DataFrame, sure: pl.DataFrame) -> pl.DataFrame:
    """Return `lead` of those that a single link holds, to which no other lead is linked, and that share little.

    The larger a group is, the sooner an unrelated lead is on one of its devices. Such a lead is compared with the group
    as a whole, like any lone one.
    """
    edge = (
        best.select("lead")
        .join(sure, on="lead", how="anti")
        .join(pl.concat([best, sure]).select(lead="earlier"), on="lead", how="anti")
    )
    sizes = grouped.with_columns(size=pl.len().cast(pl.Int64).over("group"))
    inside = pl.len().cast(pl.Int64).over("entity", "group")
    shared = known.select("entity", "lead").join(sizes, on="lead").with_columns(inside=inside)
    little = (pl.col("inside").max() - 1) <= (pl.col("size").first() - 1) * FEW_OF_GROUP
    return edge.join(shared.group_by("lead").agg(little=little).filter("little"), on="lead", how="semi")


def _merged(grouped: pl.DataFrame, expected: pl.DataFrame) -> pl.DataFrame:
    threshold = pl.when("user_on_place").then(LINK_THRESHOLD).otherwise(MERGE_GROUPS)
    return _united(grouped, expected.filter((pl.col("expected") < threshold) & (pl.col("larger") >= LARGER)))


def _united(grouped: pl.DataFrame, close: pl.DataFrame) -> pl.DataFrame:
    pairs = ((one, other) for one, other in close.select("group", "other").iter_rows())
    merged = connected_components(pairs)
    into = {number: min(component) for component in merged for number in component}
    return grouped.with_columns(pl.col("group").replace(into))


def _joined(expected: pl.DataFrame) -> pl.DataFrame:
    threshold = (
        pl.when("unlike")
        .then(UNLIKE_THRESHOLD)
        .when(pl.col("size") >= ONGOING)
        .then(JOIN_THRESHOLD)
        .otherwise(LINK_THRESHOLD)
    )
    return (
        expected.filter("follows", pl.col("expected") < threshold)
        .sort("lead", "expected", "group")
        .unique("lead", keep="first", maintain_order=True)
        .select("lead", "group")
    )


def shared_entities(leads: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    r"""Return `group` and `shared_entities`: the entities that link its leads, each with the ids of those leads.

    The identifiers of one user that link the same leads are one entity, named by the first that it has of object id,
    UPN, SID, domain\name.
    """
    members = leads.join(grouped, on=LEAD_KEY).with_row_index("lead")
    named = lead_entities(members).join(members.select("lead", "lead_id", "alert_time", "group"), on="lead")
    shared = _shared_in_time(named.filter(pl.col("alert_time").is_not_null()))
    entities = (
        shared.join(_users(shared), on=["tenant_id", "kind", "value"], how="left")
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
    """Return the `person` of each user or device: leads of different days can have different identifiers of one."""
    known = entities.filter(pl.col("kind").is_in(["user", "device"]))
    known = known.select("tenant_id", "kind", "value", "identity").unique()
    links = (((tenant_id, kind, one), (tenant_id, kind, other)) for tenant_id, kind, one, other in known.iter_rows())
    rows = [
        (tenant_id, kind, value, min(component)[2])
        for component in connected_components(links)
        for tenant_id, kind, value in component
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
