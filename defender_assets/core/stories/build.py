"""A day's stories, put together out of leads and what ties them. How one lead is scored: `core/risk`."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import polars as pl

from defender_assets.core.enums import LEVELS
from defender_assets.core.identifiers import LEAD_KEY, stable_id
from defender_assets.core.lake.snapshots import days_between
from defender_assets.core.leads.risk.points import clamp_score, reason
from defender_assets.core.stories.clustering import groups, shared_entities
from defender_assets.core.stories.correlation import ties
from defender_assets.core.stories.schema import STORY_LOOKBACK_DAYS, STORY_SCHEMA
from defender_assets.core.stories.timeline import timelines

# What the leads of a story tell beyond the strongest of them: points for each further one, and the most there can be.
PER_PRODUCT, MOST_FOR_PRODUCTS = 8, 24
PER_DETECTION, MOST_FOR_DETECTIONS = 3, 15
PER_TACTIC, MOST_FOR_TACTICS = 4, 12
PER_DEVICE, MOST_FOR_DEVICES = 3, 9


def build_stories(day: date, leads: pl.LazyFrame) -> pl.DataFrame:
    """Return the stories of a day: groups of two or more leads that share entities in time, one of them from the day.

    Args:
        day: the partition to build.
        leads: `device_enriched_leads`, partitions D-7 … D (others are left out); of each lead the latest row counts.

    Returns:
        STORY_SCHEMA, sorted by tenant and story_id.
    """
    since = day - timedelta(days=STORY_LOOKBACK_DAYS)
    rows = days_between(leads, since, day).collect().sort(*LEAD_KEY, "export_date")
    latest = _latest(rows)
    grouped = groups(ties(latest, STORY_LOOKBACK_DAYS + 1))
    members = (
        latest.join(grouped, on=LEAD_KEY, how="inner")
        .filter((pl.col("_last_day") == day).any().over("group"))
        .sort("group", "alert_time", "lead_id")
    )
    if members.is_empty():
        return STORY_SCHEMA.to_frame()
    members = members.join(_user_names(members), on=LEAD_KEY, how="left", maintain_order="left")
    shared = shared_entities(latest, grouped)
    stories = (
        _with_merged(_stories(members), _latest(rows.filter(pl.col("export_date") < day)))
        .join(shared, on="group")
        .join(timelines(members, shared), on="group")
        .with_columns(export_date=pl.lit(day, dtype=pl.Date))
    )
    return _with_titles(_scored(stories)).select(STORY_SCHEMA.names()).cast(STORY_SCHEMA).sort("tenant_id", "story_id")


def _latest(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the latest row of each lead, with the first and last day on which it has one."""
    first_day, last_day = pl.col("export_date").min().over(LEAD_KEY), pl.col("export_date").max().over(LEAD_KEY)
    return rows.with_columns(_first_day=first_day, _last_day=last_day).unique(
        LEAD_KEY, keep="last", maintain_order=True
    )


def _with_merged(stories: pl.DataFrame, eve: pl.DataFrame) -> pl.DataFrame:
    """Return the stories with `merged_story_ids`: those of the day before whose first lead is now in another's story.

    `eve` are the leads as they stood then. That a story lost other leads to another one is a split, and not told here.
    """
    grouped = groups(ties(eve, STORY_LOOKBACK_DAYS + 1))
    firsts = (
        eve.join(grouped, on=LEAD_KEY)
        .sort("_first_day", "alert_time", "lead_id")
        .unique(["tenant_id", "group"], keep="first", maintain_order=True)
        .select("tenant_id", "lead_id")
    )
    ids = [stable_id(tenant_id, lead_id) for tenant_id, lead_id in firsts.rows()]
    earlier = firsts.with_columns(pl.Series("earlier_id", ids, dtype=pl.String))
    merged = (
        stories.select("tenant_id", "story_id", lead_id="lead_ids")
        .explode("lead_id")
        .join(earlier, on=LEAD_KEY)
        .filter(pl.col("earlier_id") != pl.col("story_id"))
        .group_by("tenant_id", "story_id")
        .agg(merged_story_ids=pl.col("earlier_id").unique().sort())
    )
    return stories.join(merged, on=["tenant_id", "story_id"], how="left").with_columns(
        pl.col("merged_story_ids").fill_null(pl.lit([], dtype=pl.List(pl.String)))
    )


def _stories(members: pl.DataFrame) -> pl.DataFrame:
    """Return one row per group; `members` are sorted by alert time within each, with `_users`."""
    ranks = {name: rank for rank, name in enumerate(LEVELS)}  # any other severity ranks below
    rank = pl.col("severity").str.to_lowercase().replace_strict(ranks, default=len(LEVELS), return_dtype=pl.Int64)
    severity = pl.col("severity").sort_by(rank, "severity", nulls_last=True).drop_nulls().first()
    first = pl.col("lead_id").sort_by("_first_day", "alert_time", "lead_id").first()
    strongest = pl.col("title").sort_by("risk_score", descending=True, maintain_order=True).first()
    stories = members.group_by("tenant_id", "group", maintain_order=True).agg(
        pl.col("lead_id").alias("lead_ids"),
        lead_count=pl.len().cast(pl.Int64),
        products=pl.col("product").drop_nulls().unique(maintain_order=True),
        first_alert_time=pl.col("alert_time").min(),
        last_alert_time=pl.col("alert_time").max(),
        severity=severity,
        tactics=pl.col("category").drop_nulls().unique(maintain_order=True),
        techniques=pl.col("attack_techniques").list.explode().drop_nulls().unique().sort(),
        device_names=pl.col("device_name").drop_nulls().unique().sort(),
        accounts=pl.col("_users").list.explode().drop_nulls().unique().sort(),
        _first_lead=first,
        _risk=pl.col("risk_score").max().fill_null(0),
        _strongest=strongest,
        _titles=pl.col("title").fill_null("untitled alert"),
        _devices=pl.coalesce("device_name", "device_id").drop_nulls(),
        _user_mentions=pl.col("_users").list.explode().drop_nulls(),
    )
    ids = [stable_id(tenant_id, lead_id) for tenant_id, lead_id in stories.select("tenant_id", "_first_lead").rows()]
    return stories.with_columns(pl.Series("story_id", ids, dtype=pl.String))


def _user_names(members: pl.DataFrame) -> pl.DataFrame:
    r"""Return LEAD_KEY and `_users`, the users of each lead as people read them: UPN, else domain\name, else an id.

    Taken from the entities, where accounts of the system and of machines are left out.
    """
    value = pl.col("value")
    readable = (
        pl.when(value.str.contains("@", literal=True)).then(0).when(value.str.contains("\\", literal=True)).then(1)
    )
    return (
        members.select(*LEAD_KEY, "entities")
        .explode("entities")
        .unnest("entities")
        .filter(pl.col("kind") == "user")
        .sort(readable.otherwise(2), "value")
        .unique([*LEAD_KEY, "identity"], keep="first", maintain_order=True)
        .group_by(LEAD_KEY)
        .agg(_users=value.unique())
    )


def _scored(stories: pl.DataFrame) -> pl.DataFrame:
    """Return the stories with `score` and `score_reasons`: the strongest lead, and what the others add to it."""
    detections = pl.col("_titles").list.n_unique()
    reasons = [
        pl.when(pl.col("_risk") > 0).then(
            reason(pl.format("Its strongest alert: {}", pl.col("_strongest").fill_null("untitled")), pl.col("_risk"))
        ),
        _further(
            pl.col("products").list.len(),
            pl.format("{} products see it: {}", pl.col("products").list.len(), pl.col("products").list.join(", ")),
            PER_PRODUCT,
            MOST_FOR_PRODUCTS,
        ),
        _further(detections, pl.format("{} different detections", detections), PER_DETECTION, MOST_FOR_DETECTIONS),
        _further(
            pl.col("tactics").list.len(),
            pl.format(
                "It moves through {} tactics: {}", pl.col("tactics").list.len(), pl.col("tactics").list.join(", ")
            ),
            PER_TACTIC,
            MOST_FOR_TACTICS,
        ),
        _further(
            pl.col("device_names").list.len(),
            pl.format("It spans {} devices", pl.col("device_names").list.len()),
            PER_DEVICE,
            MOST_FOR_DEVICES,
        ),
    ]
    return clamp_score(
        stories.with_columns(score_reasons=pl.concat_list(reasons).list.drop_nulls()), "score", "score_reasons"
    )


def _further(count: pl.Expr, words: pl.Expr, each: int, most: int) -> pl.Expr:
    points = ((count.cast(pl.Int64) - 1) * each).clip(0, most)
    return pl.when(points > 0).then(reason(words, points))


def _with_titles(stories: pl.DataFrame) -> pl.DataFrame:
    titles = [
        _title(story)
        for story in stories.select("lead_count", "_titles", "_devices", "_user_mentions").iter_rows(named=True)
    ]
    return stories.with_columns(pl.Series("title", titles, dtype=pl.String))


def _title(story: dict[str, Any]) -> str:
    """Return a sentence: how many alerts, where and by whom, from which to which."""
    where = [text for text in (_most(story["_devices"], "device"), _most(story["_user_mentions"], "account")) if text]
    first, last = story["_titles"][0], story["_titles"][-1]
    what = first if first == last else f"{first} → {last}"
    return f"{story['lead_count']} alerts{' on ' if where else ''}{' and '.join(where)}: {what}"


def _most(names: list[str], noun: str) -> str | None:
    """Return the name that occurs in most leads, and how many others there are."""
    counted = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    if not counted:
        return None
    others = len(counted) - 1
    more = f" (+{others} {noun}{'s' if others > 1 else ''})" if others else ""
    return f"{counted[0][0]}{more}"
