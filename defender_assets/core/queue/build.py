"""Builds a day's queue from leads and stories."""

from datetime import date, timedelta
from typing import TypeVar

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.lake.snapshots import days_between
from defender_assets.core.leads.entities.user_names import user_names
from defender_assets.core.leads.risk.muting import exclude_muted
from defender_assets.core.leads.risk.points import clamp_score, reason
from defender_assets.core.leads.risk.prevalence import detections_of
from defender_assets.core.leads.risk.score import points_lost_to_frequency
from defender_assets.core.lists import row_list
from defender_assets.core.queue.schema import QUEUE_LOOKBACK_DAYS, QUEUE_SCHEMA
from defender_assets.core.stories.occurrences import AGAIN, USER_ON_PLACE
from defender_assets.core.stories.repeats import restored_points
from defender_assets.core.text import format_duration
from defender_assets.core.words import severity_ranks

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

ORDER = ("priority_points", "_severity", "alert_time", "lead_id", "tenant_id", "export_date")
_READ = (
    *LEAD_KEY, "export_date", "alert_id", "risk_score", "title", "severity", "product", "device_name", "alert_time",
    "entities", "muted_by",
)  # fmt: skip
"""The columns of leads that are read."""
_DESCENDING = (True, False, True, False, False, True)


def build_queue(day: date, leads: pl.LazyFrame, stories: pl.LazyFrame) -> pl.DataFrame:
    """Return the queue of a day: each unmuted lead that was new or changed, or whose story was.

    The priority of a lead is its own risk and what its story adds: an attack is looked at as a whole, so a harmless
    step of a dangerous story comes before a lonely lead of the same risk.

    `leads` are the partitions D-7 … D, of which the latest row of each lead counts, `stories` the partition D; others
    are ignored.

    Returns:
        QUEUE_SCHEMA, in the order of the queue.
    """
    since = day - timedelta(days=QUEUE_LOOKBACK_DAYS)
    latest = exclude_muted(
        days_between(leads, since, day)
        .select(*_READ, points_lost_to_frequency().alias("lost"))
        .collect()
        .sort(*LEAD_KEY, "export_date")
        .unique(LEAD_KEY, keep="last", maintain_order=True)
    )
    of_day = (
        days_between(stories, day, day)
        .select("tenant_id", "story_id", "points", "lead_count", "lead_ids", "nearby_leads", "title", "score")
        .collect()
    )
    members = of_day.select(
        "tenant_id", "story_id", "points", "lead_count", story_title="title", story_score="score", lead_id="lead_ids"
    ).explode("lead_id")
    rows = (
        latest.join(members, on=LEAD_KEY, how="left")
        .filter((pl.col("export_date") == day) | pl.col("story_id").is_not_null())
        .join(_received(of_day), on=LEAD_KEY, how="left")
    )
    titles = latest.with_columns(detection=detections_of(latest.get_column("title")).fill_null(""))
    restored = restored_points(titles, members.drop_nulls("lead_id"), "story_id")
    for part in (user_names(rows), restored):
        rows = rows.join(part, on=LEAD_KEY, how="left")
    rows = rows.with_columns(
        export_date=pl.lit(day, dtype=pl.Date),
        risk_score=pl.col("risk_score").fill_null(0),
        accounts=pl.col("_users").fill_null(pl.lit([], dtype=pl.List(pl.String()))).list.sort(),
    )
    rows = rows.with_columns(_near_words(rows))
    return queue_order(_with_priority(rows).select(QUEUE_SCHEMA.names()).cast(QUEUE_SCHEMA))


def queue_order(rows: Frame) -> Frame:
    """Return the rows in the order of the queue: most points, then severity, then the newest alert."""
    return (
        rows.with_columns(_severity=severity_ranks(pl.col("severity")))
        .sort(ORDER, descending=_DESCENDING, nulls_last=True)
        .drop("_severity")
    )


def _received(stories: pl.DataFrame) -> pl.DataFrame:
    """Return the leads near a story: LEAD_KEY, `_received` (points), `_kind`, `_seconds`, and `_near`: its title."""
    nearby = stories.select("tenant_id", "nearby_leads", _near=pl.col("title").fill_null("untitled"))
    nearby = nearby.explode("nearby_leads").drop_nulls("nearby_leads").unnest("nearby_leads")
    return nearby.rename({"points": "_received", "kind": "_kind", "seconds": "_seconds"})


def _near_words(rows: pl.DataFrame) -> pl.Series:
    """Return `_why`: for each row why it receives points of a story, null if it does not."""
    columns = rows.select("_kind", "_seconds", "_near", "accounts", "device_name")
    return pl.Series(
        "_why",
        [None if near is None else _why(kind, seconds, near, *who) for kind, seconds, near, *who in columns.rows()],
        dtype=pl.String,
    )


def _why(kind: str, seconds: int | None, title: str, accounts: list[str], device: str | None) -> str:
    user = f"user {accounts[0]}" if len(accounts) == 1 else "user"
    if kind in {USER_ON_PLACE, AGAIN}:
        what = f"Its {user} and its device are"
    elif kind == "device" and device:
        what = f"Its device {device} is"
    else:
        what = f"Its {user if kind == 'user' else kind} is"
    when = "within an hour" if seconds is None else "at the same time"
    if seconds:
        when = f"{format_duration(abs(seconds))} {'earlier' if seconds > 0 else 'later'}"
    return f"{what} also in a story, {when}: {title}"


def _with_priority(rows: pl.DataFrame) -> pl.DataFrame:
    risk = pl.col("risk_score")
    added, received, restored = (pl.col(name).fill_null(0) for name in ("points", "_received", "restored"))
    reasons = [
        pl.when(risk > 0).then(reason(pl.format("The alert itself has a risk of {}", risk), risk)),
        pl.when(added > 0).then(
            reason(
                pl.format(
                    "It is one of {} alerts of a story: {}", "lead_count", pl.col("story_title").fill_null("untitled")
                ),
                added,
            )
        ),
        pl.when(restored > 0).then(reason(pl.lit("Its detection is frequent because of this story"), restored)),
        pl.when(received > 0).then(reason(pl.col("_why"), received)),
    ]
    rows = rows.with_columns(
        priority_reasons=row_list(reasons), priority_points=(risk + added + restored + received).cast(pl.Int64)
    )
    return clamp_score(rows, "priority", "priority_reasons")
