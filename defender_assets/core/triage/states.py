"""The current states of leads and stories, from statements and leads. Pure functions of frames."""

from typing import TypeVar

import polars as pl

from defender_assets.core.enums import ANY, CLOSED, IN_PROGRESS, NEW, OPEN
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.schemas.column import TEXTS

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

STATE_COLUMNS = ("state", "analyst_verdict", "assignee", "reopened", "changed")
"""What `with_states` adds to a lead. The column `verdict` of a lead is Microsoft's."""

_UNSPECIFIC_CHANGE = "Its category, techniques or evidence changed"


def newest_statements(verdicts: pl.LazyFrame) -> pl.LazyFrame:
    """Return the newest statement about each lead (highest `sequence`), from rows of `lead_verdicts`."""
    return verdicts.sort("sequence").unique(LEAD_KEY, keep="last")


def current_states(verdicts: pl.LazyFrame, leads: pl.LazyFrame) -> pl.LazyFrame:
    """Return the newest statement about each lead, with whether it still holds.

    `verdicts` are rows of `lead_verdicts`, `leads` of all held partitions of `device_enriched_leads`. A lead may be
    gone.

    Returns:
        VERDICT_SCHEMA with `reopened` (Boolean) and `changed` (List(String), sentences that may hold hostile text). A
        closed lead whose `lead_version` differs from the stated one has `state` new, and keeps its verdict.
    """
    newest = newest_statements(verdicts)
    closed = newest.filter(pl.col("state") == CLOSED).select(
        *LEAD_KEY, "stated_at", _stated="lead_version", _stated_title="title", _stated_severity="severity"
    )
    current = (
        leads.select(*LEAD_KEY, "export_date", _current="lead_version")
        .join(closed.select(LEAD_KEY), on=LEAD_KEY, how="semi")
        .group_by(LEAD_KEY)
        .agg(pl.col("_current").sort_by("export_date").last())
    )
    # an unknown version, as in rows of older lakes, differs from none
    again = closed.join(current, on=LEAD_KEY).filter(pl.col("_current") != pl.col("_stated"))
    reopened = pl.col("_changed").is_not_null()
    return (
        newest.join(_what_changed(again, leads), on=LEAD_KEY, how="left")
        .with_columns(
            state=pl.when(reopened).then(pl.lit(NEW)).otherwise("state"),
            reopened=reopened,
            changed=pl.col("_changed").fill_null(pl.lit([], dtype=TEXTS)),
        )
        .drop("_changed")
    )


def _what_changed(again: pl.LazyFrame, leads: pl.LazyFrame) -> pl.LazyFrame:
    """Return LEAD_KEY and `_changed` of leads that are open again."""
    columns = ("export_date", "lead_version", "title", "severity", "changes")
    return (
        leads.select(*LEAD_KEY, *columns)
        .join(again, on=LEAD_KEY)
        .with_columns(
            _last_seen=pl.col("export_date").filter(pl.col("lead_version") == pl.col("_stated")).max().over(LEAD_KEY)
        )
        # a running day's row is replaced, so the version that the analyst saw may be gone
        .with_columns(
            _later=(pl.col("export_date") > pl.col("_last_seen")).fill_null(
                pl.col("export_date") >= pl.col("stated_at").dt.date()
            )
        )
        .sort("export_date")
        .group_by(LEAD_KEY)
        .agg(
            pl.col("title", "severity", "_stated_title", "_stated_severity").last(),
            _sentences=pl.col("changes").filter(pl.col("_later")).explode().drop_nulls().unique(maintain_order=True),
        )
        .select(*LEAD_KEY, _changed=_changes())
    )


def _changes() -> pl.Expr:
    """Return what changed: the sentences of later rows, else the columns that the statement kept, else that it did."""
    kept = pl.concat_list(
        _replaced("Title", "title", "“{}”"), _replaced("Severity", "severity", "{}")
    ).list.drop_nulls()
    return (
        pl.when(pl.col("_sentences").list.len() > 0)
        .then("_sentences")
        .when(kept.list.len() > 0)
        .then(kept)
        .otherwise(pl.lit([_UNSPECIFIC_CHANGE], dtype=TEXTS))
    )


def _replaced(name: str, column: str, text: str) -> pl.Expr:
    before, now = pl.col(f"_stated_{column}").fill_null("nothing"), pl.col(column).fill_null("nothing")
    return pl.when(before != now).then(pl.format(f"{name} changed from {text} to {text}", before, now))


def with_states(leads: Frame, states: Frame) -> Frame:
    """Add STATE_COLUMNS to leads; a lead of which nobody has said anything is new.

    `states` are rows of `current_states`.
    """
    stated = states.select(*LEAD_KEY, *STATE_COLUMNS[2:], "state", analyst_verdict="verdict")
    joined = leads.join(stated, on=LEAD_KEY, how="left", maintain_order="left")
    return joined.with_columns(
        pl.col("state").fill_null(NEW),
        pl.col("reopened").fill_null(value=False),
        pl.col("changed").fill_null(pl.lit([], dtype=TEXTS)),
    ).select(pl.exclude(STATE_COLUMNS), *STATE_COLUMNS)


def with_story_states(stories: Frame, states: Frame) -> Frame:
    """Add `state` to stories: closed if every lead is, in_progress if one is, else new; `closed_leads`; `assignees`.

    `closed_leads` is Int64, `assignees` a sorted List(String).

    `states` are rows of `current_states`.
    """
    row = ("tenant_id", "story_id", "export_date")
    state = pl.col("state")
    found = (
        stories.select(*row, lead_id="lead_ids")
        .explode("lead_id")
        .join(states.select(*LEAD_KEY, "state", "assignee"), on=LEAD_KEY, how="left")
        .group_by(row)
        .agg(
            state=pl.when((state == CLOSED).fill_null(value=False).all())
            .then(pl.lit(CLOSED))
            .when((state == IN_PROGRESS).any())
            .then(pl.lit(IN_PROGRESS))
            .otherwise(pl.lit(NEW)),
            closed_leads=(state == CLOSED).sum().cast(pl.Int64),
            assignees=pl.col("assignee").drop_nulls().unique().sort(),
        )
    )
    return stories.join(found, on=row, how="left", maintain_order="left")


def in_state(rows: Frame, wanted: str) -> Frame:
    """Return the leads or stories that one of STATE_FILTERS shows."""
    if wanted == ANY:
        return rows
    return rows.filter(pl.col("state") != CLOSED if wanted == OPEN else pl.col("state") == wanted)
