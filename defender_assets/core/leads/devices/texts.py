"""Which texts of devices fill a column, and the normal forms of identifiers and names."""

from contextlib import suppress
from ipaddress import ip_address

import polars as pl

from defender_assets.core.identifiers import PLACEHOLDERS
from defender_assets.core.lists import without_nulls

# in other columns, such as ExposureLevel, `None` and `Unknown` are values
_NOTHING = ["", "-", "00000000-0000-0000-0000-000000000000"]
_PLACEHOLDERS = sorted(PLACEHOLDERS)

# `CORP\dc01` and `\\dc01` name dc01; `dc01$` is its account; a trailing dot is DNS's root.
_AROUND_A_NAME = r"^.*\\|[.$\s]+$"


def filled(text: pl.Expr) -> pl.Expr:
    """Return a text without surrounding spaces, null if it fills nothing: empty, `-` or the zero GUID."""
    return _unless(text, _NOTHING)


def filled_list(texts: pl.Expr) -> pl.Expr:
    """Return a list without entries that fill nothing, null if no other is in it; an empty list stays empty."""
    kept = without_nulls(texts.list.eval(filled(pl.element())))
    return pl.when((kept.list.len() > 0) | (texts.list.len() == 0)).then(kept)


def identifier(text: pl.Expr) -> pl.Expr:
    """Return an identifier of a device in its normal form: lower case; null for a placeholder."""
    return _unless(text.str.to_lowercase(), _PLACEHOLDERS)


def host_name(text: pl.Expr) -> pl.Expr:
    """Return the name of a host in its normal form: lower case, without NetBIOS domain, trailing dot or `$`.

    Null for a placeholder: else all machines without a name would be one.
    """
    name = text.str.strip_chars().str.to_lowercase().str.replace_all(_AROUND_A_NAME, "")
    return _unless(name, _PLACEHOLDERS)


def _unless(text: pl.Expr, listed: list[str]) -> pl.Expr:
    """Return a text without surrounding spaces, null if it is one of those listed."""
    trimmed = text.str.strip_chars()
    return pl.when(~trimmed.is_in(listed)).then(trimmed)


def label(name: pl.Expr) -> pl.Expr:
    """Return the short name of a host: its name up to the first dot."""
    return name.str.extract(r"^([^.]+)")


def has_domain(name: pl.Expr) -> pl.Expr:
    """Return whether a host's name in its normal form is fully qualified."""
    return name.str.contains(r"^[^.]+\.[^.]")


def is_host_name(names: pl.Series) -> pl.Series:
    """Return whether a name in its normal form can identify a host: no address, not `localhost`, not null."""
    others = names.drop_nulls().unique()
    addresses = [name for name in others if _is_address(name)]
    labels = names.to_frame("name").select(label(pl.col("name")).fill_null("localhost")).to_series()
    return (names.is_in(addresses) | (labels == "localhost")).not_()


def _is_address(text: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(text.strip("[]")))
    return False
