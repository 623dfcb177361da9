"""Blobs that a team leaves out: not read, not behind, named by `check`. For blobs that can never be read, for instance.

What raw already holds of them stays.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from defender_assets.core.errors import SettingsError
from defender_assets.core.export.blobs import Blob, Entry, Export, IgnoredFile, UnreadablePart, day_prefix
from defender_assets.core.export.forwarding import ForwardingExport
from defender_assets.core.toml_files import check_texts, last_day, read_rules

VARIABLE = "DEFENDER_LEAVE_OUT"
_EXAMPLE = "[[leave_out]] with path = 'tenantId=…/y=2026/m=11/*', reason, and until = 2026-12-31 if it is for a time"
_KEYS = ("path", "reason", "until")
_UNLIKE_EACH_OTHER = (
    "tenantid=00000000-0000-4000-8000-000000000000/y=1970/m=02/d=03/h=04/m=00/pt1h.json",
    "tenantid=ffffffff-ffff-4fff-bfff-ffffffffffff/y=2999/m=12/d=31/h=23/m=00/pt1h.json",
)
"""Paths with nothing in common but the layout: a pattern that matches both matches every blob."""

AnyEntry = TypeVar("AnyEntry", bound=Entry)


@dataclass(frozen=True)
class LeaveOutRule:
    """A pattern of paths, in which `*` is any text, why they are left out, and the last day on which they are.

    The pattern is compared, in any case, with the path in the container and with `CONTAINER/PATH`.
    """

    path: str
    reason: str
    until: date | None = None

    def leaves_out(self, container: str, path: str, today: date) -> bool:
        """Return whether the rule leaves out a path of a container."""
        if self.until is not None and self.until < today:
            return False
        pattern, lowered = self.path.lower(), path.lower()
        return fnmatchcase(lowered, pattern) or fnmatchcase(f"{container}/{lowered}", pattern)


def _today() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class SelectedExport(ForwardingExport):
    """An export without the blobs, and without the unreadable parts, that the rules leave out."""

    export: Export
    rules: tuple[LeaveOutRule, ...]
    today: Callable[[], date] = _today

    def tenants(self, container: str) -> list[str]:
        return [] if self._leaves_out(container, "") else self.export.tenants(container)

    def blobs_of_tenant(self, container: str, tenant: str, day: date) -> Iterator[Blob | UnreadablePart]:
        # not even listed, because listing may be what fails
        if self._leaves_out(container, day_prefix(tenant, day)):
            return iter(())
        return self._selected(container, self.export.blobs_of_tenant(container, tenant, day))

    def all_entries(self, container: str) -> Iterator[Entry]:
        if self._leaves_out(container, ""):
            return iter(())
        return self._selected(container, self.export.all_entries(container))

    def _leaves_out(self, container: str, prefix: str) -> bool:
        return any(rule.leaves_out(container, prefix, self.today()) for rule in self.rules)

    def _selected(self, container: str, entries: Iterator[AnyEntry]) -> Iterator[AnyEntry]:
        today = self.today()
        return (entry for entry in entries if rule_for(self.rules, container, entry, today) is None)


def rule_for(rules: tuple[LeaveOutRule, ...], container: str, entry: Entry, today: date) -> LeaveOutRule | None:
    """Return the first rule that leaves out an entry of a container; None if it is read."""
    if isinstance(entry, IgnoredFile):
        return None
    return next((rule for rule in rules if rule.leaves_out(container, entry.path, today)), None)


def load_leave_out(path: Path) -> tuple[LeaveOutRule, ...]:
    """Return the rules of a team's file.

    Raises:
        SettingsError: one line that names the file, the rule at fault and what is right.
    """
    return tuple(_rule(*found) for found in read_rules(VARIABLE, path, "leave_out", _EXAMPLE))


def _rule(where: str, rule: Mapping[str, object]) -> LeaveOutRule:
    check_texts(where, rule, ("path", "reason"), _EXAMPLE)
    stray = next((key for key in rule if key not in _KEYS), None)
    if stray is not None:
        raise SettingsError(f"{where} has '{stray}': expected {', '.join(_KEYS)}")
    until = last_day(where, rule)
    pattern = str(rule["path"]).strip().lstrip("/")
    # a path that ends with a slash means everything in that folder
    pattern += "*" if pattern.endswith("/") else ""
    if all(fnmatchcase(path, pattern.lower()) for path in _UNLIKE_EACH_OTHER):
        raise SettingsError(f"{where} has 'path = {pattern}', which leaves out every blob: expected {_EXAMPLE}")
    return LeaveOutRule(pattern, " ".join(str(rule["reason"]).split()), until)
