"""Keys and identifiers: of alerts, leads, stories and portal pages; and connected components. No table is read here."""

import hashlib
from collections.abc import Hashable, Iterable
from typing import TypeVar
from urllib.parse import quote

Item = TypeVar("Item", bound=Hashable)

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


def connected_components(links: Iterable[tuple[Item, Item]]) -> list[set[Item]]:
    """Return the groups of items that are linked, directly or through others, in the order of their first links.

    An item linked to itself alone is a group. The smaller of two groups joins the larger one, so that n items move at
    most n log n times.
    """
    group_of: dict[Item, set[Item]] = {}
    for link in links:
        smaller, larger = sorted((group_of.setdefault(item, {item}) for item in link), key=len)
        if smaller is not larger:
            larger |= smaller
            group_of.update(dict.fromkeys(smaller, larger))
    return list({id(group): group for group in group_of.values()}.values())
