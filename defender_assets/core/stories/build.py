"""Builds a day's stories from leads and the links between them: ids, values, score and title."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from defender_assets.core.attack import OLDER_CATEGORIES, category_keys
from defender_assets.core.identifiers import LEAD_KEY, stable_id
from defender_assets.core.lake.snapshots import Change, days_between
from defender_assets.core.leads.entities.traits import with_networks_and_domains
from defender_assets.core.leads.entities.user_names import user_names
from defender_assets.core.leads.risk.points import TOP, clamp_score, reason
from defender_assets.core.leads.risk.score import points_lost_to_frequency
from defender_assets.core.lists import row_list
from defender_assets.core.stories.clustering import GROUPED, evidence, groups, shared_entities
from defender_assets.core.stories.nearby import nearby_leads
from defender_assets.core.stories.occurrences import (
    RANKS,
    SEVERITIES,
    count_by_rank,
    count_of_rank,
    with_detection,
)
from defender_assets.core.stories.repeats import restored_points
from defender_assets.core.stories.schema import NEARBY_LEADS, STORY_LOOKBACK_DAYS, STORY_SCHEMA
from defender_assets.core.stories.timeline import timelines
from defender_assets.core.words import severity_ranks

DETECTION_POINTS = {"informational": 5, "low": 10, "medium": 20, "high": 25}
"""Points of a detection by its severity; divided by one more than the leads of it that are outside of the story."""
MOST_FOR_DETECTIONS = 150
PER_PRODUCT, MOST_FOR_PRODUCTS = 20, 80
PER_DEVICE, MOST_FOR_DEVICES = 6, 120
PER_DOUBLING = 10
"""Points each time that the number of devices doubles, once they have MOST_FOR_DEVICES."""
PER_DOUBLING_OF_USERS = 2
"""The same of users, as far as the detections are new: a wave of unwanted mail has many users too."""
FOR_TACTICS = 20
"""Points of two or more tactics, as far as the detections are new."""
RISK_SHARE = 0.3
"""Share of the strongest lead's risk that counts for the story, as far as the detections are new."""

_READ = (
    *LEAD_KEY, "export_date", "alert_time", "title", "severity", "category", "product", "attack_techniques",
    "detection_source", "device_id", "device_name", "devices", "entities", "risk_score", "muted_by",
)  # fmt: skip
"""The columns of leads that are read."""


def build_stories(day: date, leads: pl.LazyFrame) -> pl.DataFrame:
    """Return the stories of a day: groups of two or more leads that share entities in time, one of them from the day.

    `leads` are the partitions D-7 … D, of which the latest row of each lead counts; others are ignored.

    Returns:
        STORY_SCHEMA, sorted by tenant and story_id.
    """
    since = day - timedelta(days=STORY_LOOKBACK_DAYS)
    rows = with_networks_and_domains(with_detection(_read(days_between(leads, since, day))))
    latest = _latest(rows)
    if latest.height <= 1 or latest["_last_day"].max() != day:
        return STORY_SCHEMA.to_frame()
    found = evidence(latest, day, latest.filter(pl.col("_last_day") == day))
    grouped = groups(found)
    members = (
        latest.join(grouped, on=LEAD_KEY, how="inner")
        .filter((pl.col("_last_day") == day).any().over("group"))
        .sort("group", "alert_time", "lead_id")
    )
    if members.is_empty():
        return STORY_SCHEMA.to_frame()
    for part in (user_names(members), restored_points(latest, members, "group")):
        members = members.join(part, on=LEAD_KEY, how="left", maintain_order="left")
    shared = shared_entities(latest, grouped)
    stories = (
        _with_merged(_stories(members), rows.filter(pl.col("export_date") < day), day - timedelta(days=1))
        .join(shared, on="group")
        .join(timelines(members, shared), on="group")
        .join(_detection_points(members, latest), on="group", how="left")
        .join(_device_counts(members), on="group", how="left")
        .with_columns(export_date=pl.lit(day, dtype=pl.Date))
    )
    stories = _with_titles(_scored(stories))
    nearby = nearby_leads(found, members.select(GROUPED.names()), stories.select("group", "points"), day)
    stories = stories.join(nearby, on="group", how="left").with_columns(
        pl.col("nearby_leads").fill_null(pl.lit([], dtype=NEARBY_LEADS))
    )
    return stories.select(STORY_SCHEMA.names()).cast(STORY_SCHEMA).sort("tenant_id", "story_id")


def update_stories(
    _day: date, stories: pl.DataFrame, changes: Sequence[Change], _leads: pl.LazyFrame
) -> pl.DataFrame | None:
    """Return the stories as they are if what they are made of is as it was; None if they may change.

    `stories` are the rows of the day, as `build_stories` made them of the leads before the changes.
    """
    (change,) = changes
    if change.added is None or change.removed is None:
        return None
    then, now = change.removed, change.added
    counts = pl.collect_all([rows.select(pl.len()) for rows in (then, now)])
    if not counts[0].equals(counts[1]) or not _read(then).equals(_read(now)):
        return None
    return stories.select(STORY_SCHEMA.names())


def _read(leads: pl.LazyFrame) -> pl.DataFrame:
    """Return what stories are made of, by lead and day."""
    device = pl.struct(pl.element().struct.field("device_id", "device_name"))
    rows = leads.select(*_READ, points_lost_to_frequency().alias("lost")).with_columns(
        pl.col("devices").list.eval(device)
    )
    return rows.collect().sort(*LEAD_KEY, "export_date")


def _latest(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the latest row of each lead, with the first and the last day on which it has a row."""
    first, last = pl.col("export_date").min().over(LEAD_KEY), pl.col("export_date").max().over(LEAD_KEY)
    return rows.with_columns(first_day=first, _last_day=last).unique(LEAD_KEY, keep="last", maintain_order=True)


def _with_merged(stories: pl.DataFrame, rows: pl.DataFrame, eve: date) -> pl.DataFrame:
    """Add `merged_story_ids`: the stories of the day before, `eve`, whose first lead is now in this one.

    `rows` are the leads up to that day. A story that lost only other leads was split; that is not recorded.
    """
    members = stories.select("tenant_id", "story_id", "_first_lead", lead_id="lead_ids").explode("lead_id")
    members = members.filter(pl.col("lead_id") != pl.col("_first_lead")).join(rows, on=LEAD_KEY, how="semi")
    if members.is_empty():  # so no earlier story can have begun with one of them
        return stories.with_columns(merged_story_ids=pl.lit([], dtype=pl.List(pl.String)))
    latest = _latest(rows)
    firsts = (
        latest.join(groups(evidence(latest, eve, members)), on=LEAD_KEY)
        .sort("first_day", "alert_time", "lead_id")
        .unique(["tenant_id", "group"], keep="first", maintain_order=True)
        .select("tenant_id", "lead_id")
    )
    ids = [stable_id(tenant_id, lead_id) for tenant_id, lead_id in firsts.rows()]
    merged = (
        members.join(firsts.with_columns(pl.Series("earlier_id", ids, dtype=pl.String)), on=LEAD_KEY)
        .group_by("tenant_id", "story_id")
        .agg(merged_story_ids=pl.col("earlier_id").unique().sort())
    )
    return stories.join(merged, on=["tenant_id", "story_id"], how="left").with_columns(
        pl.col("merged_story_ids").fill_null(pl.lit([], dtype=pl.List(pl.String)))
    )


def _stories(members: pl.DataFrame) -> pl.DataFrame:
    """Return one row per group; `members` have `_users` and are sorted by alert time within a group."""
    rank = severity_ranks(pl.col("severity"))
    severity = pl.col("severity").sort_by(rank, "severity", nulls_last=True).drop_nulls().first()
    first = pl.col("lead_id").sort_by("first_day", "alert_time", "lead_id").first()
    strongest = pl.col("title").sort_by("risk_score", descending=True, nulls_last=True, maintain_order=True).first()
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
        _risk=(pl.col("risk_score") + pl.col("restored").fill_null(0)).clip(upper_bound=TOP).max().fill_null(0),
        _strongest=strongest,
        _tactics=category_keys(pl.col("category")).replace(OLDER_CATEGORIES).drop_nulls().n_unique(),
        _titles=pl.col("title").fill_null("untitled alert"),
        _devices=pl.coalesce("device_name", "device_id").drop_nulls(),
        _user_mentions=pl.col("_users").list.explode().drop_nulls(),
    )
    ids = [stable_id(tenant_id, lead_id) for tenant_id, lead_id in stories.select("tenant_id", "_first_lead").rows()]
    return stories.with_columns(pl.Series("story_id", ids, dtype=pl.String))


def _detection_points(members: pl.DataFrame, leads: pl.DataFrame) -> pl.DataFrame:
    """Return for each group `_detections`, `_own` (those that no lead outside of it has), their `_points`, and `_new`.

    `_new` is 1 if a detection is new, or several are nearly so, and less if the tenant knows them all: an
    administrator's work has severe alerts and several tactics too, but it has them every week. More detections never
    lower it, so a flood of usual ones changes nothing.

    A detection that the tenant knows anyway says little. Less severe leads of it do not count: a flood of cheap alerts
    must not outvote severe ones. Leads without a title are one detection for each `activity`; those that say neither
    what they are about nor how severe they are, are none.

    `leads` are all of the look-back, `members` those of the groups; both have `activity` and `rank`.
    """
    detection = ["tenant_id", "activity"]
    points = dict(zip(RANKS, (DETECTION_POINTS[name] for name in SEVERITIES), strict=True))
    outside = count_of_rank("all") - count_of_rank("inside")
    share = 1 / (outside + 1)
    return (
        members.filter((pl.col("activity") != "") | pl.col("severity").is_not_null())
        .group_by("group", *detection)
        .agg(pl.col("rank").max())
        .join(count_by_rank(leads, detection, "all"), on=detection)
        .join(count_by_rank(members, ["group", *detection], "inside"), on=["group", *detection])
        .group_by("group")
        .agg(
            _detections=pl.len(),
            _own=(outside == 0).sum(),
            _points=(pl.col("rank").replace_strict(points, return_dtype=pl.Float64) * share).sum(),
            _new=share.sum().clip(upper_bound=1.0),
        )
    )


def _device_counts(members: pl.DataFrame) -> pl.DataFrame:
    """Return `group` and `_device_count`: the devices of all leads, by identifier, and by name if no lead has one."""
    several = members.select("group", "devices").explode("devices").drop_nulls().unnest("devices")
    merged = members.select("group", "entities").explode("entities").unnest("entities")
    merged = merged.filter((pl.col("kind") == "device") & (pl.col("value") != pl.col("identity")))
    merged = merged.group_by("group", device_id="value").agg(_now=pl.col("identity").min())
    named = pl.concat([each.select("group", "device_id", "device_name") for each in (members, several)])
    named = named.join(merged, on=["group", "device_id"], how="left")
    named = named.with_columns(device_id=pl.coalesce("_now", "device_id"))
    named = named.with_columns(pl.col("device_name").str.to_lowercase())
    known = named.filter(pl.col("device_id").is_not_null())
    unknown = named.filter(pl.col("device_id").is_null() & pl.col("device_name").is_not_null())
    devices = [
        known.select("group", device="device_id"),
        unknown.join(known, on=["group", "device_name"], how="anti").select("group", device="device_name"),
    ]
    return pl.concat(devices).group_by("group").agg(_device_count=pl.col("device").n_unique().cast(pl.Int64))


def _scored(stories: pl.DataFrame) -> pl.DataFrame:
    """Add `score` and `score_reasons`: its detections, and what its strongest lead and its extent add to them."""
    detections, own = pl.col("_detections"), pl.col("_own")
    products, tactics = (pl.col(name).list for name in ("products", "tactics"))
    users = pl.col("accounts").list.len().cast(pl.Int64)
    devices, new = pl.col("_device_count").fill_null(0), pl.col("_new").fill_null(1.0)
    reasons = [
        _earned(
            pl.when(detections > 1)
            .then(pl.format("{} different detections, {} of which only this story has", detections, own))
            .when(own == 1)
            .then(pl.lit("One detection, which only this story has"))
            .otherwise(pl.lit("One detection, which other alerts have too")),
            pl.col("_points").clip(upper_bound=MOST_FOR_DETECTIONS).round(),
        ),
        _earned(
            pl.format("Its strongest alert: {}", pl.col("_strongest").fill_null("untitled")),
            (pl.col("_risk") * RISK_SHARE * new).round(),
        ),
        _earned(
            pl.format("{} products see it: {}", products.len(), products.join(", ")),
            _further(products.len(), PER_PRODUCT, MOST_FOR_PRODUCTS),
        ),
        _earned(
            pl.format("It moves through {} tactics: {}", "_tactics", tactics.join(", ")),
            (_further(pl.col("_tactics"), FOR_TACTICS, FOR_TACTICS) * new).round(),
        ),
        _earned(
            pl.format("It spans {} devices", devices),
            _further(devices, PER_DEVICE, MOST_FOR_DEVICES)
            + _doublings(devices / (MOST_FOR_DEVICES / PER_DEVICE + 1), PER_DOUBLING),
        ),
        _earned(pl.format("It is about {} users", users), _doublings(users, PER_DOUBLING_OF_USERS * new)),
    ]
    stories = stories.with_columns(score_reasons=row_list(reasons))
    points = pl.col("score_reasons").list.eval(pl.element().struct.field("points")).list.sum().cast(pl.Int64)
    return clamp_score(stories.with_columns(points=points), "score", "score_reasons")


def _further(count: pl.Expr, each: int, most: int) -> pl.Expr:
    """Return the points of what comes after the first."""
    return ((count.cast(pl.Int64) - 1) * each).clip(0, most)


def _doublings(times: pl.Expr, each: pl.Expr | int) -> pl.Expr:
    """Return the points of a number that is so many times the last one that earns nothing."""
    return (times.clip(lower_bound=1).log(2) * each).round()


def _earned(words: pl.Expr, points: pl.Expr) -> pl.Expr:
    return pl.when(points > 0).then(reason(words, points))


def _with_titles(stories: pl.DataFrame) -> pl.DataFrame:
    columns = stories.select("lead_count", "_titles", "_devices", "_user_mentions")
    titles = [_title(story) for story in columns.iter_rows(named=True)]
    return stories.with_columns(pl.Series("title", titles, dtype=pl.String))


def _title(story: dict[str, Any]) -> str:
    """Return a sentence: number of alerts, devices and accounts, first and last alert."""
    where = [text for text in (_most(story["_devices"], "device"), _most(story["_user_mentions"], "account")) if text]
    first, last = story["_titles"][0], story["_titles"][-1]
    what = first if first == last else f"{first} → {last}"
    return f"{story['lead_count']} alerts{' on ' if where else ''}{' and '.join(where)}: {what}"


def _most(names: list[str], noun: str) -> str | None:
    """Return the most frequent name, and the number of other names."""
    counted = sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))
    if not counted:
        return None
    others = len(counted) - 1
    more = f" (+{others} {noun}{'s' if others > 1 else ''})" if others else ""
    return f"{counted[0][0]}{more}"
