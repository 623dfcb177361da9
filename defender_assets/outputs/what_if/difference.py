"""The difference between two sides of a day: leads, queue and stories. Pure functions of frames."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from defender_assets.core.identifiers import LEAD_KEY, connected_components
from defender_assets.core.leads.schema import LEAD_SCHEMA
from defender_assets.core.queue.build import queue_order
from defender_assets.core.stories.schema import STORY_SCHEMA
from defender_assets.outputs.labels import Row

Key = tuple[str, str]

APPEARS, VANISHES, MUTED, UNMUTED = "appears", "vanishes", "muted", "unmuted"
SCORE, PRIORITY, STORY, UP, DOWN, CONTENT = "score", "priority", "story", "up", "down", "content"
LEAD_KINDS = (APPEARS, VANISHES, MUTED, UNMUTED, SCORE, PRIORITY, STORY, UP, DOWN, CONTENT)
"""How a lead can differ, in the order in which they are listed."""

FORMS, DISSOLVES, MERGES, SPLITS, REGROUPS, CHANGES = "forms", "dissolves", "merges", "splits", "regroups", "changes"
STORY_KINDS = (FORMS, DISSOLVES, MERGES, SPLITS, REGROUPS, CHANGES)
"""How stories can differ, in the order in which they are listed."""

# The rules' own columns are compared one by one; which copy of a record gives its provenance is not promised.
_NO_CONTENT = frozenset(
    {"scoring_version", "risk_score", "risk_reasons", "muted_by", "sources", "first_seen_at", "last_updated_at"}
)
_CONTENT = [name for name in LEAD_SCHEMA if name not in _NO_CONTENT]


@dataclass(frozen=True)
class Side:
    """A day of a side: rows of the leads, stories and queue of this partition."""

    leads: pl.DataFrame
    stories: pl.DataFrame
    queue: pl.DataFrame

    def entries(self) -> dict[Key, dict[str, Any]]:
        """Return the queue by lead, with `position`, which begins with 1."""
        ordered = queue_order(self.queue).with_row_index("position", 1)
        return _by_lead(ordered.select("position", *LEAD_KEY, "alert_id", "title", "priority_points", "story_id"))


def _by_lead(rows: pl.DataFrame) -> dict[Key, dict[str, Any]]:
    return {(row["tenant_id"], row["lead_id"]): row for row in rows.iter_rows(named=True)}


def _pair(base: Row, other: Row, name: str) -> dict[str, Any]:
    return {"base": base.get(name), "other": other.get(name)}


def lead_differences(base: Side, other: Side) -> list[dict[str, Any]]:
    """Return the leads of a day that differ, in the queue's order of the other side, then of the base.

    A lead is in the queue of a day if it has a row on that day, or if its story has. Each difference has the LEAD_KEY,
    `alert_id`, `title`, `kinds` (LEAD_KINDS), `reasons` and `columns`, and with the values of both sides `risk_score`,
    `muted_by`, `priority_points`, `position` and `story_id`.
    """
    content = _changed_columns(base.leads, other.leads)
    leads = [_by_lead(side.leads.select(*LEAD_KEY, "alert_id", "title", *_JUDGED)) for side in (base, other)]
    entries = [side.entries() for side in (base, other)]
    keys = dict.fromkeys([*entries[1], *entries[0], *leads[1], *leads[0]])
    found = []
    for key in keys:
        (before, after), (entry, now) = [side.get(key, {}) for side in leads], [side.get(key, {}) for side in entries]
        columns = content.get(key, [])
        kinds = {*_judgement_kinds(before, after), *_queue_kinds(entry, now), *([CONTENT] if columns else [])}
        if bool(before) != bool(after):
            kinds.add(APPEARS if after else VANISHES)
        if not kinds:
            continue
        known = now or entry or after or before
        found.append(
            {
                **{name: known[name] for name in (*LEAD_KEY, "alert_id", "title")},
                "kinds": [kind for kind in LEAD_KINDS if kind in kinds],
                "risk_score": _pair(before, after, "risk_score"),
                "reasons": _changed_reasons(before, after),
                "muted_by": _pair(before, after, "muted_by"),
                **{name: _pair(entry, now, name) for name in ("priority_points", "position", "story_id")},
                "columns": columns,
            }
        )
    return found


_JUDGED = ("risk_score", "risk_reasons", "muted_by")


def _judgement_kinds(before: Row, after: Row) -> Iterator[str]:
    if not before or not after:
        return
    if (before["risk_score"], before["risk_reasons"]) != (after["risk_score"], after["risk_reasons"]):
        yield SCORE
    if before["muted_by"] != after["muted_by"]:
        yield UNMUTED if after["muted_by"] is None else MUTED


def _queue_kinds(before: Row, after: Row) -> Iterator[str]:
    if not before or not after:
        if before or after:
            yield APPEARS if after else VANISHES
        return
    if before["priority_points"] != after["priority_points"]:
        yield PRIORITY
    if before["story_id"] != after["story_id"]:
        yield STORY
    if before["position"] != after["position"]:
        yield UP if after["position"] < before["position"] else DOWN


def _changed_reasons(before: Row, after: Row) -> list[dict[str, Any]]:
    """Return the reasons that have other points, with those of both sides; null where a side has no such reason."""
    points = [{each["reason"]: each["points"] for each in side.get("risk_reasons") or []} for side in (before, after)]
    reasons = dict.fromkeys([*points[1], *points[0]])
    return [
        {"reason": reason, "base": points[0].get(reason), "other": points[1].get(reason)}
        for reason in reasons
        if points[0].get(reason) != points[1].get(reason)
    ]


def _changed_columns(base: pl.DataFrame, other: pl.DataFrame) -> dict[Key, list[str]]:
    """Return the columns that differ of each lead that both sides have, without those that the rules decide."""
    aligned = [
        side.join(with_, on=LEAD_KEY, how="semi").sort(LEAD_KEY).select(_CONTENT)
        for side, with_ in ((base, other), (other, base))
    ]
    if aligned[0].equals(aligned[1]):
        return {}
    rows = zip(*(side.iter_rows(named=True) for side in aligned), strict=True)
    changed = (
        ((one["tenant_id"], one["lead_id"]), [name for name in _CONTENT if one[name] != two[name]]) for one, two in rows
    )
    return {key: names for key, names in changed if names}


def story_differences(base: Side, other: Side) -> list[dict[str, Any]]:
    """Return the groups of stories of a day that differ, most points first.

    Stories of the two sides that share leads belong together. Each difference has `tenant_id`, `kind` (STORY_KINDS),
    `title`, `columns` (of a story that both sides have with the same leads), and `base` and `other`: lists of
    `story_id`, `points`, `score` and `lead_ids`.
    """
    sides = [
        [{"side": number, **row} for row in side.stories.iter_rows(named=True)]
        for number, side in enumerate((base, other))
    ]
    stories = {(row["side"], row["tenant_id"], row["story_id"]): row for side in sides for row in side}
    of_lead: dict[Key, list[tuple[int, str, str]]] = {}
    for key, row in stories.items():
        for lead_id in row["lead_ids"]:
            of_lead.setdefault((row["tenant_id"], lead_id), []).append(key)
    links = [(key, key) for key in stories] + [(keys[0], key) for keys in of_lead.values() for key in keys]
    found = []
    for component in connected_components(links):
        members = [stories[key] for key in sorted(component)]
        before, after = ([row for row in members if row["side"] == number] for number in (0, 1))
        columns = _story_columns(before[0], after[0]) if len(before) == len(after) == 1 else []
        if len(before) == len(after) == 1 and not columns:
            continue
        found.append(
            {
                "tenant_id": members[0]["tenant_id"],
                "kind": _story_kind(len(before), len(after)),
                "title": (after or before)[0]["title"],
                "columns": columns,
                "base": [_shown_story(row) for row in before],
                "other": [_shown_story(row) for row in after],
            }
        )
    return sorted(found, key=_story_rank)


def _story_rank(found: Mapping[str, Any]) -> tuple[int, str, str]:
    stories: Sequence[Row] = [*found["other"], *found["base"]]
    return -max(story["points"] or 0 for story in stories), found["tenant_id"], stories[0]["story_id"]


def _shown_story(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("story_id", "points", "score", "lead_ids")}


def _story_columns(before: Row, after: Row) -> list[str]:
    return [name for name in STORY_SCHEMA if before[name] != after[name]]


def _story_kind(before: int, after: int) -> str:
    if not before or not after:
        return FORMS if after else DISSOLVES
    if before > 1 and after > 1:
        return REGROUPS
    return MERGES if before > 1 else SPLITS if after > 1 else CHANGES
