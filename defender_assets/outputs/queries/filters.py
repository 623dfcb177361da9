"""Leads and stories picked by what an analyst asks for: severity, product, device, user, or the beginning of an id.

Each takes and returns a LazyFrame of `device_enriched_leads` or `lead_stories`. Text is compared without regard to
case and as it is: no pattern of a user's is ever a regular expression.
"""

import polars as pl

from defender_assets.core.enums import LEVELS


def min_severity(rows: pl.LazyFrame, severity: str) -> pl.LazyFrame:
    """Return the rows of this severity or a higher one; a word that Microsoft may add one day is left out."""
    levels = LEVELS[: LEVELS.index(severity.lower()) + 1]
    return rows.filter(pl.col("severity").str.to_lowercase().is_in(levels))


def of_product(rows: pl.LazyFrame, product: str) -> pl.LazyFrame:
    """Return the leads of a product, or the stories with a lead of it."""
    if "products" in rows.collect_schema():
        return rows.filter(pl.col("products").list.contains(product.lower()))
    return rows.filter(pl.col("product").str.to_lowercase() == product.lower())


def on_device(rows: pl.LazyFrame, part: str) -> pl.LazyFrame:
    """Return the rows with a device whose name contains the text, or (leads) whose id begins with it."""
    if "device_names" in rows.collect_schema():
        return rows.filter(_any("device_names", _contains(pl.element(), part)))
    field = pl.element().struct.field
    named = _contains(field("device_name"), part) | _begins(field("device_id"), part)
    return rows.filter(
        pl.any_horizontal(
            _contains(pl.col("device_name"), part),
            _begins(pl.col("device_id"), part),
            _begins(pl.col("original_device_id"), part),
            _any("devices", named),
        )
    )


def by_user(rows: pl.LazyFrame, part: str) -> pl.LazyFrame:
    """Return the rows with an account whose name or UPN contains the text, or (leads) whose SID or object id is it."""
    if "lead_ids" in rows.collect_schema():
        return rows.filter(_any("accounts", _contains(pl.element(), part)))
    field = pl.element().struct.field
    named = pl.any_horizontal(
        _contains(field("name"), part),
        _contains(field("upn"), part),
        *(field(name).str.to_lowercase() == part.lower() for name in ("sid", "object_id")),
    )
    return rows.filter(_any("accounts", named))


def beginning_with(rows: pl.LazyFrame, column: str, part: str) -> pl.LazyFrame:
    """Return the rows whose id begins with the text."""
    return rows.filter(_begins(pl.col(column), part))


def _any(column: str, holds: pl.Expr) -> pl.Expr:
    return pl.col(column).list.eval(holds.fill_null(value=False)).list.any().fill_null(value=False)


def _contains(text: pl.Expr, part: str) -> pl.Expr:
    return text.str.to_lowercase().str.contains(part.lower(), literal=True).fill_null(value=False)


def _begins(text: pl.Expr, part: str) -> pl.Expr:
    return text.str.to_lowercase().str.starts_with(part.lower()).fill_null(value=False)
