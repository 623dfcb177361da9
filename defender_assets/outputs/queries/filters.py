"""Filters of leads and stories: by severity, product, device, user, tenant, assignee, or the prefix of an id.

Each takes and returns a LazyFrame of `device_enriched_leads` or `lead_stories`. Text is compared literally, without
case and without blanks at its ends (`as_pasted`): input is never a regular expression. Blanks alone match nothing.
"""

import polars as pl

from defender_assets.core.enums import LEVELS
from defender_assets.core.invisible import as_pasted


def min_severity(rows: pl.LazyFrame, severity: str) -> pl.LazyFrame:
    """Return the rows of this severity or a higher one; severities outside of LEVELS are left out."""
    levels = LEVELS[: LEVELS.index(severity.lower()) + 1]
    return rows.filter(pl.col("severity").str.to_lowercase().is_in(levels))


def of_product(rows: pl.LazyFrame, product: str) -> pl.LazyFrame:
    """Return the leads of a product, or the stories with one."""
    if "products" in rows.collect_schema():
        return rows.filter(pl.col("products").list.contains(as_pasted(product)))
    return rows.filter(is_text(pl.col("product"), product))


def on_device(rows: pl.LazyFrame, part: str) -> pl.LazyFrame:
    """Return the rows with a device whose name contains the text, or (leads only) whose id starts with it."""
    if "device_names" in rows.collect_schema():
        return rows.filter(_any("device_names", _contains(pl.element(), part)))
    field = pl.element().struct.field
    matches = _contains(field("device_name"), part) | _starts_with(field("device_id"), part)
    return rows.filter(
        pl.any_horizontal(
            _contains(pl.col("device_name"), part),
            _starts_with(pl.col("device_id"), part),
            _starts_with(pl.col("original_device_id"), part),
            _any("devices", matches),
        )
    )


def by_user(rows: pl.LazyFrame, part: str) -> pl.LazyFrame:
    """Return the rows with an account whose name or UPN contains the text, or (leads) with this SID or object id."""
    if "lead_ids" in rows.collect_schema():
        return rows.filter(_any("accounts", _contains(pl.element(), part)))
    field = pl.element().struct.field
    matches = pl.any_horizontal(
        _contains(field("name"), part),
        _contains(field("upn"), part),
        *(is_text(field(name), part) for name in ("sid", "object_id")),
    )
    return rows.filter(_any("accounts", matches))


def of_tenant(rows: pl.LazyFrame, part: str) -> pl.LazyFrame:
    """Return the rows of the tenants whose id starts with the text."""
    return beginning_with(rows, "tenant_id", part)


def assigned_to(rows: pl.LazyFrame, part: str) -> pl.LazyFrame:
    """Return the leads whose assignee's name contains the text, or the stories with such a lead; with their states."""
    if "assignees" in rows.collect_schema():
        return rows.filter(_any("assignees", _contains(pl.element(), part)))
    return rows.filter(_contains(pl.col("assignee"), part))


def beginning_with(rows: pl.LazyFrame, column: str, part: str) -> pl.LazyFrame:
    """Return the rows whose id in `column` starts with the text."""
    return rows.filter(_starts_with(pl.col(column), part))


def named_lead(rows: pl.LazyFrame, text: str) -> pl.LazyFrame:
    """Return the rows of the leads whose id starts with the text, or whose AlertId is the text."""
    return rows.filter(_starts_with(pl.col("lead_id"), text) | is_text(pl.col("alert_id"), text))


def is_text(text: pl.Expr, wanted: str) -> pl.Expr:
    """Return whether a text is the wanted one."""
    return (text.str.to_lowercase() == _wanted(wanted)).fill_null(value=False)


def _any(column: str, condition: pl.Expr) -> pl.Expr:
    return pl.col(column).list.eval(condition.fill_null(value=False)).list.any().fill_null(value=False)


def _contains(text: pl.Expr, part: str) -> pl.Expr:
    return text.str.to_lowercase().str.contains(_wanted(part), literal=True).fill_null(value=False)


def _starts_with(text: pl.Expr, part: str) -> pl.Expr:
    return text.str.to_lowercase().str.starts_with(_wanted(part)).fill_null(value=False)


def _wanted(part: str) -> pl.Expr:
    """Return the text to compare with; null, which nothing equals, for blanks: every text begins with the empty one."""
    return pl.lit(as_pasted(part) or None, pl.String)
