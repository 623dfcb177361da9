"""How common each entity of a lead is in the tenant: its leads on other days, repeats, strangers, and density.

A lead of an attack must not make the attack look ordinary. So leads near in time count only where one detection fires
on the entity again and again, or where many unrelated users meet on a device.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.leads.risk.muting import exclude_muted
from defender_assets.core.leads.risk.prevalence import detections_of

ENTITY_KEY = ("tenant_id", "kind", "value")

NEAR = timedelta(hours=24)
"""Leads within this time of a lead can belong to the same attack."""

DENSE = timedelta(hours=1)
"""The time in which several different detections on one user or device make chance less likely."""

MOST_REPEATS = 9
"""More leads of one detection than this within NEAR make an entity common for that detection."""

MOST_STRANGERS = 3
"""More users than this on a device within NEAR, most of them with a single lead, make it a shared device."""

FEW = 2
"""Up to this many leads of other days do not make a file or a mail common: an intrusion can last longer than a day.
Hosts and addresses also serve strangers, and users and devices have other leads anyway."""
SPECIFIC_KINDS = ("file", "mail")

PLACES = ("device", "resource")
"""Kinds on which strangers meet."""

LEAST_KNOWN_DAYS = 3
"""In the first days of a lake, what is ordinary counts as known for so long: otherwise nothing would be linked."""

USER_ON_PLACE = "user on device"
"""The kind of one user on one device: rarer than an administrator, and rarer than a server, each for itself. No entity
has this kind."""

# Prior number of leads with an entity that the look-back shows nowhere else: any user or device can have a next alert,
# while a file that was never seen hardly ever comes twice.
_PRIOR = {"user": 0.5, "device": 0.5, "resource": 0.5, USER_ON_PLACE: 0.2}
_PRIOR_OTHERWISE = 0.015

SEVERITIES = ("informational", "low", "medium", "high")
RANKS = range(len(SEVERITIES))
_UNKNOWN_RANK = SEVERITIES.index("medium")


def occurrences(leads: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return the entities of the leads that nothing mutes, with what is known of each in the tenant.

    Args:
        leads: result of `with_detection`: one row per lead, with `tenant_id`, `lead_id`, `alert_time`, `entities`,
            `first_day`, `muted_by`. Muted leads count in what is ordinary.
        day: the last day of the look-back.

    Returns:
        LEAD_KEY, `alert_time`, `kind`, `value`, `detection`, `rank` (of the severity), by entity and time;
        `elsewhere`: leads on other days; `crowd`: leads nearby that make the entity common; `density`: different
        detections within DENSE (1 for kinds other than user and device); `prior`;
        `known_days`: for how many days the tenant's leads show what is ordinary.
    """
    rows = lead_entities(leads)
    who = rows.filter(pl.col("kind") == "user").select(*LEAD_KEY, user="identity").unique()
    rows = pl.concat([rows, _users_on_places(rows, who)])
    unseen = pl.col("kind").replace_strict(_PRIOR, default=_PRIOR_OTHERWISE, return_dtype=pl.Float64)
    specific = pl.col("kind").is_in(SPECIFIC_KINDS) & (pl.col("elsewhere") <= FEW)
    repeats = (pl.col("repeats") - MOST_REPEATS).clip(lower_bound=0)
    return (
        _with_elsewhere(rows)
        .join(_densities(rows, who), on=[*ENTITY_KEY, "lead_id"], how="left")
        .join(_strangers(rows, who), on=[*ENTITY_KEY, "lead_id"], how="left")
        .with_columns(
            # An outbreak is one new file on many devices: its repeats do not make the file common.
            crowd=pl.when(specific).then(0).otherwise(repeats) + pl.col("strangers").fill_null(0),
            elsewhere=pl.when(specific).then(0).otherwise("elsewhere"),
            density=pl.col("density").fill_null(1),
            prior=unseen,
        )
        .join(known_days(leads, day), on="tenant_id")
        .join(exclude_muted(leads).select(LEAD_KEY), on=LEAD_KEY, how="semi")
        .drop("repeats", "strangers")
        .sort(*ENTITY_KEY, "alert_time", "lead_id")
    )


def known_days(leads: pl.DataFrame, day: date) -> pl.DataFrame:
    """Return `tenant_id` and `known_days`: the days from the tenant's first lead to `day`, without the last two.

    The days within NEAR of a lead, about two, show nothing of what is ordinary.
    """
    first = pl.col("first_day").min()
    days = (pl.lit(day) - first).dt.total_days() - 1
    return leads.group_by("tenant_id").agg(known_days=days.clip(lower_bound=LEAST_KNOWN_DAYS))


def lead_entities(leads: pl.DataFrame) -> pl.DataFrame:
    """Return the entities of leads: LEAD_KEY, `alert_time`, `kind`, `value`, `identity`, `detection`, `rank`."""
    return (
        leads.select(*LEAD_KEY, "alert_time", "entities", "detection", "rank")
        .filter(pl.col("alert_time").is_not_null() & (pl.col("entities").list.len() > 0))
        .explode("entities")
        .unnest("entities")
        .group_by(*ENTITY_KEY, "lead_id", "alert_time", "detection", "rank")
        .agg(identity=pl.col("identity").min())
        .sort(*ENTITY_KEY, "alert_time", "lead_id")
    )


def with_detection(leads: pl.DataFrame) -> pl.DataFrame:
    """Add `detection` (the title in its normal form, "" for none) and `rank` of the severity (0 to 3)."""
    ranks = {name: rank for rank, name in enumerate(SEVERITIES)}
    rank = pl.col("severity").str.to_lowercase().replace_strict(ranks, default=_UNKNOWN_RANK, return_dtype=pl.Int64)
    return leads.with_columns(
        detections_of(leads.get_column("title")).fill_null("").alias("detection"), rank=rank.fill_null(_UNKNOWN_RANK)
    )


def _users_on_places(rows: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """Return rows of USER_ON_PLACE: each user of a lead on its place, if it names exactly one place."""
    places = rows.filter(pl.col("kind").is_in(PLACES))
    places = places.filter(pl.col("value").n_unique().over(LEAD_KEY) == 1)
    return (
        places.join(who, on=LEAD_KEY)
        .with_columns(
            kind=pl.lit(USER_ON_PLACE), value=pl.concat_str("user", "value", separator=" on "), identity="user"
        )
        .select(rows.columns)
    )


def count_by_rank(rows: pl.DataFrame, by: Sequence[str], name: str) -> pl.DataFrame:
    """Return `by` and for each rank the number of rows that are at least as severe: `<name>_0` to `<name>_3`."""
    return rows.group_by(by).agg(
        (pl.col("rank") >= rank).sum().cast(pl.Int64).alias(f"{name}_{rank}") for rank in RANKS
    )


def count_of_rank(name: str) -> pl.Expr:
    """Return the count of `count_by_rank` for the row's `rank`."""
    return pl.coalesce(pl.when(pl.col("rank") == rank).then(f"{name}_{rank}") for rank in RANKS)


def _with_elsewhere(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `elsewhere` and `repeats`.

    `repeats` are the leads of the same detection on the entity within NEAR. `elsewhere` are its other ones, and the
    leads of other detections that are farther away and at least as severe, each detection once a day: a flood of
    cheap alerts must not untie severe ones.
    """
    of_detection = [*ENTITY_KEY, "detection"]
    rows = _with_near(rows, rows, of_detection, "repeats")
    own = pl.len().over(of_detection).cast(pl.Int64) - pl.col("repeats")
    days = rows.with_columns(_day=pl.col("alert_time").dt.truncate("1d"))
    parts = []
    for rank in RANKS:
        occasions = days.filter(pl.col("rank") >= rank).unique(
            [*of_detection, "_day"], keep="first", maintain_order=True
        )
        counts = occasions.group_by(ENTITY_KEY).agg(_all=pl.len().cast(pl.Int64))
        of_rank = rows.with_columns(own=own).filter(pl.col("rank") == rank)
        parts.append(
            _with_near(of_rank, occasions, list(ENTITY_KEY), "_near")
            .join(counts, on=ENTITY_KEY, how="left")
            .with_columns(elsewhere=pl.col("own") + (pl.col("_all") - pl.col("_near")).clip(lower_bound=0))
            .drop("own", "_all", "_near")
        )
    return pl.concat(parts)


def _with_near(rows: pl.DataFrame, events: pl.DataFrame, by: list[str], name: str) -> pl.DataFrame:
    """Add the number of events of the same group within NEAR of each row."""
    counted = events.sort("alert_time").select(*by, _at="alert_time", _count=pl.int_range(1, pl.len() + 1).over(by))
    edges = rows.with_columns(
        _from=pl.col("alert_time") - NEAR - timedelta(microseconds=1), _to=pl.col("alert_time") + NEAR
    )
    for edge, column in (("_to", "_upto"), ("_from", "_before")):
        # An unsorted side would give wrong rows, not an error.
        edges = edges.sort(edge).join_asof(
            counted.rename({"_count": column, "_at": edge}),
            left_on=edge,
            right_on=edge,
            by=by,
            coalesce=True,
            check_sortedness=False,
        )
    count = pl.col("_upto").fill_null(0) - pl.col("_before").fill_null(0)
    return edges.with_columns(count.cast(pl.Int64).alias(name)).drop("_from", "_to", "_upto", "_before")


def _densities(rows: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """Return ENTITY_KEY, `lead_id` and `density` for the leads of each user and device; `who` has each lead's users.

    On a device only the detections of one user count together, with those of no user: strangers on a shared server set
    off different detections too.
    """
    users = rows.filter(pl.col("kind") == "user")
    places = rows.filter(pl.col("kind").is_in(PLACES)).join(who, on=LEAD_KEY, how="left")
    nobody = pl.col("user").is_null()
    anonymous = _distinct_within(places.filter(nobody), ENTITY_KEY, "detection", DENSE, "_anonymous")
    own = _distinct_within(places.filter(~nobody), (*ENTITY_KEY, "user"), "detection", DENSE, "_own")
    bins = _bin(DENSE)
    busiest = own.group_by(*ENTITY_KEY, "_bin").agg(_busiest=pl.col("_own").max())
    of_place = (
        places.with_columns(_bin=bins)
        .join(anonymous, on=[*ENTITY_KEY, "_bin"], how="left")
        .join(own, on=[*ENTITY_KEY, "user", "_bin"], how="left")
        .join(busiest, on=[*ENTITY_KEY, "_bin"], how="left")
        .with_columns(density=pl.col("_anonymous").fill_null(0) + pl.coalesce("_own", "_busiest", pl.lit(0)))
        .group_by(*ENTITY_KEY, "lead_id")
        .agg(pl.col("density").max().cast(pl.Int64))
    )
    of_user = (
        users.with_columns(_bin=bins)
        .join(_distinct_within(users, ENTITY_KEY, "detection", DENSE, "density"), on=[*ENTITY_KEY, "_bin"])
        .select(*ENTITY_KEY, "lead_id", pl.col("density").cast(pl.Int64))
    )
    return pl.concat([of_user, of_place])


def _strangers(rows: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """Return ENTITY_KEY, `lead_id` and `strangers`: the users that make a device a shared one, else 0.

    Only leads of a single user count: one that names many accounts, as a dump of credentials does, is no crowd.
    """
    alone = who.filter(pl.len().over(LEAD_KEY) == 1)
    places = rows.filter(pl.col("kind").is_in(PLACES)).join(alone, on=LEAD_KEY)
    users = _distinct_within(places, ENTITY_KEY, "user", NEAR, "users")
    leads = _distinct_within(places, ENTITY_KEY, "lead_id", NEAR, "leads")
    shared = (pl.col("users") > MOST_STRANGERS) & (pl.col("users") * 2 > pl.col("leads"))
    return (
        places.with_columns(_bin=_bin(NEAR))
        .unique([*ENTITY_KEY, "lead_id"])
        .join(users, on=[*ENTITY_KEY, "_bin"])
        .join(leads, on=[*ENTITY_KEY, "_bin"])
        .select(*ENTITY_KEY, "lead_id", strangers=pl.when(shared).then("users").otherwise(0).cast(pl.Int64))
    )


def _distinct_within(rows: pl.DataFrame, by: Sequence[str], column: str, window: timedelta, name: str) -> pl.DataFrame:
    """Return `by`, `_bin` and the number of distinct values in that bin and its neighbours.

    The bins have half the window's length: the cost stays linear however many leads an entity has.
    """
    found = rows.select(*by, column, _bin=_bin(window)).unique()
    around = pl.concat([found.with_columns(pl.col("_bin") + shift) for shift in (-2, -1, 0, 1, 2)])
    return around.group_by(*by, "_bin").agg(pl.col(column).n_unique().cast(pl.Int64).alias(name))


def _bin(window: timedelta) -> pl.Expr:
    return pl.col("alert_time").dt.epoch("us") // (window // timedelta(microseconds=2))
