"""The keys: what names an alert in a frame, a lead, a story, a page of the portal. No table is read here."""

import hashlib
from urllib.parse import quote

ALERT_KEY = ("tenant_id", "AlertId")
"""What an alert is in every frame of the core: its tenant belongs to it."""

LEAD_KEY = ("tenant_id", "lead_id")
"""What a lead is in every frame of the core."""

_DIGEST_BYTES = 16


def stable_id(tenant_id: str, text: str) -> str:
    """Return 32 hexadecimal digits (BLAKE2b, 128 bits) that depend on the tenant and the text and on nothing else."""
    return hashlib.blake2b(f"{tenant_id.lower()}\0{text}".encode(), digest_size=_DIGEST_BYTES).hexdigest()


def portal_url(tenant_id: str, alert_id: str) -> str:
    """Return the alert's page in Microsoft's portal; whatever is unsafe in the identifiers is percent-encoded."""
    return f"https://security.microsoft.com/alerts/{quote(alert_id, safe='')}?tid={quote(tenant_id, safe='')}"
