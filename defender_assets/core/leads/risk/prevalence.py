"""Prevalence: how many alerts of a tenant's look-back have the same detection, or name the same entity.

Only Microsoft's own evidence columns are read: parsing AdditionalFields of all alerts of 30 days would take longer
than everything else.
"""

from datetime import date, timedelta

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.entities.addresses import SIMPLE_ADDRESS, normal_address
from defender_assets.core.leads.entities.identifier_text import (
    SIMPLE_IDENTIFIER,
    SIMPLE_OBJECT_ID,
    by_value,
    identifier,
    object_id,
)
from defender_assets.core.leads.entities.urls import host_of
from defender_assets.core.words import comparable

KNOWN_AFTER_DAYS = 7
"""Days of a tenant's alerts after which "never seen" means something."""

_COLUMNS = {
    "file": pl.coalesce("SHA256", "SHA1"),
    "mail": pl.col("NetworkMessageId"),
    "host": pl.col("RemoteUrl"),
    "address": pl.col("RemoteIP"),
    "app": pl.col("OAuthApplicationId"),
}
_IDENTIFIER = (identifier, SIMPLE_IDENTIFIER)
_OBJECT_ID = (object_id, SIMPLE_OBJECT_ID)
_NORMAL_FORMS = {
    "host": (host_of, None), "address": (normal_address, SIMPLE_ADDRESS), "mail": _OBJECT_ID, "app": _OBJECT_ID,
}  # fmt: skip
"""Kind -> normal form as in `entities`, and its simple texts; of the others, that of identifiers."""


def prevalence(day: date, alerts: pl.DataFrame, alert_info: pl.LazyFrame, alert_evidence: pl.LazyFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `detection_alerts` and `rarest_alerts` (Int64), `rarest` (String) of each alert.

    Other alerts of the look-back with the alert's title, in any spelling that people read as the same; other alerts
    that name the rarest of its entities; that entity as `kind value`. Null if there is nothing to count, or for a zero
    from less than KNOWN_AFTER_DAYS of alerts.

    `alerts` have ALERT_KEY, `title` and `entities`; the tables the typed rows of the look-back, copies allowed.
    """
    tables = (alert_info, alert_evidence)
    days = pl.concat([table.select("tenant_id", "export_date") for table in tables])
    long_enough = pl.col("export_date").min() <= day - timedelta(days=KNOWN_AFTER_DAYS)
    known = days.group_by("tenant_id").agg(_known=long_enough).collect()
    titles = pl.concat([table.select(*ALERT_KEY, title="Title") for table in tables])
    alerts = alerts.select(*ALERT_KEY, "title", "entities", _detection=detections_of(alerts.get_column("title")))
    spellings = titles.select(pl.col("title").drop_nulls().unique()).collect()
    spellings = spellings.with_columns(_detection=detections_of(spellings.get_column("title"))).join(
        alerts, on="_detection", how="semi"
    )
    detections = (
        titles.filter(pl.col("title").is_in(spellings.get_column("title").implode()))
        .join(spellings.lazy(), on="title")
        .group_by("tenant_id", "_detection")
        .agg(detection_alerts=pl.col("AlertId").n_unique().cast(pl.Int64) - 1)
        .collect()
    )
    counts = pl.col("detection_alerts", "rarest_alerts")
    return (
        alerts.join(known, on="tenant_id", how="left")
        .join(detections, on=["tenant_id", "_detection"], how="left")
        .join(_rarest(alerts, alert_evidence), on=ALERT_KEY, how="left")
        .with_columns(pl.when((counts > 0) | pl.col("_known")).then(counts).name.keep())
        .drop("_known", "_detection", "title", "entities")
    )


def detections_of(titles: pl.Series) -> pl.Series:
    """Return the detection that each title names: two titles that people read as the same are one detection."""
    return by_value(titles, comparable)


def _rarest(alerts: pl.DataFrame, alert_evidence: pl.LazyFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `rarest_alerts` and `rarest` of the alerts that name an entity."""
    entity = ["tenant_id", "kind", "value"]
    own = counted_entities(alerts)
    mentions = mentions_of(own, alert_evidence)
    counts = mentions.group_by(entity).agg(rarest_alerts=pl.col("AlertId").n_unique().cast(pl.Int64) - 1)
    return (
        own.join(mentions, on=[*ALERT_KEY, "kind", "value"], how="semi")
        .join(counts, on=entity)
        .sort(*ALERT_KEY, "rarest_alerts", "kind", "value")
        .unique(ALERT_KEY, keep="first", maintain_order=True)
        .select(*ALERT_KEY, "rarest_alerts", rarest=pl.format("{} {}", "kind", "value"))
    )


def counted_entities(alerts: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `kind` and `value` of those `entities` of alerts whose prevalence is counted."""
    return (
        alerts.select(*ALERT_KEY, "entities")
        .explode("entities")
        .unnest("entities")
        .filter(pl.col("kind").is_in(list(_COLUMNS)))
        .select(*ALERT_KEY, "kind", "value")
    )


def mentions_of(wanted: pl.DataFrame, evidence: pl.LazyFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `kind`, `value` of the rows that name a wanted entity, in the normal form of `entities`."""
    found = [wanted.clear()]
    for (kind,), entities in wanted.partition_by("kind", as_dict=True).items():
        rows = evidence.select(*ALERT_KEY, kind=pl.lit(kind), value=_COLUMNS[kind]).drop_nulls("value").collect()
        normal = by_value(rows.get_column("value"), *_NORMAL_FORMS.get(kind, _IDENTIFIER))
        found.append(rows.with_columns(value=normal).join(entities, on=["tenant_id", "value"], how="semi").unique())
    return pl.concat(found)
