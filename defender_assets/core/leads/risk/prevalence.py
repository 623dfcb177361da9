"""How often a tenant sees what an alert consists of: its detection, and the things that it names.

Counted are alerts of the look-back, by what their evidence says in Microsoft's own columns: reading AdditionalFields of
every alert of thirty days would cost more than all the rest.
"""

from datetime import date, timedelta

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.entities.addresses import by_value, host_of, normal_address

KNOWN_AFTER_DAYS = 7
"""That something was never seen means something only once a tenant's alerts have been seen for so many days."""

_COLUMNS = {
    "file": pl.coalesce("SHA256", "SHA1").str.to_lowercase(),
    "mail": pl.col("NetworkMessageId").str.to_lowercase(),
    "host": pl.col("RemoteUrl"),
    "address": pl.col("RemoteIP"),
    "app": pl.col("OAuthApplicationId").str.to_lowercase(),
}
_SPELLED = {"host": host_of, "address": normal_address}


def with_prevalence(
    day: date, alerts: pl.DataFrame, alert_info: pl.LazyFrame, alert_evidence: pl.LazyFrame
) -> pl.DataFrame:
    """Return the alerts with `detection_alerts`, `rarest_alerts` (Int64) and `rarest` (String).

    How many other alerts of the look-back have its title; how many name the rarest of the things that it names, and
    which thing that is. Null where nothing can be said: nothing to count, or never seen in a look-back too short.

    Args:
        day: the partition.
        alerts: ALERT_KEY, `title`, `entities`.
        alert_info: typed rows of the look-back; copies do no harm.
        alert_evidence: the same.
    """
    tables = (alert_info, alert_evidence)
    since = pl.concat([table.select("tenant_id", "export_date") for table in tables])
    known = (
        since.group_by("tenant_id").agg(_known=pl.col("export_date").min() <= day - timedelta(days=KNOWN_AFTER_DAYS))
    ).collect()
    titles = pl.concat([table.select(*ALERT_KEY, title="Title") for table in tables])
    wanted = alerts.get_column("title").drop_nulls().unique().implode()
    detections = (
        titles.filter(pl.col("title").is_in(wanted))
        .group_by("tenant_id", "title")
        .agg(detection_alerts=pl.col("AlertId").n_unique().cast(pl.Int64) - 1)
        .collect()
    )
    said = pl.col("detection_alerts", "rarest_alerts")
    return (
        alerts.join(known, on="tenant_id", how="left")
        .join(detections, on=["tenant_id", "title"], how="left")
        .join(_rarest(alerts, alert_evidence), on=ALERT_KEY, how="left")
        .with_columns(pl.when((said > 0) | pl.col("_known")).then(said).name.keep())
        .drop("_known")
    )


def _rarest(alerts: pl.DataFrame, alert_evidence: pl.LazyFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `rarest_alerts` and `rarest` of the alerts that name something."""
    thing = ["tenant_id", "kind", "value"]
    told = (
        alerts.select(*ALERT_KEY, "entities")
        .explode("entities")
        .unnest("entities")
        .filter(pl.col("kind").is_in(list(_COLUMNS)))
        .select(*ALERT_KEY, "kind", "value")
    )
    named = pl.concat([_named(alert_evidence, kind) for kind in _COLUMNS]).join(told, on=thing, how="semi")
    counts = named.group_by(thing).agg(rarest_alerts=pl.col("AlertId").n_unique().cast(pl.Int64) - 1)
    return (
        told.join(named, on=[*ALERT_KEY, "kind", "value"], how="semi")
        .join(counts, on=thing)
        .sort(*ALERT_KEY, "rarest_alerts", "kind", "value")
        .unique(ALERT_KEY, keep="first", maintain_order=True)
        .select(*ALERT_KEY, "rarest_alerts", rarest=pl.format("{} {}", "kind", "value"))
    )


def _named(evidence: pl.LazyFrame, kind: str) -> pl.DataFrame:
    """Return which alert names which thing of a kind: ALERT_KEY, `kind`, `value`, in the spelling of `entities`."""
    rows = evidence.select(*ALERT_KEY, kind=pl.lit(kind), value=_COLUMNS[kind]).drop_nulls("value").unique().collect()
    if kind in _SPELLED:
        rows = rows.with_columns(value=by_value(rows.get_column("value"), _SPELLED[kind])).drop_nulls("value").unique()
    return rows
