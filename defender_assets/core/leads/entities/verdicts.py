"""An alert's verdict and remediation state, derived from those of its evidence."""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY

# Worst first. A new word of Microsoft ranks as unknown, between the states that need work and those that need none.
_VERDICTS = ("malicious", "suspicious", "unknown", "nothreatsfound", "clean", "none")
_REMEDIATIONS = (
    "active", "failed", "notremediated", "declined", "pendingapproval", "running", "partiallyremediated", "detected",
    "unknown", "remediated", "blocked", "prevented", "notfound", "none",
)  # fmt: skip

# These identify an entity that has no key of Microsoft.
_NAMES = (
    "entity", "file_name", "folder", "sha256", "sha1", "person", "address", "url", "command_line", "process_id",
    "created", "network_message_id", "recipient", "mailbox_address", "registry_key", "value_name", "resource_id",
    "cloud_name", "application_id", "oauth_application_id",
)  # fmt: skip


def verdicts(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY, `verdict` and `remediation_state` in Microsoft's words; null if no evidence has one.

    The alert takes the worst of its entities, each with its newest value: LastVerdict (else SuspicionLevel) and
    LastRemediationState (else DetectionStatus) of AdditionalFields.
    """
    order = ("Timestamp", "record_id")
    rows = rows.select(*ALERT_KEY, *order, "nested", "entity_key", "verdict", "remediation", *_NAMES)
    rows = rows.filter(~pl.col("nested"))
    verdict = _worst(rows, "verdict", _VERDICTS)
    remediation = _worst(rows, "remediation", _REMEDIATIONS).rename({"remediation": "remediation_state"})
    return verdict.join(remediation, on=ALERT_KEY, how="full", coalesce=True)


def _worst(rows: pl.DataFrame, column: str, order: tuple[str, ...]) -> pl.DataFrame:
    ranks = {state: rank for rank, state in enumerate(order)}
    rank = (
        pl.col(column)
        .str.to_lowercase()
        .str.replace_all(r"[^a-z]", "")
        .replace_strict(ranks, default=ranks["unknown"], return_dtype=pl.Int64)
    )
    named = pl.when(pl.col("entity_key").is_null())
    return (
        rows.filter(pl.col(column).is_not_null())
        .with_columns(named.then(pl.col(name)).alias(name) for name in _NAMES if name != "entity")
        .sort("Timestamp", "record_id")
        .group_by(*ALERT_KEY, "entity_key", *_NAMES, maintain_order=True)
        .agg(pl.col(column).last())
        .sort(rank, column)
        .group_by(ALERT_KEY, maintain_order=True)
        .agg(pl.col(column).first())
    )
