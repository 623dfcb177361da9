"""Correlation of leads: how unlikely it is that two leads, or a lead and a group, share entities by chance.

The measure is the number of unrelated leads that are expected to have the shared entity in that time. It is estimated
from the look-back itself, so entities that everybody shares in a tenant (an administrator, a scanner, a server, a
deployment agent) link nothing, whatever their names are.
"""

from datetime import timedelta

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.stories.occurrences import (
    DENSE,
    ENTITY_KEY,
    FEW,
    RANKS,
    SEVERITIES,
    SPECIFIC_KINDS,
    USER_ON_PLACE,
    count_by_rank,
    count_of_rank,
)

LINK_WINDOW = timedelta(hours=72)
"""Leads further apart than this are not linked directly, only through leads between them."""

NEIGHBOURS = 8
"""Later leads with the same entity that a lead is compared with: keeps the cost of a large story linear."""

USUAL_DENSITY = 2
"""More different detections than this on one user or device within DENSE make chance less likely."""

_PRINCIPALS = {"user": "user", "device": "device", "resource": "device", USER_ON_PLACE: USER_ON_PLACE}
"""Who and where, also in the cloud. Nearly every lead has both, and they occur together, so only the rarer one counts.
What an intruder brings (files, addresses, mails …) counts in addition."""
_PARTS = ("user", "device", USER_ON_PLACE, "what")

SMOOTHING = 3
"""Additive smoothing: a pseudo-count per detection, so that two alerts in a quiet tenant are not noise."""

SEVERITY_FACTOR = {"high": 0.5, "medium": 1.0, "low": 2.0, "informational": 3.0}
"""How much more often than medium ones such leads are false positives."""

PRIOR_OF_DETECTION = 0.3
"""Prior number of leads of a detection that the look-back shows nowhere else."""

_DAY = timedelta(days=1)
_LEEWAY = timedelta(hours=1)


def neighbours(occurrences: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of leads that share an entity within LINK_WINDOW.

    Each lead is compared with the next NEIGHBOURS ones on the entity: those of any severity, of Medium or more, of
    High, and the first ones of each detection. So a flood of cheap alerts cannot come between the others.

    Args:
        occurrences: result of `occurrences.occurrences`.

    Returns:
        ENTITY_KEY, `earlier`, `lead_id` (the later one), `gap`, `spread` (what the density divides chance by),
        `rate` (leads a day that have the entity in normal operation), `repeated` (both are of one detection).
    """
    rows = occurrences.with_columns(
        _entity=pl.struct(ENTITY_KEY).rle_id(), _row=pl.int_range(pl.len(), dtype=pl.UInt32)
    )
    sequences = [
        rows,
        *(rows.filter(pl.col("rank") >= SEVERITIES.index(name)) for name in ("medium", "high")),
        rows.filter(pl.struct("_entity", "detection").is_first_distinct()),
    ]
    places = pl.concat([_next(sequence, step) for sequence in sequences for step in range(1, NEIGHBOURS + 1)]).unique()
    taken = ("lead_id", "alert_time", "elsewhere", "crowd", "density", "detection")
    earlier = rows[places.get_column("_row")].select(*ENTITY_KEY, *taken, "prior", "known_days")
    later = rows[places.get_column("_later")].select(pl.col(taken).name.prefix("later_"))
    pairs = pl.concat([earlier, later], how="horizontal")
    gap = pl.col("later_alert_time") - pl.col("alert_time")
    before, after = (_beyond_usual(pl.col(name)) for name in ("density", "later_density"))
    leads = pl.max_horizontal(*(pl.col(f"{side}elsewhere") + pl.col(f"{side}crowd") for side in ("", "later_")))
    return pairs.select(
        *ENTITY_KEY,
        earlier="lead_id",
        lead_id="later_lead_id",
        gap=gap,
        spread=pl.when(gap <= DENSE).then(pl.max_horizontal(before, after)).otherwise(pl.min_horizontal(before, after)),
        rate=(leads + pl.col("prior")) / pl.col("known_days"),
        repeated=pl.col("detection") == pl.col("later_detection"),
    )


def _next(sequence: pl.DataFrame, step: int) -> pl.DataFrame:
    """Return `_row` and `_later`: the rows that have the same entity and are this many places apart."""
    entity, when = pl.col("_entity"), pl.col("alert_time")
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


def expected_of_pairs(pairs: pl.DataFrame, leads: pl.DataFrame) -> pl.DataFrame:
    """Return for each pair `expected`: how many unrelated leads would share as much with the later lead in that time.

    It is the product of the noise of the detections, the smaller of user and device, and all other kinds. Two leads of
    one detection share everything for one reason, so only the rarest entity counts.

    Returns:
        `tenant_id`, `lead_id` (the later lead), `earlier`, `expected`, the best pairs of each lead first.
    """
    ordinary = ordinariness(leads)
    shared = _by_part(pairs.with_columns(expected=_in_time("rate")), ["tenant_id", "lead_id", "earlier"], "repeated")
    who = pl.min_horizontal("user", "device", USER_ON_PLACE)
    repeated = pl.col("repeated")
    return (
        shared.join(ordinary, on=LEAD_KEY)
        .join(
            ordinary.select("tenant_id", earlier="lead_id", _noise="noise", _severity="severity"),
            on=["tenant_id", "earlier"],
        )
        .with_columns(noise=pl.max_horizontal("noise", "_noise"), severity=pl.max_horizontal("severity", "_severity"))
        .with_columns(
            expected=pl.when(repeated & (pl.col("user") < 1) & (pl.col("device") < 1))
            .then(pl.min_horizontal(_PARTS))
            .when(repeated)
            .then(pl.min_horizontal(_PARTS) * pl.col("severity"))
            .otherwise(who * pl.col("what") * pl.col("noise") * pl.col("severity"))
        )
        .select("tenant_id", "lead_id", "earlier", "expected")
        .sort("tenant_id", "lead_id", "expected", "earlier")
    )


def expected_of_joins(
    occurrences: pl.DataFrame, pairs: pl.DataFrame, grouped: pl.DataFrame, leads: pl.DataFrame
) -> pl.DataFrame:
    """Return how many unrelated leads would share as much with a group, for leads that are in none.

    A lead joins only a group that began before it. The leads of the group do not count as ordinary ones. An entity that
    few of the group's leads have says less: a group on many devices has a bystander on one of them sooner. A lead that
    names nothing can join by its detection.

    Args:
        occurrences: result of `occurrences.occurrences`.
        pairs: result of `neighbours`.
        grouped: `tenant_id`, `lead_id`, `group`.
        leads: result of `with_detection`, one row per lead.

    Returns:
        `tenant_id`, `lead_id`, `group`, `size` of the group, `expected`.
    """
    sizes = grouped.group_by("group").agg(size=pl.len().cast(pl.Int64))
    either = pl.concat(
        [
            pairs.select(*ENTITY_KEY, "gap", "spread", "lead_id", member="earlier", follows=pl.lit(value=True)),
            pairs.select(
                *ENTITY_KEY, "gap", "spread", lead_id="earlier", member="lead_id", follows=pl.lit(value=False)
            ),
        ]
    )
    met = either.join(grouped, on=LEAD_KEY, how="anti").join(
        grouped.rename({"lead_id": "member"}), on=["tenant_id", "member"]
    )
    part = _part()
    manner = (
        met.group_by(*LEAD_KEY, "group", "member")
        .agg(pl.col("follows").any(), own_device=(part == "user").any() & (part == "device").any())
        .group_by(*LEAD_KEY, "group")
        .agg(pl.col("own_device", "follows").any())
    )
    lone = met.group_by(*ENTITY_KEY, "lead_id", "group").agg(pl.col("gap").min(), pl.col("spread").max())
    inside = count_by_rank(occurrences.join(grouped, on=LEAD_KEY), [*ENTITY_KEY, "group"], "inside")
    total = count_by_rank(occurrences, list(ENTITY_KEY), "total")
    own = occurrences.select(*ENTITY_KEY, "lead_id", "rank", "crowd", "prior", "known_days")
    others = (count_of_rank("total") - count_of_rank("inside") - 1).clip(lower_bound=0)
    specific = pl.col("kind").is_in(SPECIFIC_KINDS) & (others <= FEW)
    share = (pl.col("size") / pl.col("inside_0")).clip(lower_bound=1)
    lone = (
        lone.join(own, on=[*ENTITY_KEY, "lead_id"])
        .join(inside, on=[*ENTITY_KEY, "group"])
        .join(total, on=ENTITY_KEY)
        .join(sizes, on="group")
        .with_columns(
            rate=(pl.when(specific).then(0).otherwise(others) + pl.col("crowd") + pl.col("prior"))
            / pl.col("known_days")
        )
        .with_columns(expected=_in_time("rate") * share)
        .select(*LEAD_KEY, "group", "kind", "expected")
    )
    known = occurrences.select("tenant_id", "known_days").unique()
    found = _by_part(pl.concat([lone, _by_detection(leads, grouped, known)]), [*LEAD_KEY, "group"])
    # A step from one device to the next shares the user with the leads before and the device with the leads after. If
    # one lead shares both, only the rarer counts: it can be the user's own device.
    who = (
        pl.when("own_device")
        .then(pl.min_horizontal("user", "device", USER_ON_PLACE))
        .otherwise(pl.col("user") * pl.col("device"))
    )
    return (
        found.join(ordinariness(leads), on=LEAD_KEY)
        .join(manner, on=[*LEAD_KEY, "group"], how="left")
        .filter(pl.col("follows").fill_null(value=True))
        .with_columns(pl.col("own_device").fill_null(value=True))
        .join(sizes, on="group")
        .select(
            *LEAD_KEY,
            "group",
            "size",
            expected=who * pl.col("what") * pl.col("noise") * pl.col("severity"),
        )
    )


def ordinariness(leads: pl.DataFrame) -> pl.DataFrame:
    """Return LEAD_KEY, `noise` (1 for a detection as frequent as the others, more for a noisy one) and `severity`."""
    of_detection = pl.len().over("tenant_id", "detection")
    mean = pl.len().over("tenant_id") / pl.col("detection").n_unique().over("tenant_id")
    often = (of_detection + SMOOTHING) / (mean + SMOOTHING)
    factors = [SEVERITY_FACTOR[name] for name in SEVERITIES]
    severity = pl.col("rank").replace_strict(dict(zip(RANKS, factors, strict=True)), return_dtype=pl.Float64)
    return leads.select(*LEAD_KEY, noise=often.clip(0.2, 20), severity=severity)


def _in_time(rate: str) -> pl.Expr:
    return pl.col(rate) * ((pl.col("gap") + _LEEWAY) / _DAY) / pl.col("spread")


def _by_part(rows: pl.DataFrame, by: list[str], *flags: str) -> pl.DataFrame:
    """Return the least `expected` of each of _PARTS, 1 where nothing of the kind is shared."""
    part = _part()
    return rows.group_by(by).agg(
        *(
            pl.col("expected").filter(part == name).min().fill_null(1.0).clip(upper_bound=1.0).alias(name)
            for name in _PARTS
        ),
        *(pl.col(flag).any() for flag in flags),
    )


def _part() -> pl.Expr:
    return pl.col("kind").replace_strict(_PRINCIPALS, default="what", return_dtype=pl.String)


def _by_detection(leads: pl.DataFrame, grouped: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return LEAD_KEY, `group`, `kind`, `expected` of leads that name nothing: only their detection can tie them."""
    titled = leads.filter(
        pl.col("alert_time").is_not_null() & (pl.col("detection") != "") & pl.col("muted_by").is_null()
    )
    titled = titled.select(*LEAD_KEY, "alert_time", "detection", named=pl.col("entities").list.len() > 0)
    members = titled.join(grouped, on=LEAD_KEY).drop("named")
    nameless = titled.filter(~pl.col("named")).join(grouped, on=LEAD_KEY, how="anti").drop("named")
    detection = ["tenant_id", "detection"]
    total = titled.group_by(detection).agg(total=pl.len().cast(pl.Int64))
    inside = members.group_by(*detection, "group").agg(inside=pl.len().cast(pl.Int64))
    nearest = (
        nameless.join(members.select("group", *detection).unique(), on=detection)
        .sort("alert_time")
        .join_asof(
            members.select("group", *detection, _at="alert_time").sort("_at"),
            left_on="alert_time",
            right_on="_at",
            by=["group", *detection],
            strategy="nearest",
            coalesce=False,
            check_sortedness=False,
        )
        .with_columns(gap=(pl.col("alert_time") - pl.col("_at")).abs(), spread=pl.lit(1))
        .filter(pl.col("gap") <= DENSE)
    )
    others = (pl.col("total") - pl.col("inside") - 1).clip(lower_bound=0)
    return (
        nearest.join(total, on=detection)
        .join(inside, on=[*detection, "group"])
        .join(known, on="tenant_id")
        .with_columns(rate=(others + PRIOR_OF_DETECTION) / pl.col("known_days"), kind=pl.lit("detection"))
        .select(*LEAD_KEY, "group", "kind", expected=_in_time("rate"))
    )
