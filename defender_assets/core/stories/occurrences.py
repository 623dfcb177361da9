"""How common each entity of a lead is in the tenant: its leads on other days, strangers, and density.

A lead of an attack must not make the attack look ordinary, however large the attack is. So leads near in time count
only where many unrelated users meet on a device.

Leads and entities are numbered, because a number is compared much faster than a tenant and a text.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from defender_assets.core.leads.entities.traits import TRAITS
from defender_assets.core.leads.risk.muting import exclude_muted
from defender_assets.core.leads.risk.prevalence import detections_of
from defender_assets.core.words import severity_ranks, word_keys

NEAR = timedelta(hours=24)
"""Leads within this time of a lead can belong to the same attack."""

DENSE = timedelta(hours=1)
"""The time in which several different detections on one user or device make chance less likely. Bins count it, so it
is up to one and a half times as long: see `_distinct_within`."""

MOST_STRANGERS = 3
"""More users than this on a device within NEAR, most of them with a single lead, make it a shared device."""

MOST_NAMED = 10
"""A lead that names more users than this, as a dump of credentials does, does not say whose it is."""

FEW = 2
"""So many leads of other days do not make a file, a mail or AGAIN common: an intrusion can last longer than a day.
Hosts and addresses also serve strangers, and users and devices have other leads anyway."""
BROUGHT = ("file", "mail")
"""Kinds that an intruder brings."""

PLACES = ("device", "resource")
"""Kinds on which strangers meet."""

LEAST_KNOWN_DAYS = 3
"""In the first days of a tenant, what is ordinary counts as known for so long: otherwise nothing would be linked."""

USER_ON_PLACE = "user on device"
"""The kind of one user on one device: rarer than an administrator, and rarer than a server, each for itself. No entity
has this kind."""

AGAIN = "detection on user on device"
"""The kind of one detection on one user on one device, or on the one of them that a lead names. No entity has it."""

SHARE_OF_DETECTION = 0.01
"""Share of the leads of a user on a device that one detection has, if it is as frequent as the tenant's others."""

# Prior number of leads with an entity that the look-back shows nowhere else: any user or device can have a next alert,
# while a file that was never seen hardly ever comes twice. A host or an address is between them: content networks,
# shared hosting and the gateways of providers serve strangers too.
# Strangers have a subject, a network or a family of malware in common more often still.
_PRIOR = dict.fromkeys(TRAITS, 1.0) | {
    "user": 0.5,
    "device": 0.5,
    "resource": 0.5,
    USER_ON_PLACE: 0.2,
    "host": 0.2,
    "address": 0.2,
}
_PRIOR_OTHERWISE = 0.015

SEVERITIES = ("informational", "low", "medium", "high")
RANKS = range(len(SEVERITIES))


def occurrences(leads: pl.DataFrame) -> pl.DataFrame:
    """Return the entities of the leads that nothing mutes, with what is known of each in the tenant.

    Args:
        leads: one row per lead, with its number `lead`, `tenant_id`, `alert_time`, `entities`, `muted_by`, and the
            columns of `with_detection` and `with_known_days`. Muted leads count in what is ordinary.

    Returns:
        `lead`, `alert_time`, `detection` (a number, null for none), `rank` (of the severity), `entity` (a number),
        `kind`, by entity and time, without entities of a single lead;
        `elsewhere`: leads on other days; `crowd`: leads nearby that make the entity common; `density`: different
        detections within DENSE (1 for kinds other than user and device); `prior`; `known_days`.
    """
    timed = leads.filter(pl.col("alert_time").is_not_null())
    named = lead_entities(timed)
    users = named.filter(pl.col("kind") == "user").select("lead", user="identity").unique()
    rows = _numbered(named, timed)
    elsewhere = pl.col("elsewhere") - few_of_kind()
    return (
        _with_prior(_with_elsewhere(rows))
        .join(_densities(rows, users), on=["entity", "lead"], how="left")
        .join(_strangers(rows, users), on=["entity", "lead"], how="left")
        .with_columns(
            elsewhere=elsewhere.clip(lower_bound=0),
            crowd=pl.col("strangers").fill_null(0),
            density=pl.col("density").fill_null(1),
        )
        .join(exclude_muted(leads).select("lead"), on="lead", how="semi")
        .select(
            "lead",
            "alert_time",
            pl.when("titled").then("detection").alias("detection"),
            "rank",
            "entity",
            "kind",
            "elsewhere",
            "crowd",
            "density",
            "prior",
            "known_days",
        )
        .sort("entity", "alert_time", "lead")
    )


def _of_several_leads(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows without entities that only one lead has: most are such, and none of them links leads.

    Those of an `owner` that several leads have stay, because its AGAIN is as usual as they are.
    """
    lead = pl.col("lead")
    of_owner = pl.col("owner").is_not_null() & (lead.min() != lead.max()).over("tenant_id", "owner")
    return rows.filter((pl.len().over("tenant_id", "kind", "value") > 1) | of_owner)


def few_of_kind() -> pl.Expr:
    """Return how many leads of other days do not make an entity of the row's kind common."""
    return pl.when(pl.col("kind").is_in((*BROUGHT, AGAIN))).then(FEW).otherwise(0)


def lead_entities(leads: pl.DataFrame) -> pl.DataFrame:
    """Return the entities of leads, each once: `lead`, `tenant_id`, `kind`, `value`, `identity`."""
    return (
        leads.select("lead", "tenant_id", "entities")
        .filter(pl.col("entities").list.len() > 0)
        .explode("entities")
        .unnest("entities")
        .group_by("lead", "kind", "value")
        .agg(pl.col("tenant_id").first(), pl.col("identity").min())
        .select("lead", "tenant_id", "kind", "value", "identity")
    )


def with_detection(leads: pl.DataFrame) -> pl.DataFrame:
    """Add `detection` (the title in its normal form, "" for none), `activity`, and `rank` of the severity (0 to 3).

    `activity` says what the lead is about: the detection, else category, source and techniques, which evidence without
    AlertInfo can have too; "" if there is nothing. Two leads of one activity need not be of one detection. As where
    leads are shown, a word that is no severity, or none, is not above any of the four.
    """
    rank = (SEVERITIES.index("high") - severity_ranks(pl.col("severity"))).clip(lower_bound=0)
    leads = leads.with_columns(detections_of(leads.get_column("title")).fill_null("").alias("detection"), rank=rank)
    described = pl.concat_str(
        word_keys(pl.col("category")),
        word_keys(pl.col("detection_source")),
        pl.col("attack_techniques").list.join(" "),
        separator="|",
        ignore_nulls=True,
    ).str.strip_chars("|")
    return leads.with_columns(
        activity=pl.when((pl.col("detection") != "") | (described == ""))
        .then("detection")
        .otherwise(pl.lit("untitled: ") + described)
    )


def with_known_days(leads: pl.DataFrame, day: date) -> pl.DataFrame:
    """Add `known_days`: for how many days the tenant's leads show what is ordinary.

    These are the days from the tenant's first lead to `day`, without the last two: the days within NEAR of a lead show
    nothing of what is ordinary.
    """
    days = (pl.lit(day) - pl.col("first_day").min().over("tenant_id")).dt.total_days() - 1
    return leads.with_columns(known_days=days.clip(lower_bound=LEAST_KNOWN_DAYS))


def count_by_rank(rows: pl.DataFrame, by: Sequence[str], name: str) -> pl.DataFrame:
    """Return `by` and for each rank the number of rows that are at least as severe: `<name>_0` to `<name>_3`."""
    return rows.group_by(by).agg(
        (pl.col("rank") >= rank).sum().cast(pl.Int64).alias(f"{name}_{rank}") for rank in RANKS
    )


def count_of_rank(name: str) -> pl.Expr:
    """Return the count of `count_by_rank` for the row's `rank`."""
    return pl.coalesce(pl.when(pl.col("rank") == rank).then(f"{name}_{rank}") for rank in RANKS)


def _numbered(named: pl.DataFrame, leads: pl.DataFrame) -> pl.DataFrame:
    """Return the entities of the leads, USER_ON_PLACE and AGAIN, that several leads have, with `entity`, their number.

    The detection is a number too. `owner` names the user, the place or both on which a detection can come again.

    Args:
        named: result of `lead_entities`.
        leads: the leads that have a time.
    """
    kind = pl.col("kind")
    leads = leads.with_columns(pl.col("detection", "activity").rank("dense"), titled=pl.col("detection") != "")
    owner = pl.when(kind == "user").then("identity").when(kind.is_in(PLACES)).then("value")
    rows = named.with_columns(
        owner=pl.concat_str(pl.lit("on"), "kind", owner, separator=" "),
        place_count=pl.col("identity").filter(kind.is_in(PLACES)).n_unique().over("lead"),
        names_user=(kind == "user").any().over("lead"),
    )
    # If several leads have a user on a place, several have that user and that place.
    rows = _of_several_leads(rows)
    rows = pl.concat([rows, _users_on_places(rows)])
    rows = pl.concat([rows, _again(rows, leads)], how="diagonal")
    rows = _of_several_leads(rows).sort("tenant_id", "kind", "value")
    return rows.select(
        "lead", "kind", "identity", "owner", entity=pl.struct("tenant_id", "kind", "value").rle_id()
    ).join(leads.select("lead", "alert_time", "detection", "activity", "titled", "rank", "known_days"), on="lead")


def _again(rows: pl.DataFrame, leads: pl.DataFrame) -> pl.DataFrame:
    """Return rows of AGAIN: the detection of each lead on its USER_ON_PLACE, or on its places if it names no user."""
    kind = pl.col("kind")
    place_alone = kind.is_in(PLACES) & ~pl.col("names_user")
    return (
        rows.filter((kind == USER_ON_PLACE) | place_alone)
        .select("lead", "tenant_id", "owner")
        .unique()
        .join(leads.filter("titled").select("lead", "detection"), on="lead")
        .select(
            "lead",
            "tenant_id",
            kind=pl.lit(AGAIN),
            value=pl.concat_str("owner", "detection", separator=": "),
            identity=pl.lit(None, dtype=pl.String),
            owner="owner",
        )
    )


def _with_prior(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `prior`: how many leads the entity is expected to have without an attack.

    A detection comes again on a user or device the more often, the more leads they have.
    """
    rows = rows.with_columns(
        prior=pl.col("kind").replace_strict(_PRIOR, default=_PRIOR_OTHERWISE, return_dtype=pl.Float64)
    )
    again = pl.col("kind") == AGAIN
    of_owner = (
        rows.filter(~again & pl.col("owner").is_not_null())
        .group_by("lead", "owner")
        .agg(_usual=(pl.col("elsewhere") + pl.col("prior")).max())
    )
    return (
        rows.join(of_owner, on=["lead", "owner"], how="left")
        .with_columns(prior=pl.when(again).then(pl.col("_usual") * SHARE_OF_DETECTION).otherwise("prior"))
        .drop("_usual")
    )


def _users_on_places(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of USER_ON_PLACE: each user of a lead on its place, if it names exactly one place."""
    users = rows.filter(pl.col("kind") == "user").select("lead", user="identity").unique()
    return (
        rows.filter(pl.col("kind").is_in(PLACES) & (pl.col("place_count") == 1))
        .join(users, on="lead")
        .with_columns(
            kind=pl.lit(USER_ON_PLACE),
            value=pl.concat_str("user", "value", separator=" on "),
            identity="user",
            owner=pl.concat_str(pl.lit("on"), "user", "kind", "value", separator=" "),
        )
        .select(rows.columns)
    )


def _with_elsewhere(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `elsewhere`: how often the entity has leads on other days that are at least as severe as the row's lead.

    These are the leads of the same detection that are farther away than NEAR, and those of other detections that are,
    each detection once a day. Less severe leads do not count: a flood of cheap alerts must not untie severe ones.
    """
    timed = _with_times(rows).sort("entity", "detection", "at")
    timed = timed.with_columns(
        on_entity=pl.struct("entity", "detection").rle_id().cast(pl.Int64), day=pl.col("alert_time").dt.truncate("1d")
    )
    new = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in ("on_entity", "day"))
    parts = []
    for rank in RANKS:
        events = timed.filter(pl.col("rank") >= rank)
        occasions, counted = events.filter(new), timed.filter(pl.col("rank") == rank)
        own = _far(counted, events, "on_entity")
        of_all, own_days = (_far(counted, occasions, by) for by in ("entity", "on_entity"))
        parts.append(counted.select(rows.columns).with_columns(elsewhere=own + of_all - own_days))
    return pl.concat(parts)


def _with_times(rows: pl.DataFrame) -> pl.DataFrame:
    """Add numbers of moments: `at`, the row's own; `since`, the first within NEAR; `until`, the first after that."""
    moments = rows.get_column("alert_time").unique().sort()
    times = rows.get_column("alert_time")
    return rows.with_columns(
        pl.Series("at", moments.search_sorted(times, "left"), pl.Int64),
        pl.Series("since", moments.search_sorted(times - NEAR, "left"), pl.Int64),
        pl.Series("until", moments.search_sorted(times + NEAR, "right"), pl.Int64),
        moments=pl.lit(len(moments), pl.Int64),
    )


def _far(rows: pl.DataFrame, events: pl.DataFrame, by: str) -> pl.Series:
    """Return how many events of the same group are not within NEAR of each row.

    `rows` and `events` come from `_with_times`; `by` is the column of the number of the group.
    """
    # Group and moment as one number: the events between two moments are those between two places.
    first = pl.col(by).cast(pl.Int64) * pl.col("moments")
    keys = events.select(first + pl.col("at")).to_series().sort()
    since, until, start, end = (
        keys.search_sorted(rows.select(edge).to_series(), "left").cast(pl.Int64)
        for edge in (first + pl.col("since"), first + pl.col("until"), first, first + pl.col("moments"))
    )
    return end - start - (until - since)


def _densities(rows: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """Return `entity`, `lead` and `density` for the leads of each user and device; `users` has those of each lead.

    On a device only the detections of one user count together, with those of no user: strangers on a shared server set
    off different detections too. Leads of more than MOST_NAMED users count as those of no user, so the cost does not
    grow with the pairs of users and devices.
    """
    users = users.filter(pl.len().over("lead") <= MOST_NAMED)
    of_user = rows.filter(pl.col("kind") == "user").with_columns(_bin=_bin(DENSE))
    places = rows.filter(pl.col("kind").is_in(PLACES)).join(users, on="lead", how="left").with_columns(_bin=_bin(DENSE))
    nobody = pl.col("user").is_null()
    anonymous = _distinct_within(places.filter(nobody), ("entity",), "activity", "_anonymous")
    own = _distinct_within(places.filter(~nobody), ("entity", "user"), "activity", "_own")
    busiest = own.group_by("entity", "_bin").agg(_busiest=pl.col("_own").max())
    of_place = (
        places.join(anonymous, on=["entity", "_bin"], how="left")
        .join(own, on=["entity", "user", "_bin"], how="left")
        .join(busiest, on=["entity", "_bin"], how="left")
        .with_columns(density=pl.col("_anonymous").fill_null(0) + pl.coalesce("_own", "_busiest", pl.lit(0)))
        .group_by("entity", "lead")
        .agg(pl.col("density").max())
    )
    of_user = of_user.join(_distinct_within(of_user, ("entity",), "activity", "density"), on=["entity", "_bin"]).select(
        of_place.columns
    )
    return pl.concat([of_user, of_place])


def _strangers(rows: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """Return `entity`, `lead` and `strangers`: the users that make a device a shared one, else 0.

    Only leads of a single user count: one that names many accounts, as a dump of credentials does, is no crowd.
    """
    alone = users.filter(pl.len().over("lead") == 1)
    places = rows.filter(pl.col("kind").is_in(PLACES)).join(alone, on="lead").with_columns(_bin=_bin(NEAR))
    met = _distinct_within(places, ("entity",), "user", "users")
    leads = _distinct_within(places, ("entity",), "lead", "leads")
    shared = (pl.col("users") > MOST_STRANGERS) & (pl.col("users") * 2 > pl.col("leads"))
    return (
        places.join(met, on=["entity", "_bin"])
        .join(leads, on=["entity", "_bin"])
        .select("entity", "lead", strangers=pl.when(shared).then("users").otherwise(0))
    )


def _distinct_within(rows: pl.DataFrame, by: Sequence[str], column: str, name: str) -> pl.DataFrame:
    """Return `by`, `_bin` and the number of distinct values in that bin and its neighbours.

    The bins have half the window's length, so a value is at most one and a half windows away. The cost stays linear
    however many leads an entity has.
    """
    found = rows.select(*by, "_bin", column).unique()
    around = pl.concat([found.with_columns(pl.col("_bin") + shift) for shift in (-2, -1, 0, 1, 2)])
    return around.group_by(*by, "_bin").agg(pl.col(column).n_unique().cast(pl.Int64).alias(name))


def _bin(window: timedelta) -> pl.Expr:
    return pl.col("alert_time").dt.epoch("us") // (window // timedelta(microseconds=2))
