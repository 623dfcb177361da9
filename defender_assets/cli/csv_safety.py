"""Text that an attacker may have written, made harmless for a spreadsheet. For terminals: `core.hostile`."""

from defender_assets.core.text import escape_control_chars

# Spreadsheets take cells for formulas that begin with one of these, in full width too (OWASP, "CSV Injection")
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 (the full-width forms are meant)


def spreadsheet_cell(text: str) -> str:
    """Return the text as a cell that no spreadsheet takes for a formula: those get an apostrophe in front.

    >>> spreadsheet_cell("  =cmd|' /C calc'!A0")
    "'  =cmd|' /C calc'!A0"
    """
    bare = text.lstrip(" \xa0\u200b\ufeff")
    return f"'{escape_control_chars(text)}" if bare.startswith(_FORMULA) else escape_control_chars(text)
