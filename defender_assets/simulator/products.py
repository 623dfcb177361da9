"""The products whose alerts reach the export: their names there, their delay, and how often they speak.

What is true of a product belongs here; single detections are in `catalogue`.
"""

ENDPOINT = "endpoint"
IDENTITY = "identity"
OFFICE = "office365"
CLOUD_APPS = "cloud_apps"
ENTRA_ID = "entra_id"
XDR = "xdr"
DLP = "dlp"
CLOUD = "cloud"

SERVICE_SOURCES = {
    ENDPOINT: "Microsoft Defender for Endpoint",
    IDENTITY: "Microsoft Defender for Identity",
    OFFICE: "Microsoft Defender for Office 365",
    CLOUD_APPS: "Microsoft Defender for Cloud Apps",
    ENTRA_ID: "AAD Identity Protection",
    XDR: "Microsoft Defender XDR",
    DLP: "Microsoft Data Loss Prevention",
    CLOUD: "Microsoft Defender for Cloud",
}

LAGS: dict[str, tuple[float, float]] = {
    ENDPOINT: (1.5, 12),
    IDENTITY: (4, 20),
    OFFICE: (3, 15),
    CLOUD_APPS: (10, 60),
    ENTRA_ID: (27.5 * 60, 28.5 * 60),
    XDR: (270, 295),
    DLP: (5, 30),
    CLOUD: (5, 40),
}
"""Least and most minutes from the event to the export."""

WEIGHTS = {ENDPOINT: 48, OFFICE: 20, IDENTITY: 11, CLOUD_APPS: 6, ENTRA_ID: 5, XDR: 4, DLP: 3, CLOUD: 3}
"""How many of a hundred unrelated alerts come from each product."""

DIGITS = {ENDPOINT: 7, IDENTITY: 4, OFFICE: 0, CLOUD_APPS: 3, ENTRA_ID: 7, XDR: 7, DLP: 0, CLOUD: 6}
"""Fractional digits with which each product writes a Timestamp."""
