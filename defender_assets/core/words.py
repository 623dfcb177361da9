"""Normal forms in which texts are compared: words of an enumeration, and free text such as titles.

The tables keep every text as Microsoft wrote it. Only comparisons use these forms.
"""

import unicodedata

import polars as pl

from defender_assets.core.enums import LEVELS
from defender_assets.core.invisible import WITHOUT_GLYPH


def comparable(text: str) -> str:
    r"""Return the normal form of a free text: what people read as the same text has the same form.

    Compatibility forms are unified (NFKC) and the case is folded. Invisible characters are removed: zero-width ones,
    bidirectional controls, soft hyphens. Each run of spaces, no-break ones included, is one space, and there is none at
    the ends.

    >>> comparable(" Mail\xa0\xa0removed after\u202fDELIVERY\u200b")
    'mail removed after delivery'
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().split())
    unified = unicodedata.normalize("NFKC", text)
    visible = "".join(character for character in unified if character.isspace() or not _is_left_out(character))
    return " ".join(unicodedata.normalize("NFKC", visible.casefold()).split())


def _is_left_out(character: str) -> bool:
    # unlike `is_invisible`: private-use characters stay, and line separators are spaces
    return unicodedata.category(character) in {"Cc", "Cf"} or character in WITHOUT_GLYPH


def word_key(text: str) -> str:
    """Return the normal form of a word of an enumeration: its letters and digits, in lower case.

    >>> word_key("Microsoft Defender for Office 365") == word_key("MicrosoftDefenderForOffice365")
    True
    """
    unified = unicodedata.normalize("NFKC", text).lower()
    return "".join(character for character in unified if character.isalnum())


def word_keys(words: pl.Expr) -> pl.Expr:
    """Return `word_key` of a String column."""
    return words.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")


def severity_ranks(severities: pl.Expr) -> pl.Expr:
    """Return 0 for High, 1 for Medium …; any other word, or none, ranks below them."""
    ranks = {name: rank for rank, name in enumerate(LEVELS)}
    found = severities.str.to_lowercase().replace_strict(ranks, default=len(LEVELS), return_dtype=pl.Int64)
    return found.fill_null(len(LEVELS))
