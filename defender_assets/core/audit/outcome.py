"""The audit of a day as the result of a check."""

from defender_assets.core.audit.walk import Audit
from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.text import escape_control_chars, first_few, format_bytes, pluralize

NAMED = 3
"""Differences that the summary names."""


def audit_outcome(audit: Audit) -> CheckOutcome:
    """Return whether a day has no difference. A part that could not be compared is a failure too."""
    named = [
        f"{each.kind.meaning} ({each.blob or each.detail or each.table}): {each.remedy}" for each in audit.differences
    ]
    problems = [f"not compared: {problem}" for problem in audit.problems]
    facts = {
        "blob_hours": len(audit.entries),
        "bytes": sum(entry.size for entry in audit.entries),
        "pending_bytes": audit.pending,
        "differences": sum(each.count for each in audit.differences),
        "samples": [escape_control_chars(text) for text in (*named, *problems)[:SAMPLES]],
    }
    if named or problems:
        return CheckOutcome(passed=False, summary=f"{'; '.join(first_few([*named, *problems], NAMED))}.", facts=facts)
    hours = pluralize(len(audit.entries), "blob-hour")
    summary = f"Sound: {hours}."
    if audit.pending:
        summary = f"No difference so far in {hours}; raw has not read {format_bytes(audit.pending)} yet."
    return CheckOutcome(passed=True, summary=summary, facts=facts)
