"""Spreadsheet cells from text that an attacker may have written. Terminals are covered by `core.text`."""

import re
from typing import Any

from defender_assets.core.text import escape_control_chars

# first characters of a formula, full-width forms included (OWASP, "CSV Injection")
_FORMULA = r"=+\-@＝＋－＠"  # noqa: RUF001 (full-width forms on purpose)
# spreadsheets skip blanks and a cell's quote before a formula; a control character counts as a formula
_AT_START = re.compile(rf'[\s"\u200b\ufeff]*[{_FORMULA}]|[\t\r\n]')
_BEHIND_SEPARATOR = re.compile(rf'([;,|\t][\s"]*)(?=[{_FORMULA}])')


def spreadsheet_cell(text: str) -> str:
    """Return the text as a cell that no spreadsheet evaluates, whichever separator its locale has.

    A possible formula gets an apostrophe: at the start, and behind `;`, `,`, `|` and tabs.

    >>> spreadsheet_cell("  =cmd|' /C calc'!A0"), spreadsheet_cell("report;=1+1")
    ("'  =cmd|' /C calc'!A0", "report;'=1+1")
    """
    return escape_control_chars(without_formulas(text))


def without_formulas(value: Any) -> Any:
    """Return a text, or a list or struct with texts, with an apostrophe before each possible formula."""
    if isinstance(value, str):
        text = _BEHIND_SEPARATOR.sub(r"\1'", value)
        return f"'{text}" if _AT_START.match(text) else text
    if isinstance(value, dict):
        return {name: without_formulas(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_formulas(item) for item in value]
    return value
