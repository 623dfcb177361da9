"""The products whose alerts reach the export: their names in it, their delays and their shares of the alerts."""

ENDPOINT = "endpoint"
IDENTITY = "identity"
OFFICE = "office365"
CLOUD_APPS = "cloud_apps"
ENTRA_ID = "entra_id"
XDR = "xdr"
DLP = "dlp"
CLOUD = "cloud"
SENTINEL = "sentinel"

SERVICE_SOURCES = {
    ENDPOINT: "Microsoft Defender for Endpoint",
    IDENTITY: "Microsoft Defender for Identity",
    OFFICE: "Microsoft Defender for Office 365",
    CLOUD_APPS: "Microsoft Defender for Cloud Apps",
    ENTRA_ID: "AAD Identity Protection",
    XDR: "Microsoft Defender XDR",
    DLP: "Microsoft Data Loss Prevention",
    CLOUD: "Microsoft Defender for Cloud",
    SENTINEL: "Microsoft Sentinel",
}

# fmt: off
ID_PREFIXES = {
    ENDPOINT: "da", IDENTITY: "aa", OFFICE: "fa", CLOUD_APPS: "ca", ENTRA_ID: "ad", XDR: "ra", DLP: "dl", CLOUD: "dc",
    SENTINEL: "sn",
}
# fmt: on
"""The first two characters of each product's AlertIds."""

LAGS: dict[str, tuple[float, float]] = {
    ENDPOINT: (1.5, 12),
    IDENTITY: (4, 20),
    OFFICE: (3, 15),
    CLOUD_APPS: (10, 60),
    ENTRA_ID: (27.5 * 60, 28.5 * 60),
    XDR: (270, 295),
    DLP: (5, 30),
    CLOUD: (5, 40),
    SENTINEL: (5, 60),
}
"""Minimum and maximum minutes from the event to the export."""

WEIGHTS = {ENDPOINT: 48, OFFICE: 20, IDENTITY: 11, CLOUD_APPS: 6, ENTRA_ID: 5, XDR: 4, DLP: 3, CLOUD: 3}
"""Unrelated alerts of each product, per hundred."""

DIGITS = {ENDPOINT: 7, IDENTITY: 4, OFFICE: 0, CLOUD_APPS: 3, ENTRA_ID: 7, XDR: 7, DLP: 0, CLOUD: 6, SENTINEL: 7}
"""Fractional digits of each product's Timestamp."""
