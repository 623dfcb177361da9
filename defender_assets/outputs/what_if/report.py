"""The comparison of two sides over a span of days, as data: what `what-if` prints, and what it expects."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from defender_assets.core.enums import CLOSED, TRUE_POSITIVE, VERDICTS
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.queue.schema import QUEUE_LOOKBACK_DAYS, QUEUE_TABLE
from defender_assets.core.stories.schema import STORIES_TABLE, STORY_LOOKBACK_DAYS
from defender_assets.core.triage.schema import VERDICTS_TABLE
from defender_assets.outputs.what_if.difference import (
    DOWN,
    LEAD_KINDS,
    STORY_KINDS,
    UP,
    Key,
    Side,
    lead_differences,
    story_differences,
)
from defender_assets.outputs.what_if.overlay import HeldLake, Overlay, Rules

FORMAT = 1
"""Number of the JSON form; it grows when a field changes its meaning or is removed."""

WARM_UP_DAYS = max(STORY_LOOKBACK_DAYS, QUEUE_LOOKBACK_DAYS)
"""Days before the span whose leads are built, because stories and queue read them, and that are not compared."""

AS_EXPECTED = ("format", "from", "to", "days", "left_out", "leads", "stories", "verdicts")
"""The parts of the JSON form that `--expect` compares. The others name the rules, or count these."""

_OUT = "out"
_DIRECTIONS = (UP, DOWN, "in", _OUT)


@dataclass(frozen=True)
class Comparison:
    """The difference between two sides, over the days from `first` to `last` that are compared.

    `left_out` are the days whose look-back is no longer held, each with the first and the last day of it that is gone.
    `stored_days` counts the compared days of which the base has the stored leads, `lead_days` those on which a side has
    leads, and `built_days` those of them of which the base has no stored leads. `verdicts` counts, of the leads with
    each verdict, all (`leads`), and those whose last entry in the queue moves `up` or `down`, comes `in` or goes `out`.
    """

    first: date
    last: date
    base: str
    other: str
    days: list[date]
    left_out: dict[date, tuple[date, date]]
    stored_days: int
    lead_days: int
    built_days: int
    leads: list[dict[str, Any]]
    stories: list[dict[str, Any]]
    verdicts: dict[str, dict[str, int]]

    @property
    def differs(self) -> bool:
        """Return whether there is any difference."""
        return bool(self.leads or self.stories)

    @property
    def true_positives_down(self) -> int:
        """Return how many true positives move down in the queue, or out of it."""
        return self.verdicts[TRUE_POSITIVE][DOWN] + self.verdicts[TRUE_POSITIVE][_OUT]

    def summary(self) -> dict[str, Any]:
        """Return the number of leads by kind of difference, and that of differences of stories by kind."""
        leads = {(row["tenant_id"], row["lead_id"], kind) for row in self.leads for kind in row["kinds"]}
        kinds, stories = Counter(kind for _, _, kind in leads), Counter(row["kind"] for row in self.stories)
        return {
            "leads": {kind: kinds[kind] for kind in LEAD_KINDS},
            "stories": {kind: stories[kind] for kind in STORY_KINDS},
            "true_positives_down": self.true_positives_down,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form, which docs/what-if.md describes."""
        return {
            "format": FORMAT,
            "base": {"scoring_version": self.base, "stored_days": self.stored_days},
            "other": {"scoring_version": self.other},
            "from": str(self.first),
            "to": str(self.last),
            "days": [str(day) for day in self.days],
            "left_out": [
                {"day": str(day), "gone_from": str(first), "gone_to": str(last)}
                for day, (first, last) in self.left_out.items()
            ],
            "summary": self.summary(),
            "verdicts": self.verdicts,
            "leads": self.leads,
            "stories": self.stories,
        }


def compare(
    lake: Lake,
    base: Rules,
    other: Rules,
    first: date,
    last: date,
    progress: Callable[[date], None] = lambda _: None,
) -> Comparison:
    """Build both sides of the days from `first` to `last` in memory, and compare them day by day.

    The leads of the WARM_UP_DAYS before are built with the first day. A day is left out if the lake no longer holds all
    of its look-back. Where stories and queue of other days read its leads, both sides build these from what is held.

    The lake is only read: no table is created or changed. `progress` is called with each day before it is built.

    Raises:
        LakeError: when the lake cannot be read.
    """
    held = HeldLake.opened(lake, base.by_name)
    overlay = Overlay(held)
    left_out, days, leads, stories = {}, [], [], []
    moves: dict[Key, str | None] = {}
    stored_days = lead_days = built_days = 0
    for day in _days(first, last):
        progress(day)
        gone = held.days_gone(day)
        if gone:
            left_out[day] = (gone[0], gone[-1])
            continue
        sides = [_side(overlay, rules, day) for rules in (base, other)]
        is_stored = overlay.partition(base, LEADS_TABLE, day).is_stored
        has_leads = not all(side.leads.is_empty() for side in sides)
        stored_days, lead_days = stored_days + is_stored, lead_days + has_leads
        built_days += has_leads and not is_stored
        days.append(day)
        leads += [{"day": str(day), **row} for row in lead_differences(*sides)]
        stories += [{"day": str(day), **row} for row in story_differences(*sides)]
        moves |= _moves(*sides)
        overlay.close(day - timedelta(days=WARM_UP_DAYS))
    verdicts = _verdicts(lake)
    for row in leads:
        row["verdict"] = verdicts.get((row["tenant_id"], row["lead_id"]))
    counts = _verdict_counts(verdicts, moves)
    return Comparison(
        first,
        last,
        base.version,
        other.version,
        days,
        left_out,
        stored_days,
        lead_days,
        built_days,
        leads,
        stories,
        counts,
    )


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def _side(overlay: Overlay, rules: Rules, day: date) -> Side:
    return Side(*(overlay.partition(rules, name, day).rows for name in (LEADS_TABLE, STORIES_TABLE, QUEUE_TABLE)))


def _moves(base: Side, other: Side) -> dict[Key, str | None]:
    """Return how each lead in the queue of a day moves: one of _DIRECTIONS, or None if it stays."""
    before, after = base.entries(), other.entries()
    moves: dict[Key, str | None] = {}
    for key in {*before, *after}:
        if key not in before or key not in after:
            moves[key] = "in" if key in after else _OUT
            continue
        by = after[key]["position"] - before[key]["position"]
        moves[key] = (UP if by < 0 else DOWN) if by else None
    return moves


def _verdicts(lake: Lake) -> dict[Key, str]:
    """Return the newest verdict of each lead that has one, also while the lead is open again."""
    closed = lake.read(VERDICTS_TABLE).filter(pl.col("state") == CLOSED)
    newest = closed.sort("sequence").unique(LEAD_KEY, keep="last").select(*LEAD_KEY, "verdict").collect()
    return {(tenant_id, lead_id): verdict for tenant_id, lead_id, verdict in newest.iter_rows()}


def _verdict_counts(verdicts: Mapping[Key, str], moves: Mapping[Key, str | None]) -> dict[str, dict[str, int]]:
    counts = {verdict: dict.fromkeys(("leads", *_DIRECTIONS), 0) for verdict in VERDICTS}
    for key, move in moves.items():
        of_verdict = counts.get(verdicts.get(key, ""))
        if of_verdict is None:
            continue
        of_verdict["leads"] += 1
        if move:
            of_verdict[move] += 1
    return counts


def departures(found: Mapping[str, Any], expected: object) -> list[str]:
    """Return a line for each part of a JSON form that is not as in an expected one; none if all are.

    Raises:
        ValueError: when `expected` is no such form.
    """
    if not isinstance(expected, Mapping) or "format" not in expected:
        raise ValueError("it is no JSON of what-if")
    if expected["format"] != FORMAT:
        raise ValueError(f"its format is {expected['format']}, and this version writes {FORMAT}: write it again")
    lines = []
    for name in AS_EXPECTED:
        if found[name] == expected.get(name):
            continue
        detail = ""
        with suppress(TypeError, KeyError):
            if name in {"leads", "stories"}:
                detail = ": " + _rows_apart(found[name], expected[name])
        lines.append(f"{name} differ from what is expected{detail}")
    return lines


def _rows_apart(found: Iterable[Mapping[str, Any]], expected: Iterable[Mapping[str, Any]]) -> str:
    ours, theirs = ({json.dumps(row, sort_keys=True) for row in rows} for rows in (found, expected))
    return f"{len(ours - theirs):,} only now, {len(theirs - ours):,} only expected"
