"""The version of a lead: a hash of what the alert says, which changes only when Microsoft says something else.

It is made of Microsoft's own columns, without times, remediation, provenance and AdditionalFields, and without what
this project computes, such as scores and devices. So it stays the same when an alert is sent again, when its device
becomes known later, and when a day is rebuilt, by a newer version of this project too.
"""

import polars as pl

from defender_assets.core.identifiers import ALERT_KEY, stable_id

VERSIONED = (
    "EntityType", "SHA1", "SHA256", "FileName", "RemoteIP", "LocalIP", "RemoteUrl",
    "AccountName", "AccountDomain", "AccountSid", "AccountObjectId", "AccountUpn", "DeviceId", "DeviceName",
    "NetworkMessageId", "Application", "ApplicationId", "OAuthApplicationId", "CloudResource", "ResourceID",
    "RegistryKey", "RegistryValueName", "RegistryValueData",
)  # fmt: skip
"""The columns of AlertEvidence that a version covers. A change of them, or of their order, changes every version."""


def lead_versions(alerts: pl.DataFrame, evidence: pl.DataFrame) -> pl.DataFrame:
    """Return ALERT_KEY and `lead_version`: 32 hexadecimal digits.

    The hash covers title, severity, category, the techniques as the export spells them, and the distinct pieces of
    evidence by their VERSIONED columns.

    `alerts` have ALERT_KEY and the hashed columns; `technique_names` is null if there are none. Copies are allowed in
    `evidence`, the AlertEvidence records of these alerts.
    """
    texts = alerts.join(_pieces_of(evidence), on=ALERT_KEY, how="left").select(
        *ALERT_KEY,
        text=pl.concat_str(
            *(_unambiguous(pl.col(name)) for name in ("title", "severity", "category")),
            _all_of("technique_names"),
            _all_of("_pieces"),
        ),
    )
    versions = [stable_id(tenant_id, text) for tenant_id, text in texts.select("tenant_id", "text").rows()]
    return texts.select(ALERT_KEY).with_columns(pl.Series("lead_version", versions, dtype=pl.String))


def _pieces_of(evidence: pl.DataFrame) -> pl.DataFrame:
    piece = pl.concat_str(_unambiguous(pl.col(name).cast(pl.String)) for name in VERSIONED)
    return evidence.select(*ALERT_KEY, piece=piece).unique().group_by(ALERT_KEY).agg(_pieces=pl.col("piece").sort())


def _all_of(texts: str) -> pl.Expr:
    """Return a list of texts as one text that no other list has."""
    return _unambiguous(pl.col(texts).list.eval(_unambiguous(pl.element())).list.join(""))


def _unambiguous(text: pl.Expr) -> pl.Expr:
    """Return texts that can be joined so that two different sequences never give the same text; `-` for null."""
    return pl.when(text.is_null()).then(pl.lit("-")).otherwise(pl.format("{}:{}", text.str.len_bytes(), text))
