"""Which Microsoft product raised an alert: the names it went by, and the prefixes of its alert identifiers."""

import polars as pl

# Source facts, section 3, today's names and the older ones; compared in lower case.
_BY_SERVICE_SOURCE = {
    "microsoft defender for endpoint": "endpoint",
    "microsoft defender atp": "endpoint",
    "windows defender atp": "endpoint",
    "microsoft defender advanced threat protection": "endpoint",
    "microsoft defender for office 365": "office365",
    "office 365 atp": "office365",
    "office 365 advanced threat protection": "office365",
    "microsoft defender for identity": "identity",
    "azure atp": "identity",
    "azure advanced threat protection": "identity",
    "microsoft defender for cloud apps": "cloud_apps",
    "microsoft cloud app security": "cloud_apps",
    "microsoft defender xdr": "xdr",
    "microsoft 365 defender": "xdr",
    "microsoft threat protection": "xdr",
    "microsoft defender experts": "xdr",
    "aad identity protection": "entra_id",
    "azure ad identity protection": "entra_id",
    "azure active directory identity protection": "entra_id",
    "microsoft entra id protection": "entra_id",
    "app governance": "app_governance",
    "microsoft app governance": "app_governance",
    "microsoft data loss prevention": "dlp",
    "microsoft purview data loss prevention": "dlp",
    "microsoft defender for cloud": "cloud",
    "azure security center": "cloud",
    "microsoft sentinel": "sentinel",
    "azure sentinel": "sentinel",
}

_BY_PREFIX = {
    "da": "endpoint",
    "ed": "endpoint",
    "fa": "office365",
    "aa": "identity",
    "ri": "identity",
    "ca": "cloud_apps",
    "rm": "cloud_apps",
    "ma": "app_governance",
    "ad": "entra_id",
    "ra": "xdr",
    "ea": "xdr",
    "ta": "xdr",
    "dl": "dlp",
    "dc": "cloud",
    "sn": "sentinel",
}

# A bare GUID carries no prefix: its first two digits would only look like one.
_BARE_GUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


def product_of(service_source: pl.Expr, alert_id: pl.Expr) -> pl.Expr:
    """Return one of PRODUCTS: by the service source, failing that by the prefix of the alert's identifier."""
    source = service_source.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    lowered = alert_id.str.to_lowercase()
    prefix = pl.when(~lowered.str.contains(_BARE_GUID)).then(lowered.str.slice(0, 2))
    return pl.coalesce(
        source.replace_strict(_BY_SERVICE_SOURCE, default=None, return_dtype=pl.String),
        prefix.replace_strict(_BY_PREFIX, default=None, return_dtype=pl.String),
        pl.lit("other"),
    )
