"""The option `--since`: what is new since a time, or since this user last looked on this machine."""

import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.output import say
from defender_assets.core.json_text import read_json
from defender_assets.core.whole_files import open_whole

if TYPE_CHECKING:
    import polars as pl

LAST = "last"
FIRST_LOOK = timedelta(hours=24)
"""How far back the first look with `last` goes."""

NEW_FOR = timedelta(days=30)
"""How long what was not shown stays new to `last`: it arrived late, or a filter hid it."""

_SPAN = re.compile(r"([0-9]{1,4})(h|d)")


class Since(click.ParamType[str]):
    """A length of time, `yesterday` or `last`."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value).lower()
        if text not in {"yesterday", LAST} and not _SPAN.fullmatch(text):
            self.fail(f"'{value}' is not a time: expected 24h, 7d, yesterday or last", param, ctx)
        return text


since_option: Callable[[Callable[..., None]], Callable[..., None]] = click.option(
    "--since",
    type=Since(),
    metavar="24h|7d|yesterday|last",
    help="Only what was new or changed since then (UTC). last: since you last used it on this machine.",
)


@dataclass(frozen=True)
class Look:
    """One look with `--since`: which rows are new, and what has been seen when they are shown.

    `rows` handed to it have `updated_at`, an instant, and the columns of `key`.
    """

    what: str
    lake: str
    key: tuple[str, str]
    since: str
    now: datetime

    def new(self, rows: "pl.LazyFrame") -> "pl.LazyFrame":
        """Return the rows that are new."""
        import polars as pl

        start, seen = self._marks()
        rows = rows.filter(pl.col("updated_at") >= start)
        if not seen:
            return rows
        known = pl.LazyFrame(seen, schema=[*self.key, "_seen"], orient="row")
        at = pl.col("_seen").str.to_datetime(time_unit="us", time_zone="UTC")
        known = known.with_columns(updated_at=at)
        return rows.join(known, on=[*self.key, "updated_at"], how="anti", maintain_order="left")

    def seen(self, new: "pl.DataFrame", shown: int) -> None:
        """Remember that the first `shown` of the rows that are new were shown, if this is a look with `last`."""
        if self.since != LAST:
            return
        start, seen = self._marks()
        rows = new.select(*self.key, "updated_at").head(shown)
        behind = new["updated_at"].slice(shown).min()
        # kept also where nothing was shown, so that the next look begins where the first one did
        oldest = max(start, self.now - NEW_FOR)
        if isinstance(behind, datetime):
            oldest = min(oldest, behind)
        marks = [*seen, *([*key, at.isoformat()] for *key, at in rows.iter_rows())]
        looks = _read_looks()
        looks[self._name] = {
            "from": oldest.isoformat(),
            "seen": [mark for mark in marks if datetime.fromisoformat(mark[-1]) >= oldest],
        }
        _write_looks(looks)

    @property
    def _name(self) -> str:
        return f"{self.what} of {self.lake}"

    def _marks(self) -> tuple[datetime, list[list[str]]]:
        """Return the time from which rows count, and the rows that were seen."""
        if self.since != LAST:
            return start_of(self.since, self.now), []
        look = _read_looks().get(self._name)
        if look is None:
            return self.now - FIRST_LOOK, []
        # a clock that was ahead hides nothing
        return min(datetime.fromisoformat(look["from"]), self.now - FIRST_LOOK), look["seen"]


def start_of(since: str, now: datetime) -> datetime:
    """Return the time that a value of `--since` means, except `last`.

    >>> start_of("yesterday", datetime(2026, 11, 3, 9, tzinfo=UTC)).isoformat()
    '2026-11-02T00:00:00+00:00'
    """
    if span := _SPAN.fullmatch(since):
        return now - timedelta(**{{"h": "hours", "d": "days"}[span[2]]: int(span[1])})
    return datetime.combine(now.astimezone(UTC).date() - timedelta(days=1), time.min, UTC)


def looks_file() -> Path:
    """Return the file in which this user's looks are kept."""
    if sys.platform == "win32":
        root = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    else:
        root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(root) / "defender-assets" / "looks.json"


def _read_looks() -> dict[str, Any]:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        looks = read_json(looks_file().read_text(encoding="utf-8"))
        return {
            name: {"from": str(look["from"]), "seen": look["seen"]}
            for name, look in looks.items()
            if datetime.fromisoformat(look["from"]).tzinfo
        }
    return {}


def _write_looks(looks: dict[str, Any]) -> None:
    file = looks_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open_whole(file) as whole:
            whole.write(json.dumps(looks))
    except OSError as error:
        say(
            f"What you have seen cannot be kept in {file} ({error.strerror}): --since last shows it again.", stderr=True
        )
