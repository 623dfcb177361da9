"""The readable fields of a shared access signature (SAS): permissions, resource types and validity.

Source: learn.microsoft.com/rest/api/storageservices/create-account-sas, fields `sp`, `ss`, `srt`, `st` and `se`, and
create-service-sas, field `sr`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs


@dataclass(frozen=True)
class RequiredPermissions:
    """Permissions to grant: letters of `sp`, their names, the equivalent Azure role, and on which containers."""

    letters: str
    names: str
    role: str
    containers: str = ""


READ = RequiredPermissions("rl", "read and list", "Storage Blob Data Reader", "all three containers")
"""For the export."""

WRITE = RequiredPermissions("rwdlac", "read, write, delete, list, add and create", "Storage Blob Data Contributor")
"""For the lake."""

_PERMISSION_NAMES = {
    "r": "read",
    "l": "list",
    "w": "write",
    "d": "delete",
    "y": "permanent delete",
    "x": "delete versions",
    "a": "add",
    "c": "create",
    "u": "update",
    "p": "process",
    "t": "tags",
    "f": "filter",
    "i": "immutability",
}
_RESOURCE_TYPES = {"c": "the resource type container", "o": "the resource type object"}


@dataclass(frozen=True)
class SasPermissions:
    """Permissions (letters of `sp`) and validity of a SAS; None when a stored access policy sets them.

    `resource_types` (`srt`) is None for a service SAS, which is for a single container or blob (`single`).
    """

    allowed: frozenset[str] | None
    until: datetime | None
    since: datetime | None = None
    resource_types: frozenset[str] | None = None
    single: bool = False

    def missing(self, needs: RequiredPermissions) -> list[str]:
        """Return the names of what is needed and not allowed."""
        missing = [_PERMISSION_NAMES[x] for x in needs.letters if self.allowed is not None and x not in self.allowed]
        if self.resource_types is not None:
            missing += [name for letter, name in _RESOURCE_TYPES.items() if letter not in self.resource_types]
        return [*missing, needs.containers] if self.single and needs.containers else missing

    def beyond(self) -> list[str]:
        """Return the names of the permissions beyond read and list."""
        return sorted(_PERMISSION_NAMES.get(x, x) for x in (self.allowed or frozenset()) - set(READ.letters))


def grant_of(sas: str) -> SasPermissions:
    """Return the permissions that a SAS states."""
    fields = {name: values[0] for name, values in parse_qs(sas.removeprefix("?")).items()}
    allowed, resource_types = (frozenset(fields[name]) if name in fields else None for name in ("sp", "srt"))
    until, since = _instant(fields.get("se")), _instant(fields.get("st"))
    return SasPermissions(allowed, until, since, resource_types, single="sr" in fields)


def _instant(text: str | None) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
