"""Text for display: numbers with nouns and units, lengths of time, and escaping of attacker-controlled text.

An attacker can influence titles, file names, accounts and quarantined bytes. Spreadsheets (`cli.csv_safety`) and HTML
(`outputs.brief`) need further escaping.
"""

from collections.abc import Sequence

from defender_assets.core.invisible import is_invisible

MEBIBYTE = 1024 * 1024

# not allowed in XML, and so not in SVG charts (XML 1.0, 2.2)
_NONCHARACTERS = frozenset("\ufffe\uffff")


def pluralize(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun.

    >>> pluralize(1, "story", "stories"), pluralize(1200, "lead")
    ('1 story', '1,200 leads')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def first_few(texts: Sequence[str], count: int, more: str = "and {} more") -> list[str]:
    """Return the first texts, and one that counts the others.

    >>> first_few(["a", "b", "c", "d"], 2), first_few(["a", "b"], 2)
    (['a', 'b', 'and 2 more'], ['a', 'b'])
    """
    return [*texts[:count], *([more.format(f"{len(texts) - count:,}")] if len(texts) > count else [])]


def format_duration(seconds: float) -> str:
    """Return a length of time in its largest unit, rounded down.

    >>> format_duration(2199), format_duration(3600), format_duration(200_000), format_duration(12)
    ('36 minutes', '1 hour', '2 days', '12 seconds')
    """
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return pluralize(int(seconds // length), unit)
    return pluralize(int(seconds), "second")


def format_bytes(count: float) -> str:
    """Return a number of bytes with a decimal unit (powers of 1000).

    >>> format_bytes(1), format_bytes(24_613), format_bytes(1_607_326), format_bytes(2.5e9)
    ('1 byte', '24.6 kB', '1.6 MB', '2.5 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return pluralize(round(count), "byte")


def escape_control_chars(text: str) -> str:
    r"""Return the text on one line with control and invisible characters escaped.

    >>> escape_control_chars("a\x1b[2Jb\u202ec")
    'a\\x1b[2Jb\\u202ec'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_escaped, text))


def visible_bytes(content: bytes) -> str:
    r"""Return bytes as text on one line, with control characters and invalid UTF-8 escaped.

    >>> visible_bytes(b"{\xff\r\n")
    '{\\xff\\x0d\\x0a'
    """
    return escape_control_chars(content.decode(errors="backslashreplace"))


def _escaped(character: str) -> str:
    if not is_invisible(character) and character not in _NONCHARACTERS:
        return character
    code = f"{ord(character):x}"
    for letter, width in (("x", 2), ("u", 4)):
        if len(code) <= width:
            return f"\\{letter}{code:0>{width}}"
    return f"\\U{code:0>8}"
