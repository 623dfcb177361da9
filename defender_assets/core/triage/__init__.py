"""Triage: what analysts say of leads, the current states, and the measured precision. Builds no partition."""

from defender_assets.core.triage.precision import QUALITY_COLUMNS, QUALITY_TABLE
from defender_assets.core.triage.schema import VERDICT_COLUMNS, VERDICT_SCHEMA, VERDICTS_TABLE
from defender_assets.core.triage.statements import STATED_LEAD, Statement, may_state, state_statements
from defender_assets.core.triage.states import (
    STATE_COLUMNS,
    current_states,
    in_state,
    newest_statements,
    with_states,
    with_story_states,
)

__all__ = [
    "QUALITY_COLUMNS",
    "QUALITY_TABLE",
    "STATED_LEAD",
    "STATE_COLUMNS",
    "VERDICTS_TABLE",
    "VERDICT_COLUMNS",
    "VERDICT_SCHEMA",
    "Statement",
    "current_states",
    "in_state",
    "may_state",
    "newest_statements",
    "state_statements",
    "with_states",
    "with_story_states",
]
