"""What is routine of an account: detections that it also has on other days and on other devices."""

import polars as pl

from defender_assets.core.stories.occurrences import MOST_NAMED, NEAR, PLACES, RANKS

_DETECTION = ("tenant_id", "user", "detection")


def routine_days(leads: pl.DataFrame) -> pl.DataFrame:
    """Return `lead` and `routine_days`: on how many earlier days each of its users had its detection elsewhere.

    A day counts if a lead is more than NEAR before this one, and not on the same device: a detection that comes again
    where it was can be an attack that goes on. A lead that is one degree less severe counts, because an agent that is
    detected as Low on most days is as ordinary when it is Medium; cheaper ones do not, so that they never unlink severe
    ones. Leads that name no user, or many, are left out.

    `leads` have a row per lead, with its number `lead`, `tenant_id`, `alert_time`, `entities`, `detection`, `rank`.
    """
    rows = _of_users(leads)
    edge = pl.col("alert_time") - NEAR
    elsewhere = pl.col("_first_place").ne_missing(pl.col("place")) | pl.col("place").is_null()
    on_other_place = (elsewhere & (pl.col("_first") < edge)) | (pl.col("_second") < edge)
    return (
        rows.join(_days_of_users(rows), on=[*_DETECTION, "rank"])
        .group_by("lead", "user")
        .agg(routine_days=on_other_place.fill_null(value=False).sum().cast(pl.Int64))
        .group_by("lead")
        .agg(pl.col("routine_days").min())
    )


def _of_users(leads: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each user of a lead, with the `place` that the lead names, if it names exactly one."""
    known = leads.filter((pl.col("detection") != "") & pl.col("alert_time").is_not_null())
    named = known.select("lead", "entities").explode("entities").unnest("entities")
    places = named.filter(pl.col("kind").is_in(PLACES)).group_by("lead").agg(place=pl.col("identity").unique())
    users = named.filter(pl.col("kind") == "user").select("lead", user="identity").unique()
    return (
        users.filter(pl.len().over("lead") <= MOST_NAMED)
        .join(known.select("lead", "tenant_id", "detection", "rank", "alert_time"), on="lead")
        .join(places, on="lead", how="left")
        .with_columns(pl.when(pl.col("place").list.len() == 1).then(pl.col("place").list.first()).alias("place"))
    )


def _days_of_users(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the days of each detection of a user, for each `rank` with the leads that count for it.

    `_first` is the time of the first lead, on `_first_place`; `_second` that of the first one on another place. So the
    cost does not grow with the number of devices.
    """
    day = pl.col("alert_time").dt.date().alias("_day")
    parts = [
        rows.filter(pl.col("rank") >= rank - 1)
        .group_by(*_DETECTION, day, "place")
        .agg(pl.col("alert_time").min())
        .sort("alert_time", "place")
        .group_by(*_DETECTION, "_day")
        .agg(
            _first_place=pl.col("place").first(),
            _first=pl.col("alert_time").first(),
            _second=pl.col("alert_time").slice(1, 1).first(),
        )
        .with_columns(rank=pl.lit(rank, dtype=rows.schema["rank"]))
        for rank in RANKS
    ]
    return pl.concat(parts)
