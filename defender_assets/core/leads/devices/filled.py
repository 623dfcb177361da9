"""Values that fill a column: `-`, blank and surrounding spaces are Microsoft's ways to write nothing."""

import polars as pl

from defender_assets.core.schemas.column import LOGGED_ON_USERS


def filled(text: pl.Expr) -> pl.Expr:
    """Return the text without surrounding spaces; null if nothing is left, or only `-`."""
    trimmed = text.str.strip_chars()
    return pl.when(~trimmed.is_in(["", "-"])).then(trimmed)


def filled_texts(texts: pl.Expr) -> pl.Expr:
    """Return the list without the texts that fill nothing; null if it had only such texts, empty if it was empty."""
    return _kept(texts, texts.list.eval(filled(pl.element()).drop_nulls()))


def filled_users(users: pl.Expr) -> pl.Expr:
    """Return LoggedOnUsers with filled fields, without the users that have none; null if all are like that."""
    fields = [filled(pl.element().struct.field(field.name)).alias(field.name) for field in LOGGED_ON_USERS.inner.fields]
    some = pl.any_horizontal(
        pl.element().struct.field(field.name).is_not_null() for field in LOGGED_ON_USERS.inner.fields
    )
    return _kept(users, users.list.eval(pl.struct(fields)).list.eval(pl.element().filter(some)))


def _kept(before: pl.Expr, after: pl.Expr) -> pl.Expr:
    return pl.when((after.list.len() > 0) | (before.list.len() == 0)).then(after)
