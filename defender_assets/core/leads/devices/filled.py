"""Values that fill a column: `-`, blank and surrounding spaces are Microsoft's ways to write nothing."""

import polars as pl


def filled(text: pl.Expr) -> pl.Expr:
    """Return the text without surrounding spaces; null if nothing is left, or only `-`."""
    trimmed = text.str.strip_chars()
    return pl.when(~trimmed.is_in(["", "-"])).then(trimmed)


def filled_texts(texts: pl.Expr) -> pl.Expr:
    """Return the list without the texts that fill nothing; null if it had only such texts, empty if it was empty."""
    return _kept(texts, texts.list.eval(filled(pl.element()).drop_nulls()))


def filled_users(users: pl.Expr) -> pl.Expr:
    """Return LoggedOnUsers with filled fields, without the users that have none; null if all are like that."""
    values = {name: pl.element().struct.field(name) for name in ("UserName", "DomainName", "Sid")}
    fields = [filled(value).alias(name) for name, value in values.items()]
    some = pl.any_horizontal(value.is_not_null() for value in values.values())
    return _kept(users, users.list.eval(pl.struct(fields)).list.eval(pl.element().filter(some)))


def _kept(before: pl.Expr, after: pl.Expr) -> pl.Expr:
    return pl.when((after.list.len() > 0) | (before.list.len() == 0)).then(after)
