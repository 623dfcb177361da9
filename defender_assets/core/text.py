"""Text for people: numbers with nouns and units, and hostile text with every character made visible.

An attacker may have written titles, file names, accounts and quarantined bytes. Spreadsheets need more than this
(`cli.csv_safety`), HTML too (the brief's page).
"""

import unicodedata

MEBIBYTE = 1024 * 1024

# Controls (C0, C1, DEL), format characters (bidi overrides, zero-width), private use, line and paragraph separators
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
# no XML may hold them, and so no picture (XML 1.0, 2.2)
_NO_CHARACTERS = frozenset("\ufffe\uffff")


def pluralize(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    >>> pluralize(1, "story", "stories"), pluralize(1200, "lead")
    ('1 story', '1,200 leads')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def format_bytes(count: float) -> str:
    """Return a number of bytes in the unit that leaves few digits; units are powers of 1000.

    >>> format_bytes(1), format_bytes(24_613), format_bytes(1_607_326), format_bytes(2.5e9)
    ('1 byte', '24.6 kB', '1.6 MB', '2.5 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return pluralize(round(count), "byte")


def escape_control_chars(text: str) -> str:
    r"""Return the text on one line with every character that a terminal acts on, or that hides, as an escape.

    >>> escape_control_chars("a\x1b[2Jb\u202ec")
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
    return escape_control_chars(content.decode(errors="backslashreplace"))


def _escaped(mark: str) -> str:
    code = ord(mark)
    digits = f"{code:x}"
    for letter, width in (("x", 2), ("u", 4)):
        if len(digits) <= width:
            return f"\\{letter}{code:0{width}x}"
    return f"\\U{code:08x}"
