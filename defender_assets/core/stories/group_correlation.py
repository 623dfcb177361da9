"""Correlation of groups: how unlikely it is that a lead and a group, or two groups, share entities by chance.

The measure is that of `correlation`; parameters are named as there. `grouped` has `lead` and `group`.
"""

import polars as pl

from defender_assets.core.stories.correlation import (
    PARTS,
    STRANGERS,
    WHO,
    beyond_usual,
    by_part,
    in_time,
    more_of_strangers,
    more_than_traits,
    of_again,
    shares_part,
)
from defender_assets.core.stories.occurrences import (
    DENSE,
    USER_ON_PLACE,
    count_by_rank,
    count_of_rank,
    few_of_kind,
)

PRIOR_OF_DETECTION = 0.3
"""Prior number of leads of a detection that the look-back shows nowhere else."""

_WHAT = pl.lit("what", dtype=pl.Enum(PARTS))


def expected_of_joins(
    occurrences: pl.DataFrame, pairs: pl.DataFrame, grouped: pl.DataFrame, leads: pl.DataFrame, ordinary: pl.DataFrame
) -> pl.DataFrame:
    """Return how many unrelated leads would share as much with a group, for leads that are in none.

    The leads of the group do not count as ordinary ones. An entity that few of the group's leads have says less: a
    group on many devices has a bystander on one of them sooner. A lead that names nothing joins by its detection, which
    one of the group's leads has.

    `leads` are as for `occurrences.occurrences`.

    Returns:
        `lead`, `group`, `size` of the group, `follows` (the group began before the lead), `unlike` (all leads of the
        group are of one detection, and the lead is of another), `expected`.
    """
    either = pl.concat(
        [
            pairs.select("entity", "part", "gap", "spread", "lead", member="earlier", follows=pl.lit(value=True)),
            pairs.select("entity", "part", "gap", "spread", lead="earlier", member="lead", follows=pl.lit(value=False)),
        ]
    )
    met = either.join(grouped, on="lead", how="anti").join(grouped.rename({"lead": "member"}), on="member")
    lone = ["lead", "group"]
    manner = (
        met.group_by(*lone, "member")
        .agg(pl.col("follows").any(), own_device=shares_part("user") & shares_part("device"))
        .group_by(lone)
        .agg(pl.col("follows", "own_device").any())
    )
    sizes = grouped.group_by("group").agg(size=pl.len().cast(pl.Int64))
    expected = [_of_entities(met, occurrences, grouped, sizes), _of_detections(leads, grouped)]
    detections = occurrences.select("lead", "detection").unique()
    of_group = (
        grouped.join(detections, on="lead")
        .group_by("group")
        .agg(pl.col("detection").min(), _last=pl.col("detection").max())
    )
    only = of_group.filter(pl.col("detection") == pl.col("_last")).select("group", _only="detection")
    user, device, both = pl.col("user"), pl.col("device"), pl.col(USER_ON_PLACE)
    # A step from one device to the next shares the user with the leads before and the device with the leads after. If
    # one lead shares both, only the rarer counts: it can be the user's own device.
    who = pl.when("own_device").then(pl.min_horizontal(user, device, both)).otherwise(user * device)
    strangers = pl.col("names_user") & ~pl.col("shares_user")
    same = (pl.col("detection") == pl.col("_only")).fill_null(value=False)
    return (
        by_part(pl.concat(expected), lone, more_than_traits())
        .join(ordinary, on="lead")
        .join(sizes, on="group")
        .join(only, on="group", how="left")
        .join(detections, on="lead", how="left")
        .filter(pl.col("more_than_traits") | same)
        .join(manner, on=lone, how="left")
        .with_columns(pl.col("follows", "own_device").fill_null(value=True))
        .select(
            *lone,
            "size",
            "follows",
            unlike=(pl.col("detection") != pl.col("_only")).fill_null(value=False),
            expected=pl.min_horizontal(
                more_of_strangers(who, strangers) * pl.col("what") * pl.col("noise"),
                pl.when(same).then("trait").otherwise(1.0),
                of_again(strangers),
            )
            * pl.col("severity"),
        )
    )


def expected_of_merges(
    occurrences: pl.DataFrame, pairs: pl.DataFrame, grouped: pl.DataFrame, ordinary: pl.DataFrame
) -> pl.DataFrame:
    """Return how many unrelated leads would share as much with a group as another group does.

    The leads of neither group count as ordinary ones. An entity that few of a group's leads have says less. A group is
    as ordinary as its least ordinary lead. The more different detections both groups have, the less likely is chance,
    also where their users differ: an operator changes accounts.

    Two groups of the same detections are compared like two leads of one detection: by the rarest entity alone. How
    common their users and devices are, only leads of other days show: otherwise an attack that repeats the same steps
    would hide itself.

    Returns:
        `group`, `other` (a larger number), `larger` (the size of the larger one), `user_on_place` (one user on one
        device is in both), `expected`.
    """
    both = ["group", "other"]
    one, two = pl.col("group"), pl.col("_group")
    met = (
        pairs.join(grouped, on="lead")
        .join(grouped.rename({"lead": "earlier", "group": "_group"}), on="earlier")
        .filter(one != two)
        .with_columns(
            group=pl.min_horizontal(one, two),
            other=pl.max_horizontal(one, two),
            mine=pl.when(one < two).then("lead").otherwise("earlier"),
            theirs=pl.when(one < two).then("earlier").otherwise("lead"),
        )
    )
    of_lead = occurrences.select("lead", "detection").unique()
    of_group = ordinary.join(grouped, on="lead").join(of_lead, on="lead", how="left").group_by("group")
    sides = of_group.agg(
        pl.col("noise", "severity").min(),
        pl.col("names_user").any(),
        pl.col("detection").drop_nulls().unique(),
        size=pl.len().cast(pl.Int64),
    )
    detections, theirs = (pl.col(name).list for name in ("detection", "_detection"))
    fewer = pl.min_horizontal(detections.len(), theirs.len())
    of_strangers = pl.col("names_user") & pl.col("_names_user") & ~pl.col("shares_user")
    # Strangers can have the same detections on one server because a rule was rolled out.
    same = (detections.set_intersection(pl.col("_detection")).list.len() == fewer) & (fewer > 0)
    noise = pl.max_horizontal("noise", "_noise")
    shares = met.group_by(both).agg(pl.col("repeated").any(), more_than_traits(), shares_user=shares_part("user"))
    shares = shares.join(sides, on="group").join(_other_side(sides), on="other")
    shares = shares.with_columns(same=same, alike=same & ~of_strangers, strangers=of_strangers & ~pl.col("repeated"))
    shares = shares.filter(pl.col("more_than_traits") | pl.col("same"))
    met = met.join(shares.select(*both, "alike"), on=both)
    return (
        by_part(_of_shared_entities(met, occurrences, grouped, sides), both)
        .join(shares.drop("shares_user"), on=both)
        .with_columns(
            who=more_of_strangers(
                pl.min_horizontal(WHO),
                pl.col("strangers"),
                (STRANGERS / (detections.len().cast(pl.Int64) * theirs.len()).clip(lower_bound=1)).clip(lower_bound=1),
            )
        )
        .select(
            *both,
            larger=pl.max_horizontal("size", "_size"),
            user_on_place=pl.col(USER_ON_PLACE) < 1,
            expected=pl.min_horizontal(
                pl.when("alike").then(pl.min_horizontal("who", "what")).otherwise(pl.col("who") * pl.col("what"))
                * noise,
                pl.when("same").then("trait").otherwise(1.0),
            )
            * pl.max_horizontal("severity", "_severity")
            / beyond_usual(fewer.cast(pl.Int64)),
        )
    )


def _of_shared_entities(
    met: pl.DataFrame, occurrences: pl.DataFrame, grouped: pl.DataFrame, sides: pl.DataFrame
) -> pl.DataFrame:
    """Return `group`, `other`, `part`, `expected` of each entity that two groups share.

    `met` has `group`, `other`, `entity`, `part`, `gap`, `spread`, and the leads `mine` and `theirs`, of each pair of
    leads of two groups; `alike`: of users and devices only leads of other days count as ordinary ones.
    """
    inside = (
        occurrences.join(grouped, on="lead")
        .group_by("entity", "group")
        .agg(pl.col("crowd", "elsewhere").max(), inside=pl.len().cast(pl.Int64))
        .join(sides.select("group", "size"), on="group")
    )
    totals = occurrences.group_by("entity").agg(
        pl.col("kind", "prior", "known_days").first(), total=pl.len().cast(pl.Int64)
    )
    others = pl.col("total") - pl.col("inside") - pl.col("_inside")
    others -= few_of_kind()
    elsewhere = pl.min_horizontal(others, pl.max_horizontal("elsewhere", "_elsewhere"))
    trait = pl.col("part") == "trait"
    others = pl.when(trait | (pl.col("alike") & (pl.col("part") != "what"))).then(elsewhere).otherwise(others)
    crowd = pl.max_horizontal("crowd", "_crowd")
    met = met.with_columns(
        pl.col("mine").n_unique().over("group", "other", "part"),
        pl.col("theirs").n_unique().over("group", "other", "part"),
    )
    share = pl.max_horizontal(
        pl.col("size") / pl.max_horizontal("inside", "mine"), pl.col("_size") / pl.max_horizontal("_inside", "theirs")
    )
    return (
        met.group_by("entity", "part", "group", "other")
        .agg(pl.col("gap").min(), pl.col("spread").max(), pl.col("mine", "theirs", "alike").first())
        .join(inside, on=["entity", "group"])
        .join(_other_side(inside, "entity"), on=["entity", "other"])
        .join(totals, on="entity")
        .with_columns(rate=(others.clip(lower_bound=0) + crowd + pl.col("prior")) / pl.col("known_days"))
        .select("group", "other", "part", expected=in_time("rate") * share)
    )


def _other_side(groups: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Return the rows of groups as those of `other`, with names that begin with `_`."""
    return groups.rename(
        {name: f"_{name}" for name in groups.columns if name not in {"group", *keys}} | {"group": "other"}
    )


def _of_entities(
    met: pl.DataFrame, occurrences: pl.DataFrame, grouped: pl.DataFrame, sizes: pl.DataFrame
) -> pl.DataFrame:
    """Return `lead`, `group`, `part`, `expected` of each entity that a lone lead shares with a group.

    `met` has `lead`, `group`, `entity`, `part`, `gap`, `spread` of each pair of a lone lead and a lead of a group.
    """
    own = occurrences.select("entity", "lead", "kind", "rank", "crowd", "prior", "known_days")
    inside = count_by_rank(occurrences.join(grouped, on="lead"), ["entity", "group"], "inside")
    others = count_of_rank("total") - count_of_rank("inside") - 1
    others -= few_of_kind()
    share = (pl.col("size") / pl.col("inside_0")).clip(lower_bound=1)
    return (
        met.group_by("entity", "part", "lead", "group")
        .agg(pl.col("gap").min(), pl.col("spread").max())
        .join(own, on=["entity", "lead"])
        .join(inside, on=["entity", "group"])
        .join(count_by_rank(occurrences, ["entity"], "total"), on="entity")
        .join(sizes, on="group")
        .with_columns(rate=(others.clip(lower_bound=0) + pl.col("crowd") + pl.col("prior")) / pl.col("known_days"))
        .select("lead", "group", "part", expected=in_time("rate") * share)
    )


def _of_detections(leads: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    """Return `lead`, `group`, `part`, `expected` of leads that name nothing: only their detection can tie them."""
    detection = ["tenant_id", "detection"]
    titled = leads.filter(
        pl.col("alert_time").is_not_null() & (pl.col("detection") != "") & pl.col("muted_by").is_null()
    ).select("lead", *detection, "alert_time", "known_days", named=pl.col("entities").list.len() > 0)
    members = titled.join(grouped, on="lead")
    in_group = ["group", *detection]
    nameless = titled.filter(~pl.col("named")).join(grouped, on="lead", how="anti")
    nearest = (
        nameless.join(members.select(in_group).unique(), on=detection)
        .sort("alert_time")
        .join_asof(
            members.select(*in_group, _at="alert_time").sort("_at"),
            left_on="alert_time",
            right_on="_at",
            by=in_group,
            strategy="nearest",
            coalesce=False,
            check_sortedness=False,
        )
        .with_columns(gap=(pl.col("alert_time") - pl.col("_at")).abs(), spread=pl.lit(1))
        .filter(pl.col("gap") <= DENSE)
    )
    others = (pl.col("total") - pl.col("inside") - 1).clip(lower_bound=0)
    return (
        nearest.join(titled.group_by(detection).agg(total=pl.len().cast(pl.Int64)), on=detection)
        .join(members.group_by(in_group).agg(inside=pl.len().cast(pl.Int64)), on=in_group)
        .with_columns(rate=(others + PRIOR_OF_DETECTION) / pl.col("known_days"))
        .select("lead", "group", part=_WHAT, expected=in_time("rate"))
    )
