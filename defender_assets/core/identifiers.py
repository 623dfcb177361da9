"""Keys and identifiers of alerts, leads, stories and portal pages, their placeholders, and connected components."""

import hashlib
from collections.abc import Hashable, Iterable
from typing import TypeVar
from urllib.parse import quote

Item = TypeVar("Item", bound=Hashable)

ALERT_KEY = ("tenant_id", "AlertId")
"""Key of an alert in every frame, including its tenant."""

LEAD_KEY = ("tenant_id", "lead_id")
"""Key of a lead in every frame."""

PLACEHOLDERS = frozenset(
    {
        "", "-", "--", "*", "?", "n/a", "n.a.", "none", "null", "(null)", "<null>", "nil", "unknown",
        "(unknown)", "<unknown>", "undefined", "not available", "not applicable", "empty", "(empty)", "0",
        "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}", "s-1-0-0",
    }
)  # fmt: skip
"""What services write where they have no identifier, in lower case."""

PORTAL = "https://security.microsoft.com"
"""Microsoft's portal of the public cloud."""

_DIGEST_BYTES = 16


def stable_id(tenant_id: str, text: str) -> str:
    """Return 32 hexadecimal digits (BLAKE2b, 128 bits) that depend only on the tenant (any case) and the text."""
    return hashlib.blake2b(f"{tenant_id.lower()}\0{text}".encode(), digest_size=_DIGEST_BYTES).hexdigest()


def portal_url(tenant_id: str, alert_id: str, portal: str = PORTAL) -> str:
    """Return the URL of the alert in Microsoft's portal, with the identifiers percent-encoded."""
    return f"{portal}/alerts/{quote(alert_id, safe='')}?tid={quote(tenant_id, safe='')}"


def connected_components(links: Iterable[tuple[Item, Item]]) -> list[set[Item]]:
    """Return the groups of items that are linked, directly or through others, in the order of their first links.

    An item linked only to itself is a group. The smaller of two groups is merged into the larger one: O(n log n).
    """
    group_of: dict[Item, set[Item]] = {}
    for link in links:
        smaller, larger = sorted((group_of.setdefault(item, {item}) for item in link), key=len)
        if smaller is not larger:
            larger |= smaller
            group_of.update(dict.fromkeys(smaller, larger))
    return list({id(group): group for group in group_of.values()}.values())
