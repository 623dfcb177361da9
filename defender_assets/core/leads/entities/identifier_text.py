"""The normal text of identifiers: names, ids, hosts and addresses without what people cannot see.

Attackers and copied text put zero-width, no-break and control characters into names. Two spellings that look the same
have to be one identifier.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from defender_assets.core.identifiers import PLACEHOLDERS
from defender_assets.core.invisible import is_invisible

_GUID = re.compile(
    r"(?:urn:uuid:)?[{(<\"']?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})[})>\"']?"
)


def normal_text(text: str) -> str:
    r"""Return a text in NFKC without invisible characters, and without white space at its ends.

    >>> normal_text("ja\u200bne\u00a0@contoso.com ")
    'jane @contoso.com'
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    visible = "".join(letter for letter in text if not is_invisible(letter))
    return unicodedata.normalize("NFKC", visible).strip()


def identifier(text: str) -> str | None:
    """Return the normal text of an identifier in lower case; None for a placeholder.

    >>> identifier(" AB-1"), identifier("N/A")
    ('ab-1', None)
    """
    normal = normal_text(text).lower()
    return None if normal in PLACEHOLDERS else normal


def object_id(text: str) -> str | None:
    """Return the normal text of an identifier that can be a GUID, in any of its spellings, or a message's `<id>`.

    Only for identifiers that are no hashes: an MD5 looks like a GUID without dashes.

    >>> object_id("{3F2504E0-4F89-11D3-9A0C-0305E82C3301}"), object_id("3f2504e04f8911d39a0c0305e82c3301")
    ('3f2504e0-4f89-11d3-9a0c-0305e82c3301', '3f2504e0-4f89-11d3-9a0c-0305e82c3301')
    >>> object_id("<Ab@mail.example>")
    'ab@mail.example'
    """
    normal = identifier(text)
    if normal is None:
        return None
    if guid := _GUID.fullmatch(normal):
        return identifier("-".join(guid.groups()))
    return identifier(normal[1:-1]) if normal[0] == "<" and normal[-1] == ">" else normal


def shown(text: str) -> str | None:
    """Return a text as it is written, without white space at its ends; None for a placeholder."""
    return None if normal_text(text).lower() in PLACEHOLDERS else text.strip()


class Simple(NamedTuple):
    """The texts whose normal form is known without a call: the text itself, or its lower case.

    `pattern` matches whole texts. Placeholders and texts of more than LONGEST_SIMPLE bytes are never simple.
    """

    pattern: str
    lower: bool = True


LONGEST_SIMPLE = 1_000
MANY = 1_000
"""From so many texts on, finding the simple ones costs less than calling the function for them."""

_VISIBLE = r"^[!-~](?:[ -~]*[!-~])?$"
SIMPLE_IDENTIFIER, SIMPLE_SHOWN = Simple(_VISIBLE), Simple(_VISIBLE, lower=False)
"""The simple texts of `identifier` and `shown`."""
SIMPLE_OBJECT_ID = Simple(r"^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")
"""The simple texts of `object_id`."""


def by_value(texts: pl.Series, function: Callable[[str], str | None], simple: Simple | None = None) -> pl.Series:
    """Return `function` of each text, called once per distinct text, and not for simple ones; null stays null."""
    if simple is not None and len(texts) >= MANY:
        text, lower = pl.col("text"), pl.col("text").str.to_lowercase()
        is_simple = (
            text.str.contains(simple.pattern) & (text.str.len_bytes() <= LONGEST_SIMPLE) & ~lower.is_in(PLACEHOLDERS)
        )
        frame = texts.to_frame("text").select("text", known=pl.when(is_simple).then(lower if simple.lower else text))
        others = by_value(frame.select(pl.when(pl.col("known").is_null()).then(text)).to_series(), function)
        return frame.select(pl.coalesce("known", others)).to_series().rename(texts.name)
    distinct = texts.drop_nulls().unique().to_list()
    return texts.replace_strict({text: function(text) for text in distinct}, default=None, return_dtype=pl.String)


def each(expression: pl.Expr, function: Callable[[str], str | None], simple: Simple | None = None) -> pl.Expr:
    """Return an expression of `by_value`."""
    return expression.map_batches(lambda texts: by_value(texts, function, simple), return_dtype=pl.String)


def passes(expression: pl.Expr, test: Callable[[str], bool]) -> pl.Expr:
    """Return whether each text passes a test, which is called once per distinct text; false for null."""
    return each(expression, lambda text: text if test(text) else None).is_not_null()
