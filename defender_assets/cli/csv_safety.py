"""Spreadsheet cells from text that an attacker may have written. Terminals are covered by `core.text`."""

from defender_assets.core.text import escape_control_chars

# first characters of a formula, full-width forms included (OWASP, "CSV Injection")
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 (full-width forms on purpose)


def spreadsheet_cell(text: str) -> str:
    """Return the text as a cell that no spreadsheet evaluates: a formula gets a leading apostrophe.

    >>> spreadsheet_cell("  =cmd|' /C calc'!A0")
    "'  =cmd|' /C calc'!A0"
    """
    bare = text.lstrip(" \xa0\u200b\ufeff")
    return f"'{escape_control_chars(text)}" if bare.startswith(_FORMULA) else escape_control_chars(text)
