"""Enumerations that tables and commands share: severities and products. No imports: command help loads it."""

SEVERITIES = ("High", "Medium", "Low", "Informational")
LEVELS = tuple(severity.lower() for severity in SEVERITIES)
"""Severities in lower case, highest first. Microsoft may add others."""

PRODUCTS = (
    "endpoint",
    "identity",
    "office365",
    "cloud_apps",
    "entra_id",
    "xdr",
    "cloud",
    "dlp",
    "app_governance",
    "sentinel",
    "other",
)
