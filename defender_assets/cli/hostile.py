"""Text that an attacker may have written, made harmless for a terminal and for a spreadsheet.

Titles, file names, accounts and quarantined bytes all count as such. How rows are laid out does not belong here.
"""

import unicodedata

# Controls (C0, C1, DEL), format characters (bidi overrides, zero-width), private use, line and paragraph separators
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
# Spreadsheets take cells for formulas that begin with one of these, in full width too (OWASP, "CSV Injection")
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 (the full-width forms are meant)


def visible(text: str) -> str:
    r"""Return the text on one line with every character that a terminal would act on, or hide, as an escape.

    >>> visible("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(mark) if unicodedata.category(mark) in _UNSEEN else mark for mark in text)


def visible_bytes(content: bytes) -> str:
    r"""Return bytes as text on one line; what is no UTF-8 is shown as an escape.

    >>> visible_bytes(b"{\xff\r\n")
    '{\\xff\\x0d\\x0a'
    """
    return visible(content.decode(errors="backslashreplace"))


def spreadsheet_cell(text: str) -> str:
    """Return the text as a cell that no spreadsheet takes for a formula: those get an apostrophe in front.

    >>> spreadsheet_cell("  =cmd|' /C calc'!A0")
    "'  =cmd|' /C calc'!A0"
    """
    bare = text.lstrip(" \xa0\u200b\ufeff")
    return f"'{visible(text)}" if bare.startswith(_FORMULA) else visible(text)


def _escaped(mark: str) -> str:
    code = ord(mark)
    digits = f"{code:x}"
    for letter, width in (("x", 2), ("u", 4)):
        if len(digits) <= width:
            return f"\\{letter}{code:0{width}x}"
    return f"\\U{code:08x}"
