"""What a shared access signature says of itself: what it allows, where, from when until when. It is signed, not hidden.

Source: learn.microsoft.com/rest/api/storageservices/create-account-sas, fields `sp`, `ss`, `srt`, `st` and `se`, and
create-service-sas, field `sr`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs


@dataclass(frozen=True)
class RequiredPermissions:
    """What has to be allowed: letters of `sp`, in words, the role that allows as much, and on which containers."""

    letters: str
    words: str
    role: str
    containers: str = ""


READ = RequiredPermissions("rl", "read and list", "Storage Blob Data Reader", "all three containers")
"""All that an export needs."""

WRITE = RequiredPermissions("rwdlac", "read, write, delete, list, add and create", "Storage Blob Data Contributor")
"""What a lake needs."""

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


_PLACES = {"c": "the resource type container", "o": "the resource type object"}


@dataclass(frozen=True)
class SasPermissions:
    """What a SAS allows (the letters of `sp`), and from when until when; None where a stored access policy says so.

    `places` are the resource types of an account's SAS (`srt`), None for one of a single container or blob.
    """

    allowed: frozenset[str] | None
    until: datetime | None
    since: datetime | None = None
    places: frozenset[str] | None = None
    single: bool = False

    def lacking(self, needs: RequiredPermissions = READ) -> list[str]:
        """Return what is needed and not allowed, in words."""
        letters = [] if self.allowed is None else [letter for letter in needs.letters if letter not in self.allowed]
        lacking = [_WORDS[letter] for letter in letters]
        if self.places is not None:
            lacking += [words for letter, words in _PLACES.items() if letter not in self.places]
        return [*lacking, needs.containers] if self.single and needs.containers else lacking

    def beyond(self) -> list[str]:
        """Return what it allows beyond read and list, in words."""
        return sorted(_WORDS.get(letter, letter) for letter in (self.allowed or frozenset()) - set(READ.letters))


def grant_of(sas: str) -> SasPermissions:
    """Return what a SAS says of itself; never its signature."""
    fields = {name: values[0] for name, values in parse_qs(sas.removeprefix("?")).items()}
    allowed, places = fields.get("sp"), fields.get("srt")
    return SasPermissions(
        frozenset(allowed) if allowed else None,
        _instant(fields.get("se")),
        _instant(fields.get("st")),
        frozenset(places) if places else None,
        single="sr" in fields,
    )


def _instant(text: str | None) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
