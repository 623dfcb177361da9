"""The alert's own columns, from its records: title, severity, techniques, times and sources."""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY
from defender_assets.core.leads.products import product_of
from defender_assets.core.lists import without_nulls
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO

_FROM_BOTH = {
    "title": "Title",
    "severity": "Severity",
    "service_source": "ServiceSource",
    "detection_source": "DetectionSource",
    "alert_machine_group": "MachineGroup",
}
# `Name (T1059.001)`: the name can have parentheses too, so the last group counts; the space can be missing.
_TECHNIQUE = r"(?:AML\.)?TA?[0-9]{4}(?:\.[0-9]{3})?"


def alert_values(info: pl.DataFrame, evidence: pl.DataFrame) -> pl.DataFrame:
    """Return one row per alert: ALERT_KEY, the columns of _FROM_BOTH, `category`, `product` and those of `_techniques`.

    A value comes from the newest AlertInfo record (by Timestamp, then record_id); if it is null there, from the newest
    evidence that has one; else from an older AlertInfo record. Techniques are those of all records.
    """
    order = ["Timestamp", "record_id"]
    newest_info = (
        info.sort(order)
        .group_by(ALERT_KEY, maintain_order=True)
        .agg(
            *(pl.col(theirs).last().alias(f"{ours}_newest") for ours, theirs in _FROM_BOTH.items()),
            *(pl.col(theirs).last(ignore_nulls=True).alias(f"{ours}_info") for ours, theirs in _FROM_BOTH.items()),
            category_newest=pl.col("Category").last(),
            category_info=pl.col("Category").last(ignore_nulls=True),
        )
    )
    newest_evidence = (
        evidence.select(
            *ALERT_KEY, *order, *_FROM_BOTH.values(), category=without_nulls(pl.col("Categories")).list.first()
        )
        .sort(order)
        .group_by(ALERT_KEY, maintain_order=True)
        .agg(
            *(pl.col(theirs).last(ignore_nulls=True).alias(f"{ours}_evidence") for ours, theirs in _FROM_BOTH.items()),
            category_evidence=pl.col("category").last(ignore_nulls=True),
        )
    )
    names = (*_FROM_BOTH, "category")
    return (
        newest_info.join(newest_evidence, on=ALERT_KEY, how="full", coalesce=True)
        .select(*ALERT_KEY, *(pl.coalesce(f"{n}_newest", f"{n}_evidence", f"{n}_info").alias(n) for n in names))
        .with_columns(product=product_of(pl.col("service_source"), pl.col("AlertId")))
        .join(_techniques(info, evidence), on=ALERT_KEY, how="left")
    )


def alert_provenance(info: pl.DataFrame, evidence: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `first_seen_at`, `last_updated_at`, `evidence_count`, `has_alert_info` and `sources`.

    Several records of one line (a wrapped line) are one source.
    """
    tables = ((ALERT_INFO.name, info), (ALERT_EVIDENCE.name, evidence))
    place = ["table", "blob", "byte_offset"]
    records = pl.concat(
        [
            rows.select(*ALERT_KEY, "record_id", "exported_at", "blob", "byte_offset", table=pl.lit(name))
            for name, rows in tables
        ]
    ).sort(*ALERT_KEY, *place)
    is_info = pl.col("table") == ALERT_INFO.name
    return records.group_by(ALERT_KEY, maintain_order=True).agg(
        first_seen_at=pl.col("exported_at").min(),
        last_updated_at=pl.col("exported_at").max(),
        evidence_count=pl.col("record_id").filter(~is_info).n_unique().cast(pl.Int64),
        has_alert_info=is_info.any(),
        sources=pl.struct(place).unique(maintain_order=True),
    )


def _techniques(info: pl.DataFrame, evidence: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `attack_techniques` and `technique_names` of the alerts that state techniques."""
    names = (
        pl.concat([rows.select(*ALERT_KEY, "AttackTechniques") for rows in (info, evidence)])
        .filter(pl.col("AttackTechniques").list.len() > 0)
        .unique()
        .explode("AttackTechniques")
        .select(*ALERT_KEY, name=pl.col("AttackTechniques").str.strip_chars())
        .filter(pl.col("name") != "")
        .unique()
    )
    item = pl.col("name").str.normalize("NFKC").str.replace_all(r"\p{Cf}", "").str.to_uppercase()
    technique = pl.coalesce(
        item.str.extract(rf"(?s)^.*\(\s*({_TECHNIQUE})\s*\)"), item.str.extract(rf"^\s*({_TECHNIQUE})\s*$")
    )
    return (
        names.with_columns(technique=technique)
        .group_by(ALERT_KEY)
        .agg(
            attack_techniques=pl.col("technique").drop_nulls().unique().sort(),
            technique_names=pl.col("name").sort(),
        )
    )
