"""Characters that people cannot see. Text for display escapes them; normal forms and pasted ids leave them out."""

import unicodedata

# controls (C0, C1, DEL), format characters (bidi overrides, zero-width, tags), private use, surrogates, line and
# paragraph separators
_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
# Unicode has them as letters, marks, symbols or reserved: Default_Ignorable_Code_Point (the combining grapheme joiner,
# Hangul fillers, Khmer inherent vowels, variation selectors, reserved ranges), and glyphs without ink (the empty
# Braille pattern, the Khitan filler, the musical null notehead)
_RANGES = (
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2065, 0x2065), (0x2800, 0x2800),
    (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x16FE4, 0x16FE4), (0x1D159, 0x1D159),
    (0xE0000, 0xE0FFF),
)  # fmt: skip
WITHOUT_GLYPH = frozenset(chr(code) for first, last in _RANGES for code in range(first, last + 1))
"""Invisible characters that have another general category."""


def is_invisible(character: str) -> bool:
    r"""Return whether a character has no glyph and is no space.

    >>> [is_invisible(each) for each in "a \u200b\u3164"]
    [False, False, True, True]
    """
    return character in WITHOUT_GLYPH or unicodedata.category(character) in _CATEGORIES


def as_pasted(text: str) -> str:
    r"""Return an id or a name as a person meant it: without blanks and invisible characters at its ends, in lower case.

    >>> as_pasted("\ufeff Da637\u200b\xa0")
    'da637'
    """
    seen = [at for at, character in enumerate(text) if not (character.isspace() or is_invisible(character))]
    return text[seen[0] : seen[-1] + 1].lower() if seen else ""
