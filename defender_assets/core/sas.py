"""What a shared access signature says of itself: what it allows, and until when. It is signed, not hidden.

Source: learn.microsoft.com/rest/api/storageservices/create-account-sas, fields `sp` and `se`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs

ENOUGH = frozenset("rl")
"""Read and list: all that an export needs."""

_WORDS = {
    "r": "read",
    "l": "list",
    "w": "write",
    "d": "delete",
    "y": "delete for good",
    "x": "delete versions",
    "a": "add",
    "c": "create",
    "u": "update",
    "p": "process",
    "t": "tags",
    "f": "filter",
    "i": "immutability",
}


@dataclass(frozen=True)
class Grant:
    """What a SAS allows (the letters of `sp`) and when it ends; None where a stored access policy says so."""

    allowed: frozenset[str] | None
    until: datetime | None

    def lacking(self) -> list[str]:
        """Return which of read and list it does not allow, in words."""
        return [] if self.allowed is None else [_WORDS[letter] for letter in "rl" if letter not in self.allowed]

    def beyond(self) -> list[str]:
        """Return what it allows beyond read and list, in words."""
        return sorted(_WORDS.get(letter, letter) for letter in (self.allowed or frozenset()) - ENOUGH)


def grant_of(sas: str) -> Grant:
    """Return what a SAS says of itself; never its signature."""
    fields = parse_qs(sas.removeprefix("?"))
    allowed, until = fields.get("sp"), fields.get("se")
    return Grant(frozenset(allowed[0]) if allowed else None, _instant(until[0]) if until else None)


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
