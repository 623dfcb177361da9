"""Correlation of leads: how unlikely it is that two leads, or a lead and a group, share entities by chance.

The measure is the number of unrelated leads that are expected to have the shared entity in that time. It is estimated
from the look-back itself, so entities that everybody shares in a tenant (an administrator, a scanner, a server, a
deployment agent) link nothing, whatever their names are.

Here `occurrences` come from `occurrences.occurrences`, `pairs` from `neighbours`, and `ordinary` from `ordinariness`.
"""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from defender_assets.core.stories.occurrences import (
    AGAIN,
    DENSE,
    RANKS,
    SEVERITIES,
    USER_ON_PLACE,
    count_by_rank,
    count_of_rank,
    few_of_kind,
)
from defender_assets.core.stories.routine import routine_days

LINK_WINDOW = timedelta(hours=72)
"""Leads further apart than this are not linked directly, only through leads between them."""

NEIGHBOURS = 8
"""Later leads with the same entity that a lead is compared with: keeps the cost of a large story linear."""

USUAL_DENSITY = 2
"""More different detections than this on one user or device within DENSE make chance less likely."""

_PRINCIPALS = {"user": "user", "device": "device", "resource": "device", USER_ON_PLACE: USER_ON_PLACE}
"""Who and where, also in the cloud. Nearly every lead has both, and they occur together, so only the rarer one counts.
What an intruder brings (files, addresses, mails …) counts in addition."""
_WHO = ("user", "device", USER_ON_PLACE)
_PARTS = (*_WHO, AGAIN, "what")
_PART = pl.col("kind").replace_strict(_PRINCIPALS | {AGAIN: AGAIN}, default="what", return_dtype=pl.Enum(_PARTS))
_WHAT = pl.lit("what", dtype=pl.Enum(_PARTS))

STRANGERS = 100.0
"""How much more often leads meet on a device by chance if they name different users."""

SMOOTHING = 3
"""Additive smoothing: a pseudo-count per detection, so that two alerts in a quiet tenant are not noise."""

MOST_TYPICAL = 30
"""A detection with more leads counts with so many in the tenant's mean: a flood must not make all others look rare."""

SEVERITY_FACTOR = {"high": 0.5, "medium": 1.0, "low": 2.0, "informational": 3.0}
"""How much more often than medium ones such leads are false positives."""

LEAST_ROUTINE = 3
"""So many days make a detection a routine of an account for pairs of it; an intruder can move for two days."""

PRIOR_OF_DETECTION = 0.3
"""Prior number of leads of a detection that the look-back shows nowhere else."""

_DAY = timedelta(days=1)
_LEEWAY = timedelta(minutes=30)


def with_frequency(leads: pl.DataFrame) -> pl.DataFrame:
    """Add `often`: how often the tenant has the lead's detection; 1 for one as frequent as its others, and for none.

    `leads` are all of the look-back, one row each, with the columns of `with_detection`.
    """
    counts = leads.filter(pl.col("detection") != "").group_by("tenant_id", "detection").agg(_count=pl.len())
    typical = counts.group_by("tenant_id").agg(_typical=pl.col("_count").clip(upper_bound=MOST_TYPICAL).mean())
    often = (pl.col("_count") + SMOOTHING) / (pl.col("_typical") + SMOOTHING)
    counts = counts.join(typical, on="tenant_id").select("tenant_id", "detection", often=often)
    leads = leads.join(counts, on=["tenant_id", "detection"], how="left", maintain_order="left")
    return leads.with_columns(pl.col("often").fill_null(1.0))


def ordinariness(leads: pl.DataFrame) -> pl.DataFrame:
    """Return what makes a lead ordinary, whatever it is compared with.

    `leads` have a row per lead, with its number `lead`, `tenant_id`, `alert_time`, `entities`, and the columns of
    `with_detection` and `with_frequency`.

    Returns:
        `lead`; `routine`: the days on which it is a routine of the lead's user, at least 1; `noise`: 1 for a detection
        as frequent as the tenant's others, more for a noisy one and for a routine; `severity`: its SEVERITY_FACTOR;
        `names_user`.
    """
    routine = pl.col("routine_days").fill_null(0).clip(lower_bound=1)  # one day is no routine
    factors = [SEVERITY_FACTOR[name] for name in SEVERITIES]
    return leads.join(routine_days(leads), on="lead", how="left").select(
        "lead",
        routine=routine,
        noise=(pl.col("often") * routine).clip(0.5, 20),
        severity=pl.col("rank").replace_strict(dict(zip(RANKS, factors, strict=True)), return_dtype=pl.Float64),
        names_user=pl.col("entities").list.eval(pl.element().struct.field("kind") == "user").list.any(),
    )


def neighbours(occurrences: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of leads that share an entity within LINK_WINDOW.

    Each lead is compared with the next NEIGHBOURS ones on the entity: those of any severity, of Medium or more, of
    High, and the first ones of each detection. So a flood of cheap alerts cannot come between the others.

    Returns:
        `entity`, `part` (one of _PARTS), `earlier`, `lead` (the later one), `gap`, `spread` (what the density divides
        chance by), `rate` (leads a day that have the entity in normal operation), `repeated` (both are of one
        detection).
    """
    rows = occurrences.with_row_index("_row")
    sequences = [
        rows,
        *(rows.filter(pl.col("rank") >= SEVERITIES.index(name)) for name in ("medium", "high")),
        rows.filter(pl.struct("entity", "detection").is_first_distinct()),
    ]
    places = pl.concat([_next(sequence, step) for sequence in sequences for step in range(1, NEIGHBOURS + 1)]).unique()
    taken = ("lead", "alert_time", "elsewhere", "crowd", "density", "detection")
    earlier = rows[places.get_column("_row")].select("entity", "prior", "known_days", *taken, part=_PART)
    later = rows[places.get_column("_later")].select(pl.col(taken).name.prefix("later_"))
    gap = pl.col("later_alert_time") - pl.col("alert_time")
    before, after = (_beyond_usual(pl.col(name)) for name in ("density", "later_density"))
    leads = pl.max_horizontal(*(pl.col(f"{side}elsewhere") + pl.col(f"{side}crowd") for side in ("", "later_")))
    return pl.concat([earlier, later], how="horizontal").select(
        "entity",
        "part",
        earlier="lead",
        lead="later_lead",
        gap=gap,
        spread=pl.when(gap <= DENSE).then(pl.max_horizontal(before, after)).otherwise(pl.min_horizontal(before, after)),
        rate=(leads + pl.col("prior")) / pl.col("known_days"),
        repeated=(pl.col("detection") == pl.col("later_detection")).fill_null(value=False),
    )


def expected_of_pairs(pairs: pl.DataFrame, ordinary: pl.DataFrame) -> pl.DataFrame:
    """Return for each pair `expected`: how many unrelated leads would share as much with the later lead in that time.

    It is the product of the noise of the detections, the smallest of user and device, and all other kinds. Two leads of
    one detection share everything for one reason, so only the rarest entity counts. Both are then of the user's
    routine, so it counts twice.

    Returns:
        `lead` (the later one), `earlier`, `expected`; `expected_once`: without what a detection tells that comes again
        on one user or device. The best pairs of each lead first.
    """
    shared = _by_part(pairs.with_columns(expected=_in_time("rate")), ["lead", "earlier"], pl.col("repeated").any())
    repeated = pl.col("repeated")
    strangers = pl.col("names_user") & pl.col("_names_user") & ~pl.col("shares_user")
    who = _more_of_strangers(pl.min_horizontal(_WHO), strangers)
    severity = pl.when(repeated & (pl.col("user") < 1) & (pl.col("device") < 1)).then(1.0).otherwise(pl.col("severity"))
    routine = pl.when(pl.col("routine") >= LEAST_ROUTINE).then(pl.col("routine") ** 2).otherwise(1)
    of_one = pl.min_horizontal(who, "what") * routine
    once = pl.when(repeated).then(of_one).otherwise(who * pl.col("what") * pl.col("noise"))
    return (
        shared.join(ordinary, on="lead")
        .join(ordinary.select(earlier="lead", **{f"_{name}": name for name in ordinary.columns[1:]}), on="earlier")
        .with_columns(pl.max_horizontal(name, f"_{name}") for name in ("routine", "noise", "severity"))
        .select(
            "lead",
            "earlier",
            expected=pl.min_horizontal(once, _of_again(strangers)) * severity,
            expected_once=once * severity,
        )
        .sort("lead", "expected", "earlier")
    )


def expected_of_joins(
    occurrences: pl.DataFrame, pairs: pl.DataFrame, grouped: pl.DataFrame, leads: pl.DataFrame, ordinary: pl.DataFrame
) -> pl.DataFrame:
    """Return how many unrelated leads would share as much with a group, for leads that are in none.

    The leads of the group do not count as ordinary ones. An entity that few of the group's leads have says less: a
    group on many devices has a bystander on one of them sooner. A lead that names nothing joins by its detection, which
    one of the group's leads has.

    `grouped` has `lead` and `group`; `leads` are as for `occurrences.occurrences`.

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
        .agg(pl.col("follows").any(), own_device=_shares("user") & _shares("device"))
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
    return (
        _by_part(pl.concat(expected), lone)
        .join(ordinary, on="lead")
        .join(sizes, on="group")
        .join(only, on="group", how="left")
        .join(detections, on="lead", how="left")
        .join(manner, on=lone, how="left")
        .with_columns(pl.col("follows", "own_device").fill_null(value=True))
        .select(
            *lone,
            "size",
            "follows",
            unlike=(pl.col("detection") != pl.col("_only")).fill_null(value=False),
            expected=pl.min_horizontal(
                _more_of_strangers(who, strangers) * pl.col("what") * pl.col("noise"), _of_again(strangers)
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

    `grouped` has `lead` and `group`.

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
    alike = (detections.set_intersection(pl.col("_detection")).list.len() == fewer) & (fewer > 0) & ~of_strangers
    shares = met.group_by(both).agg(pl.col("repeated").any(), shares_user=_shares("user"))
    shares = shares.join(sides, on="group").join(_other_side(sides), on="other")
    shares = shares.with_columns(alike=alike, strangers=of_strangers & ~pl.col("repeated"))
    met = met.join(shares.select(*both, "alike"), on=both)
    return (
        _by_part(_of_shared_entities(met, occurrences, grouped, sides), both)
        .join(shares.drop("shares_user"), on=both)
        .with_columns(
            who=_more_of_strangers(
                pl.min_horizontal(_WHO),
                pl.col("strangers"),
                (STRANGERS / (detections.len().cast(pl.Int64) * theirs.len()).clip(lower_bound=1)).clip(lower_bound=1),
            )
        )
        .select(
            *both,
            larger=pl.max_horizontal("size", "_size"),
            user_on_place=pl.col(USER_ON_PLACE) < 1,
            expected=pl.when("alike").then(pl.min_horizontal("who", "what")).otherwise(pl.col("who") * pl.col("what"))
            * pl.max_horizontal("noise", "_noise")
            * pl.max_horizontal("severity", "_severity")
            / _beyond_usual(fewer.cast(pl.Int64)),
        )
    )


def groups_with_little_in_common(
    occurrences: pl.DataFrame, grouped: pl.DataFrame, candidates: pl.DataFrame
) -> pl.DataFrame:
    """Return the pairs of groups that share one user and one device at most, and nothing else.

    Leads that are much less severe than the most severe one of their group do not show what it has in common, so that a
    flood of cheap alerts cannot part two groups. Identifiers of one user are on the same leads.

    Args:
        occurrences: result of `occurrences.occurrences`.
        grouped: `lead`, `group`.
        candidates: `group`, `other`.

    Returns:
        `group`, `other`, `separate` (most leads of each of the two have something in common that it brought).
    """
    both, entity = ["group", "other"], ["entity", "part"]
    known = occurrences.select("lead", "rank", "entity", part=_PART).join(grouped, on="lead")
    held = known.group_by("group", *entity).agg(_first=pl.col("lead").min()).filter(pl.len().over("entity") > 1)
    shared = (
        candidates.select(both)
        .unique()
        .join(held, on="group")
        .join(held.rename({"group": "other", "_first": "_other_first"}), on=["other", *entity])
    )
    several = pl.struct("_first", "_other_first").n_unique() > 1
    much = (
        shared.group_by(*both, "part")
        .agg(several=several)
        .filter((pl.col("part") == "what") | (pl.col("part").is_in(["user", "device"]) & pl.col("several")))
    )
    severe = known.filter(pl.col("rank") + 1 >= pl.col("rank").max().over("group"))
    most = pl.max_horizontal(2, pl.col("lead").n_unique().over("group") / 2)
    reused = severe.with_columns(most=most).filter(pl.col("part") == "what").group_by("group", "entity")
    held_together = reused.agg(pl.col("lead").n_unique() >= pl.col("most").first()).filter("lead")
    reusing = held_together.get_column("group").unique().implode()
    return (
        candidates.select(both)
        .unique()
        .join(much, on=both, how="anti")
        .with_columns(separate=pl.col("group").is_in(reusing) & pl.col("other").is_in(reusing))
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
    others = pl.when(pl.col("alike") & (pl.col("part") != "what")).then(elsewhere).otherwise(others)
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
        .select("group", "other", "part", expected=_in_time("rate") * share)
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
        .select("lead", "group", "part", expected=_in_time("rate") * share)
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
        .select("lead", "group", part=_WHAT, expected=_in_time("rate"))
    )


def _next(sequence: pl.DataFrame, step: int) -> pl.DataFrame:
    """Return `_row` and `_later`: the rows that have the same entity and are this many places apart."""
    entity, when = pl.col("entity"), pl.col("alert_time")
    return (
        sequence.select(
            "_row",
            _later=pl.col("_row").shift(-step),
            _close=(entity == entity.shift(-step)) & (when.shift(-step) - when <= LINK_WINDOW),
        )
        .filter("_close")
        .drop("_close")
    )


def _beyond_usual(density: pl.Expr) -> pl.Expr:
    return (density - USUAL_DENSITY).clip(lower_bound=1)


def _in_time(rate: str) -> pl.Expr:
    return pl.col(rate) * ((pl.col("gap") + _LEEWAY) / _DAY) / pl.col("spread")


def _of_again(strangers: pl.Expr) -> pl.Expr:
    """Return what one detection that comes again says. On a device with another user it says nothing."""
    return pl.when(strangers).then(1.0).otherwise(pl.col(AGAIN) * pl.col("noise") ** 2)


def _more_of_strangers(expected: pl.Expr, strangers: pl.Expr, factor: pl.Expr | float = STRANGERS) -> pl.Expr:
    return pl.when(strangers).then((expected * factor).clip(upper_bound=1)).otherwise(expected)


def _by_part(rows: pl.DataFrame, by: Sequence[str], *flags: pl.Expr) -> pl.DataFrame:
    """Return the least `expected` of each of _PARTS, 1 where nothing of the kind is shared, and `shares_user`."""
    return rows.group_by(by).agg(
        *(
            pl.col("expected").filter(pl.col("part") == part).min().fill_null(1.0).clip(upper_bound=1.0).alias(part)
            for part in _PARTS
        ),
        *flags,
        shares_user=_shares("user"),
    )


def _shares(part: str) -> pl.Expr:
    return (pl.col("part") == part).any()
