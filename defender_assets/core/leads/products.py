"""The product that raised an alert, from its service source or from the prefix of its identifier."""

import polars as pl

from defender_assets.core.words import word_key, word_keys

# Source facts, section 3: current and older names, compared as `word_key`.
_SERVICE_SOURCES = {
    "endpoint": ("microsoft defender for endpoint", "microsoft defender atp",
                 "windows defender atp", "microsoft defender advanced threat protection"),
    "office365": ("microsoft defender for office 365", "office 365 atp", "office atp",
                  "office 365 advanced threat protection"),
    "identity": ("microsoft defender for identity", "azure atp", "azure advanced threat protection"),
    "cloud_apps": ("microsoft defender for cloud apps", "microsoft cloud app security", "cloud app security", "mcas"),
    "xdr": ("microsoft defender xdr", "microsoft 365 defender",
            "microsoft threat protection", "mtp", "microsoft defender experts"),
    "entra_id": ("aad identity protection", "azure ad identity protection",
                 "azure active directory identity protection", "microsoft entra id protection",
                 "entra id protection"),
    "app_governance": ("app governance", "microsoft app governance"),
    "dlp": ("microsoft data loss prevention", "microsoft purview data loss prevention"),
    "cloud": ("microsoft defender for cloud", "azure security center", "azure defender"),
    "sentinel": ("microsoft sentinel", "azure sentinel"),
}  # fmt: skip
_PREFIXES = {
    "endpoint": ("da", "ed"),
    "office365": ("fa",),
    "identity": ("aa", "ri"),
    "cloud_apps": ("ca", "rm"),
    "app_governance": ("ma",),
    "entra_id": ("ad",),
    "xdr": ("ra", "ea", "ta"),
    "dlp": ("dl",),
    "cloud": ("dc",),
    "sentinel": ("sn",),
}
_BY_SERVICE_SOURCE = {word_key(name): product for product, names in _SERVICE_SOURCES.items() for name in names}
_BY_PREFIX = {prefix: product for product, prefixes in _PREFIXES.items() for prefix in prefixes}

# A bare GUID has no prefix: its first two digits could be mistaken for one.
_BARE_GUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


def product_of(service_source: pl.Expr, alert_id: pl.Expr) -> pl.Expr:
    """Return one of PRODUCTS, by the service source in any spelling, else by the prefix of the alert's identifier."""
    lowered = alert_id.str.to_lowercase()
    prefix = pl.when(~lowered.str.contains(_BARE_GUID)).then(lowered.str.slice(0, 2))
    return pl.coalesce(
        word_keys(service_source).replace_strict(_BY_SERVICE_SOURCE, default=None, return_dtype=pl.String),
        prefix.replace_strict(_BY_PREFIX, default=None, return_dtype=pl.String),
        pl.lit("other"),
    )
