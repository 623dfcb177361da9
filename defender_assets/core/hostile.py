"""Text that an attacker may have written, with every character visible: for terminals, pages and logs alike.

Titles, file names, accounts and quarantined bytes all count as such. What a spreadsheet needs beyond it stands with the
commands, what HTML needs with the page.
"""

import unicodedata

# Controls (C0, C1, DEL), format characters (bidi overrides, zero-width), private use, line and paragraph separators
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
# no XML may hold them, and so no picture (XML 1.0, 2.2)
_NO_CHARACTERS = frozenset("\ufffe\uffff")


def visible(text: str) -> str:
    r"""Return the text on one line with every character that a terminal acts on, or that hides, as an escape.

    >>> visible("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _escaped(mark) if unicodedata.category(mark) in _UNSEEN or mark in _NO_CHARACTERS else mark for mark in text
    )


def visible_bytes(content: bytes) -> str:
    r"""Return bytes as text on one line; what is no UTF-8 is shown as an escape.

    >>> visible_bytes(b"{\xff\r\n")
    '{\\xff\\x0d\\x0a'
    """
    return visible(content.decode(errors="backslashreplace"))


def _escaped(mark: str) -> str:
    code = ord(mark)
    digits = f"{code:x}"
    for letter, width in (("x", 2), ("u", 4)):
        if len(digits) <= width:
            return f"\\{letter}{code:0{width}x}"
    return f"\\U{code:08x}"
