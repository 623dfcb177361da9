"""Statements of analysts about leads: validated, completed from the newest ones, appended behind one fence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from defender_assets.core.enums import CLOSED, NEW, STATES, VERDICTS
from defender_assets.core.errors import LakeConflictError, TriageError
from defender_assets.core.identifiers import LEAD_KEY
from defender_assets.core.invisible import as_pasted
from defender_assets.core.lake.damage import naming_damage
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.log_files import commit_path
from defender_assets.core.lake.snapshots import scan
from defender_assets.core.retries import retry_on_conflict
from defender_assets.core.triage.schema import VERDICT_SCHEMA, VERDICTS_TABLE
from defender_assets.core.triage.states import newest_statements

STATED_LEAD = (
    *LEAD_KEY, "alert_id", "lead_version", "title", "detection_source", "severity", "priority", "alert_time",
)  # fmt: skip
"""What a statement keeps of its lead."""

LONGEST_TEXT = 10_000
"""Longest comment, in characters."""

_READ = {VERDICTS_TABLE: (date.min, date.max)}
_Key = tuple[str, str]


@dataclass(frozen=True)
class Statement:
    """What an analyst says of a lead. What is None stays as it is; an empty assignee is nobody.

    A verdict is required to close a lead, and belongs to no other state.

    Raises:
        TriageError: one line that says what is wrong, and what is right.
    """

    tenant_id: str
    lead_id: str
    state: str | None = None
    verdict: str | None = None
    assignee: str | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        _check_word("state", self.state, STATES)
        _check_word("verdict", self.verdict, VERDICTS)
        if self.state == CLOSED and self.verdict is None:
            raise TriageError(f"closing a lead needs a verdict: one of {', '.join(VERDICTS)}")
        if self.state != CLOSED and self.verdict is not None:
            raise TriageError("a verdict belongs to a closed lead: state closed as well, or leave the verdict out")
        if (self.state, self.assignee, self.comment) == (None, None, None):
            raise TriageError("nothing is stated: give a state, an assignee or a comment")
        check_text("comment", self.comment)
        check_text("assignee", self.assignee)


def check_text(what: str, text: str | None) -> None:
    """Refuse a text that no table can hold.

    Raises:
        TriageError: when it is too long, or bytes of another encoding.
    """
    if text is None:
        return
    if len(text) > LONGEST_TEXT:
        raise TriageError(f"the {what} has {len(text):,} characters: at most {LONGEST_TEXT:,} are kept")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TriageError(f"the {what} is not UTF-8: write it in UTF-8") from None


def _check_word(what: str, word: str | None, words: Collection[str]) -> None:
    if word is not None and word not in words:
        shown = f"'{word}'" if len(word) < max(map(len, words)) * 2 else "too long"
        raise TriageError(f"the {what} is {shown}: expected one of {', '.join(words)}")


def state_statements(
    lake: Lake,
    statements: Sequence[Statement],
    leads: pl.DataFrame,
    author: str,
    now: datetime | None = None,
) -> pl.DataFrame:
    """Append statements in one commit; return their rows (VERDICT_SCHEMA), which share the next sequence.

    Of writers at the same time only one commits; the others start again from the newest statements. A commit of which
    the storage did not report the success is recognized, so no statement is appended twice.

    Only `lead_verdicts` is written, and created if it is missing. There is at most one statement for each lead. `leads`
    are STATED_LEAD of these leads as they are now: if they have changed since, the statements are of the earlier
    version, and a closed lead is open again. `now` is by default the current time.

    Raises:
        TriageError: when the author is empty, or two statements are of one lead.
        LakeError: when the table cannot be read or written, or other writers committed first at every attempt.
    """
    if not as_pasted(author):
        raise TriageError("the author is empty: name who makes the statement")
    check_text("author", author)
    keys = [(each.tenant_id, each.lead_id) for each in statements]
    if len({*keys}) < len(keys):
        twice = next(lead_id for number, (_, lead_id) in enumerate(keys) if keys[number] in keys[:number])
        raise TriageError(f"there are two statements of the lead {twice[:12]}: state one at a time")
    rows: dict[_Key, dict[str, Any]] = {(row["tenant_id"], row["lead_id"]): row for row in leads.to_dicts()}
    made = _Command(statements, rows, {"author": author, "stated_at": (now or datetime.now(UTC)).astimezone(UTC)})
    try:
        return retry_on_conflict(_append, lake, made)
    except LakeConflictError:
        raise LakeConflictError(
            "others wrote to lead_verdicts at the same time, at every attempt; nothing was stated: run it again"
        ) from None


def may_state(lake: Lake) -> bool | None:
    """Return whether this identity may append statements; None while there is no table. Nothing is written.

    Raises:
        LakeError: when the lake cannot be reached or the table not be read.
    """
    if not lake.exists(VERDICTS_TABLE):
        return None
    newest = lake.snapshot(VERDICTS_TABLE).version()
    return lake.files(VERDICTS_TABLE).may_write(commit_path(newest))


@dataclass(frozen=True)
class _Command:
    statements: Sequence[Statement]
    leads: Mapping[_Key, Mapping[str, Any]]
    said: Mapping[str, Any]
    first_version: list[int] = field(default_factory=list)
    """The fence's version at the first attempt."""


def _append(lake: Lake, made: _Command) -> pl.DataFrame:
    target = lake.fenced(VERDICTS_TABLE, None)
    made.first_version.append(target.version)
    with naming_damage(lake, _READ):
        held = scan(target.table)
        keys = pl.LazyFrame(list(made.leads), schema={name: pl.String() for name in LEAD_KEY}, orient="row")
        of_leads = held.join(keys, on=LEAD_KEY, how="semi")
        since = of_leads.filter(pl.col("sequence") > made.first_version[0])
        own = since.filter(*(pl.col(name) == value for name, value in made.said.items())).collect()
        if own.height:
            return own
        newest = newest_statements(of_leads).collect().to_dicts()
        last = held.select(pl.col("sequence").max()).collect().item()
    # rows that another program put back may be above the fence
    version = max(target.version, last or 0) + 1
    before = {(row["tenant_id"], row["lead_id"]): row for row in newest}
    rows = [_row(each, made, before.get((each.tenant_id, each.lead_id)), version) for each in made.statements]
    frame = pl.DataFrame(rows, schema=VERDICT_SCHEMA)
    lake.commit(target, Commit([frame], version))
    return frame


def _row(statement: Statement, made: _Command, before: Mapping[str, Any] | None, sequence: int) -> dict[str, Any]:
    lead = made.leads[statement.tenant_id, statement.lead_id]
    state, verdict, assignee = _carried(before, lead)
    return {
        **{name: lead[name] for name in STATED_LEAD},
        **made.said,
        "sequence": sequence,
        "state": statement.state or state,
        "verdict": verdict if statement.state is None else statement.verdict,
        "assignee": assignee if statement.assignee is None else statement.assignee.strip() or None,
        "comment": statement.comment or None,
    }


def _carried(before: Mapping[str, Any] | None, lead: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    """Return state, verdict and assignee that a lead has before a statement."""
    if before is None:
        return NEW, None, None
    stated, current = before["lead_version"], lead["lead_version"]
    if before["state"] == CLOSED and stated and current and stated != current:
        return NEW, None, before["assignee"]
    return before["state"], before["verdict"], before["assignee"]
