"""Correlation of two leads: how unlikely it is that they share entities by chance.

The measure is the number of unrelated leads that are expected to have the shared entity in that time. It is estimated
from the look-back itself, so entities that everybody shares in a tenant (an administrator, a scanner, a server, a
deployment agent) link nothing, whatever their names are.
"""

from datetime import timedelta

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.leads.risk.muting import exclude_muted

LINK_WINDOW = timedelta(hours=24)
"""Leads further apart than this are not linked directly, only through leads between them."""

NEIGHBOURS = 8
"""Later leads with the same entity that a lead is compared with: keeps the cost of a large story linear."""

MOST_AT_ONCE = 9
"""More leads than this within LINK_WINDOW make an entity common, even if it was never seen before."""

PRINCIPALS = {"user": "user", "device": "device", "resource": "device"}
"""Who and where, also in the cloud. Nearly every lead has both, and they occur together, so only the rarer one counts.
What an intruder brings (files, addresses, mails …) counts in addition."""

PARTS = ("user", "device", "what", "ordinary")
ENTITY_KEY = ("tenant_id", "kind", "value")

# Prior number of leads with an entity that the look-back shows nowhere else: any user or device can have a next alert,
# while a file that was never seen hardly ever comes twice.
PRIOR_RATE = {"user": 0.5, "device": 0.5, "resource": 0.5}
PRIOR_RATE_OTHERWISE = 0.02
SPECIFIC_KINDS = ("file", "mail")
FEW = 2
"""Up to this many leads of other days do not count for SPECIFIC_KINDS: an intrusion can last longer than a day. Hosts
and addresses also serve strangers, and users and devices have other leads anyway."""

SMOOTHING = 3
"""Additive smoothing: a pseudo-count per detection, so that two alerts in a quiet tenant are not noise."""

# How much more often than medium ones such leads are false positives.
SEVERITY_FACTOR = {"high": 0.5, "medium": 1.0, "low": 2.0, "informational": 3.0}

LINK_THRESHOLD = 0.015
"""Leads are linked if fewer unrelated ones than this are expected."""
MERGE_THRESHOLD = 0.002
"""Below this a link also merges two groups that began separately."""

_DAY = timedelta(days=1)
_LEEWAY = timedelta(hours=1)


def candidate_links(leads: pl.DataFrame, days: int) -> pl.DataFrame:
    """Return the pairs of leads that share entities within LINK_WINDOW: LEAD_KEY, `earlier`, `expected`, PARTS.

    `earlier` is the lead_id of the lead before (by alert time, then lead_id). `expected` (Float64) is the number of
    unrelated leads that would share as much with the later lead in that time: the product of `ordinary` (noise of the
    detections), the smaller of `user` and `device`, and `what` (all other kinds). Each of these three is 1 if nothing
    of its kind is shared. `clustering` links pairs below LINK_THRESHOLD.

    Args:
        leads: one row per lead, with `tenant_id`, `lead_id`, `alert_time`, `title`, `severity`, `entities`, `muted_by`.
            Entities of a muted lead count in the rates, but it is linked to nothing.
        days: number of days that the leads span.
    """
    unmuted = exclude_muted(leads).select(LEAD_KEY)
    occurrences = _rates(lead_entities(leads), days).join(unmuted, on=LEAD_KEY, how="semi", maintain_order="left")
    pairs = pl.concat(
        [
            occurrences.with_columns(
                later=pl.col("lead_id").shift(-step).over(ENTITY_KEY),
                gap=(pl.col("alert_time").shift(-step) - pl.col("alert_time")).over(ENTITY_KEY),
            ).filter(pl.col("gap") <= LINK_WINDOW)
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


def lead_entities(leads: pl.DataFrame) -> pl.DataFrame:
    """Return the entities of leads: LEAD_KEY, `alert_time`, `kind`, `value`, `identity`, by entity and time."""
    return (
        leads.select(*LEAD_KEY, "alert_time", "entities")
        .filter(pl.col("alert_time").is_not_null() & (pl.col("entities").list.len() > 0))
        .explode("entities")
        .unnest("entities")
        .group_by(*ENTITY_KEY, "lead_id", "alert_time")
        .agg(identity=pl.col("identity").min())
        .sort(*ENTITY_KEY, "alert_time", "lead_id")
    )


def _rates(occurrences: pl.DataFrame, days: int) -> pl.DataFrame:
    """Add `rate`: the number of leads a day that have the entity in normal operation.

    Leads within LINK_WINDOW do not count: otherwise an intrusion would hide itself by its own leads.
    """
    near = (
        occurrences.sort("alert_time")
        .rolling("alert_time", period=2 * LINK_WINDOW, offset=-LINK_WINDOW, closed="both", group_by=ENTITY_KEY)
        .agg(near=pl.len().cast(pl.Int64))
        .unique([*ENTITY_KEY, "alert_time"])
    )
    unseen = pl.col("kind").replace_strict(PRIOR_RATE, default=PRIOR_RATE_OTHERWISE, return_dtype=pl.Float64)
    crowd = (pl.col("near") - MOST_AT_ONCE).clip(lower_bound=0)
    others = pl.len().over(ENTITY_KEY) - pl.col("near")
    elsewhere = pl.when(pl.col("kind").is_in(SPECIFIC_KINDS) & (others <= FEW)).then(0).otherwise(others)
    return (
        occurrences.join(near, on=[*ENTITY_KEY, "alert_time"], how="left")
        .with_columns(rate=(elsewhere + crowd + unseen) / max(days - 2, 1))
        .sort(*ENTITY_KEY, "alert_time", "lead_id")
    )


def _ordinariness(leads: pl.DataFrame) -> pl.DataFrame:
    """Return LEAD_KEY and `ordinary`: 1 for a detection as frequent as the others, more for a noisy one."""
    of_title = pl.len().over("tenant_id", "title")
    mean = pl.len().over("tenant_id") / pl.col("title").n_unique().over("tenant_id")
    often = (of_title + SMOOTHING) / (mean + SMOOTHING)
    severity = pl.col("severity").str.to_lowercase().replace_strict(SEVERITY_FACTOR, default=1.0)
    return leads.select(*LEAD_KEY, ordinary=often.clip(0.2, 20) * severity.fill_null(1.0))
