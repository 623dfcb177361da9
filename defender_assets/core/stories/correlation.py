"""What ties two leads together: how unlikely it is that what they share is chance. How stories come of it is beside.

The measure is a number of leads: how many unrelated ones would be expected to hold the shared entity in that time.
It is counted in the look-back itself, so what everybody shares in this tenant (an administrator, a scanner, a server,
a deployment agent) ties nothing, whatever it is called.
"""

from datetime import timedelta

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY

TIE_WINDOW = timedelta(hours=24)
"""Leads that are further apart than this are not tied directly; others between them may tie them."""

NEIGHBOURS = 8
"""A lead is compared with so many later ones that hold the same entity: cost stays linear in a large story."""

MOST_AT_ONCE = 9
"""More leads than this around one moment say that an entity is everybody's, even if it was unheard of before."""

PRINCIPALS = {"user": "user", "device": "device", "resource": "device"}
"""Who and where, in the cloud too. Both are known of nearly every lead and go together, so only the more telling of the
two counts; the things that an intruder brings along (files, addresses, mails …) count once more beside them."""

PARTS = ("user", "device", "what", "ordinary")

# Leads that hold an entity by chance although the look-back shows none elsewhere: anybody's next alert can fall on a
# user or a device, while an unheard-of file hardly ever comes twice.
PRIOR_RATE = {"user": 0.5, "device": 0.5, "resource": 0.5}
UNSEEN_OTHERWISE = 0.02
OWN = ("file", "mail")
FEW = 2
"""So few leads of other days that hold a file or a mail do not make it everyday: an intrusion can last longer
than a day. Hosts and addresses serve strangers too, and people and devices have other leads anyhow."""

SMOOTHING = 3
"""Of each detection, so many more are thought of: where a tenant has few alerts, two of a kind are no noise yet."""

# How much more often than others such leads are about nothing.
SEVERITY_FACTOR = {"high": 0.5, "medium": 1.0, "low": 2.0, "informational": 3.0}

LINK_THRESHOLD = 0.015
"""Leads are tied when fewer unrelated ones than this are expected."""
MERGE_THRESHOLD = 0.002
"""Below this a tie joins two groups that already have a beginning of their own each."""

_DAY = timedelta(days=1)
_LEEWAY = timedelta(hours=1)


def ties(leads: pl.DataFrame, days: int) -> pl.DataFrame:
    """Return the pairs of leads that share something in time: `tenant_id`, `lead_id`, `earlier`, `expected`, PARTS.

    Time has a direction: `earlier` is the lead that came before (by alert time, then lead_id). `expected` (Float64) is
    how many unrelated leads would share as much with the later lead in that time, the product of `ordinary` (how noisy
    the detections are) and of what is expected for the `user` or the `device` and for `what` else is shared; each of
    these three is 1 where nothing of its kind is shared. Whoever puts leads together asks for less than TIED.

    Args:
        leads: one row per lead, with `tenant_id`, `lead_id`, `alert_time`, `title`, `severity`, `entities`, `muted_by`.
            What a muted lead holds counts as everyday; it is tied to nothing.
        days: over how many days the leads are spread.
    """
    entity = ["tenant_id", "kind", "value"]
    heard = leads.filter(pl.col("muted_by").is_null()).select(LEAD_KEY)
    held = _rates(held_entities(leads), days).join(heard, on=LEAD_KEY, how="semi", maintain_order="left")
    pairs = pl.concat(
        [
            held.with_columns(
                later=pl.col("lead_id").shift(-step).over(entity),
                gap=(pl.col("alert_time").shift(-step) - pl.col("alert_time")).over(entity),
            ).filter(pl.col("gap") <= TIE_WINDOW)
            for step in range(1, NEIGHBOURS + 1)
        ]
    )
    part = pl.col("kind").replace_strict(PRINCIPALS, default="what", return_dtype=pl.String)
    expected = pl.col("rate") * ((pl.col("gap") + _LEEWAY) / _DAY)
    shared = pairs.group_by("tenant_id", lead_id="later", earlier="lead_id").agg(
        expected.filter(part == name).min().fill_null(1.0).clip(upper_bound=1.0).alias(name)
        for name in ("user", "device", "what")
    )
    ordinary = _ordinariness(leads)
    return (
        shared.join(ordinary, on=LEAD_KEY)
        .join(ordinary.rename({"lead_id": "earlier", "ordinary": "_earlier"}), on=["tenant_id", "earlier"])
        .with_columns(ordinary=pl.max_horizontal("ordinary", "_earlier"))
        .with_columns(expected=pl.min_horizontal("user", "device") * pl.col("what") * pl.col("ordinary"))
        .select("tenant_id", "lead_id", "earlier", "expected", *PARTS)
        .sort("tenant_id", "lead_id", "expected", "earlier")
    )


def held_entities(leads: pl.DataFrame) -> pl.DataFrame:
    """Return which lead holds which entity: LEAD_KEY, `alert_time`, `kind`, `value`, `identity`, in order of time."""
    entity = ["tenant_id", "kind", "value"]
    return (
        leads.select(*LEAD_KEY, "alert_time", "entities")
        .filter(pl.col("alert_time").is_not_null() & (pl.col("entities").list.len() > 0))
        .explode("entities")
        .unnest("entities")
        .group_by(*entity, "lead_id", "alert_time")
        .agg(identity=pl.col("identity").min())
        .sort(*entity, "alert_time", "lead_id")
    )


def _rates(held: pl.DataFrame, days: int) -> pl.DataFrame:
    """Return the entities with `rate`: how many leads a day hold them when nothing in particular happens.

    What is happening now, the leads within TIE_WINDOW, does not count: an intrusion would hide itself by its own leads.
    """
    entity = ["tenant_id", "kind", "value"]
    near = (
        held.sort("alert_time")
        .rolling("alert_time", period=2 * TIE_WINDOW, offset=-TIE_WINDOW, closed="both", group_by=entity)
        .agg(near=pl.len().cast(pl.Int64))
        .unique([*entity, "alert_time"])
    )
    unseen = pl.col("kind").replace_strict(PRIOR_RATE, default=UNSEEN_OTHERWISE, return_dtype=pl.Float64)
    crowd = (pl.col("near") - MOST_AT_ONCE).clip(lower_bound=0)
    others = pl.len().over(entity) - pl.col("near")
    elsewhere = pl.when(pl.col("kind").is_in(OWN) & (others <= FEW)).then(0).otherwise(others)
    return (
        held.join(near, on=[*entity, "alert_time"], how="left")
        .with_columns(rate=(elsewhere + crowd + unseen) / max(days - 2, 1))
        .sort(*entity, "alert_time", "lead_id")
    )


def _ordinariness(leads: pl.DataFrame) -> pl.DataFrame:
    """Return LEAD_KEY and `ordinary`: 1 for a detection that fires as often as the others, more for a noisy one."""
    of_title = pl.len().over("tenant_id", "title")
    mean = pl.len().over("tenant_id") / pl.col("title").n_unique().over("tenant_id")
    often = (of_title + SMOOTHING) / (mean + SMOOTHING)
    severity = pl.col("severity").str.to_lowercase().replace_strict(SEVERITY_FACTOR, default=1.0)
    return leads.select(*LEAD_KEY, ordinary=often.clip(0.2, 20) * severity.fill_null(1.0))
