"""The words that tables and commands share: severities and products. Plain Python: a command's help loads it.

How Microsoft spells a product, and which words else a column holds, belongs to the rooms that read them.
"""

SEVERITIES = ("High", "Medium", "Low", "Informational")
LEVELS = tuple(severity.lower() for severity in SEVERITIES)
"""Severities for comparing, highest first; a word that Microsoft may add one day is none of them."""

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
