"""Correlation of leads: how unlikely it is that two leads share entities by chance. Groups: `group_correlation`.

The measure is the number of unrelated leads that are expected to have the shared entity in that time. It is estimated
from the look-back itself, so entities that everybody shares in a tenant (an administrator, a scanner, a server, a
deployment agent) link nothing, whatever their names are.

Here `occurrences` come from `occurrences.occurrences`, `pairs` from `neighbours`, and `ordinary` from `ordinariness`.
"""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from defender_assets.core.leads.entities.traits import TRAITS
from defender_assets.core.stories.occurrences import (
    AGAIN,
    DENSE,
    RANKS,
    SEVERITIES,
    USER_ON_PLACE,
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
What an intruder brings (files, addresses, mails …) counts in addition. A trait does not: whatever has one address is in
one network. It links leads of one detection, and can do so alone."""
WHO = ("user", "device", USER_ON_PLACE)
PARTS = (*WHO, AGAIN, "what", "trait")
_OTHERS = {AGAIN: AGAIN} | dict.fromkeys(TRAITS, "trait")
_PART = pl.col("kind").replace_strict(_PRINCIPALS | _OTHERS, default="what", return_dtype=pl.Enum(PARTS))

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
        `entity`, `part` (one of PARTS), `earlier`, `lead` (the later one), `gap`, `spread` (what the density divides
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
    before, after = (beyond_usual(pl.col(name)) for name in ("density", "later_density"))
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
    one detection share everything for one reason, so only the rarest entity counts, or a trait. Both are then of the
    user's routine, so it counts twice.

    Returns:
        `lead` (the later one), `earlier`, `expected`; `expected_once`: without what a detection tells that comes again
        on one user or device. The best pairs of each lead first.
    """
    shared = by_part(pairs.with_columns(expected=in_time("rate")), ["lead", "earlier"], pl.col("repeated").any())
    repeated = pl.col("repeated")
    strangers = pl.col("names_user") & pl.col("_names_user") & ~pl.col("shares_user")
    who = more_of_strangers(pl.min_horizontal(WHO), strangers)
    severity = pl.when(repeated & (pl.col("user") < 1) & (pl.col("device") < 1)).then(1.0).otherwise(pl.col("severity"))
    routine = pl.when(pl.col("routine") >= LEAST_ROUTINE).then(pl.col("routine") ** 2).otherwise(1)
    of_one = pl.min_horizontal(who, "what", "trait") * routine
    once = pl.when(repeated).then(of_one).otherwise(who * pl.col("what") * pl.col("noise"))
    return (
        shared.join(ordinary, on="lead")
        .join(ordinary.select(earlier="lead", **{f"_{name}": name for name in ordinary.columns[1:]}), on="earlier")
        .with_columns(pl.max_horizontal(name, f"_{name}") for name in ("routine", "noise", "severity"))
        .select(
            "lead",
            "earlier",
            expected=pl.min_horizontal(once, of_again(strangers)) * severity,
            expected_once=once * severity,
        )
        .sort("lead", "expected", "earlier")
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
        .filter(
            pl.col("part").is_in(["what", "trait"]) | (pl.col("part").is_in(["user", "device"]) & pl.col("several"))
        )
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


def beyond_usual(density: pl.Expr) -> pl.Expr:
    """Return what a density divides chance by."""
    return (density - USUAL_DENSITY).clip(lower_bound=1)


def in_time(rate: str) -> pl.Expr:
    """Return how many leads are expected in the `gap`, from a `rate` a day, divided by the `spread`."""
    return pl.col(rate) * ((pl.col("gap") + _LEEWAY) / _DAY) / pl.col("spread")


def of_again(strangers: pl.Expr) -> pl.Expr:
    """Return what one detection that comes again says. On a device with another user it says nothing."""
    return pl.when(strangers).then(1.0).otherwise(pl.col(AGAIN) * pl.col("noise") ** 2)


def more_of_strangers(expected: pl.Expr, strangers: pl.Expr, factor: pl.Expr | float = STRANGERS) -> pl.Expr:
    """Return what is expected, `factor` times as much where strangers meet, at most 1."""
    return pl.when(strangers).then((expected * factor).clip(upper_bound=1)).otherwise(expected)


def by_part(rows: pl.DataFrame, by: Sequence[str], *flags: pl.Expr) -> pl.DataFrame:
    """Return the least `expected` of each of PARTS, 1 where nothing of the kind is shared, and `shares_user`."""
    return rows.group_by(by).agg(
        *(
            pl.col("expected").filter(pl.col("part") == part).min().fill_null(1.0).clip(upper_bound=1.0).alias(part)
            for part in PARTS
        ),
        *flags,
        shares_user=shares_part("user"),
    )


def more_than_traits() -> pl.Expr:
    """Return whether anything else than traits is shared."""
    return (pl.col("part") != "trait").any().alias("more_than_traits")


def shares_part(part: str) -> pl.Expr:
    """Return whether anything of this part is shared."""
    return (pl.col("part") == part).any()
