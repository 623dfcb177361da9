"""A lead's risk: which of its columns earn points, and the reasons' texts. The points are in `weights.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from defender_assets.core.attack import OLDER_CATEGORIES, OLDER_TECHNIQUES, category_keys
from defender_assets.core.leads.risk.points import clamp_score, reason
from defender_assets.core.leads.risk.weights import FALLING_STEPS, OTHERWISE, RISING_STEPS, Weights
from defender_assets.core.lists import row_list
from defender_assets.core.words import word_keys

# Usual names of administrators, and the SID of the built-in administrator.
_PRIVILEGED_NAME = r"(?i)admin|^root$|^krbtgt$|(?:^|[._-])(?:adm|da|t0|tier0)(?:[._-]|$)"
_PRIVILEGED_SID = r"(?i)^S-1-5-21-.*-500$"


@dataclass(frozen=True)
class RiskFactor:
    """A column of the lead, the section of the weights that rates it, and the reason's text; {} is the value."""

    section: str
    column: str
    text: str
    text_at_0: str = ""


RISK_FACTORS = (
    RiskFactor("severity", "severity", "Microsoft rates the alert {}"),
    RiskFactor("category", "category", "The activity is {}"),
    RiskFactor("technique", "attack_techniques", "A telling technique of ATT&CK: {}"),
    RiskFactor("verdict", "verdict", "Worst verdict on the evidence: {}"),
    RiskFactor("remediation", "remediation_state", "State of the threat: {}"),
    RiskFactor("asset_value", "asset_value", "The organisation values the device {}"),
    RiskFactor("exposure", "exposure_level", "Exposure of the device to known weaknesses is {}"),
    RiskFactor("internet_facing", "is_internet_facing", "The device can be reached from the internet"),
    RiskFactor("sensor_health", "sensor_health_state", "The device's sensor does not report as it should: {}"),
    RiskFactor("device_tag", "device_tags", "The device is tagged {}"),
    RiskFactor("devices", "device_count", "The alert names {} devices"),
    RiskFactor("evidence", "evidence_count", "The alert rests on {} pieces of evidence"),
    RiskFactor("account", "accounts", "A privileged-looking account is involved: {}"),
    RiskFactor("detection", "detection_alerts", "{} other alerts of this detection in the last 30 days",
               "This detection has not fired before in the last 30 days"),
    RiskFactor("rarest_entity", "rarest_alerts",
               "Even the rarest of what it names is in {} other alerts of the last 30 days",
               "No other alert of the last 30 days names its {}"),
)  # fmt: skip
"""In the order of the reasons."""

_OF_FREQUENCY = "|".join(
    factor.text.replace("{}", r"\d+") for factor in RISK_FACTORS if factor.section in ("detection", "rarest_entity")
)


def points_lost_to_frequency() -> pl.Expr:
    """Return what `risk_reasons` take from a lead because others have its detection or name what it names."""
    text, points = (pl.element().struct.field(field) for field in ("reason", "points"))
    lost = pl.when(text.str.contains(f"^(?:{_OF_FREQUENCY})$")).then((-points).clip(lower_bound=0))
    return pl.col("risk_reasons").list.eval(lost).list.sum().fill_null(0)


def with_score(leads: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """Add `risk_score` (Int64, 0-100) and `risk_reasons` (REASONS); reads the columns of RISK_FACTORS and `rarest`."""
    reasons = row_list(_reason(factor, weights.get(factor.section, {})) for factor in RISK_FACTORS)
    return clamp_score(leads.with_columns(risk_reasons=reasons), "risk_score", "risk_reasons")


def _reason(factor: RiskFactor, lines: Mapping[str, int]) -> pl.Expr:
    """Return the factor's reason for a row, null if it earns no points."""
    column = pl.col(factor.column)
    if factor.section in (*RISING_STEPS, *FALLING_STEPS):
        points = _points_of_number(column, lines)
        text = pl.format(factor.text, column.cast(pl.String))
        if factor.text_at_0:
            at_0 = pl.format(factor.text_at_0, "rarest") if "{}" in factor.text_at_0 else pl.lit(factor.text_at_0)
            text = pl.when(column == 0).then(at_0).otherwise(text)
    elif factor.section in _LIST_SECTIONS:
        points, name = _LIST_SECTIONS[factor.section](column, lines)
        text = pl.format(factor.text, name)
    else:
        value = column.cast(pl.String)
        keys = word_keys(value)
        if factor.section == "category":
            keys, lines = category_keys(value), _with_newer(lines)
        points = _points_of(keys, lines, lines.get(OTHERWISE, 0)).fill_null(lines.get(OTHERWISE, 0))
        text = pl.format(factor.text, value.fill_null("unknown")) if "{}" in factor.text else pl.lit(factor.text)
    return pl.when(points != 0).then(reason(text, points))


def _with_newer(lines: Mapping[str, int]) -> Mapping[str, int]:
    """Return the lines of the categories; a newer category without a line counts as the one it was split from."""
    return {newer: lines[older] for newer, older in OLDER_CATEGORIES.items() if older in lines} | dict(lines)


def _points_of(value: pl.Expr, lines: Mapping[str, int], otherwise: int | None) -> pl.Expr:
    if not lines:
        return pl.lit(otherwise, dtype=pl.Int64)
    return value.replace_strict(dict(lines), default=otherwise, return_dtype=pl.Int64)


def _points_of_number(column: pl.Expr, lines: Mapping[str, int]) -> pl.Expr:
    """Return the points of the highest step that the number reaches, 0 below the first."""
    steps = sorted(((int(step), points) for step, points in lines.items()), reverse=True)
    return pl.coalesce(*(pl.when(column >= step).then(pl.lit(points)) for step, points in steps), pl.lit(0))


def _technique(column: pl.Expr, lines: Mapping[str, int]) -> tuple[pl.Expr, pl.Expr]:
    """Rate techniques by their own line, their parent's, that of their older number, that of the older number's parent.

    A sub-technique without an older number of its own has its parent's.
    """
    technique = pl.element().str.to_lowercase()
    older = pl.coalesce(_older(technique), _older(_parent(technique)))
    numbers = (technique, _parent(technique), older, _parent(older))
    return _top_entry(column, pl.coalesce(*(_points_of(number, lines, None) for number in numbers)), pl.element())


def _parent(technique: pl.Expr) -> pl.Expr:
    return technique.str.slice(0, 5)


def _older(technique: pl.Expr) -> pl.Expr:
    older = {newer.lower(): older.lower() for newer, older in OLDER_TECHNIQUES.items()}
    return technique.replace_strict(older, default=None, return_dtype=pl.String)


def _device_tag(column: pl.Expr, lines: Mapping[str, int]) -> tuple[pl.Expr, pl.Expr]:
    return _top_entry(column, _points_of(word_keys(pl.element()), lines, None), pl.element())


def _privileged(column: pl.Expr, lines: Mapping[str, int]) -> tuple[pl.Expr, pl.Expr]:
    field = pl.element().struct.field
    name = pl.coalesce(field("name"), field("upn").str.split("@").list.first())
    privileged = name.str.contains(_PRIVILEGED_NAME) | field("sid").str.contains(_PRIVILEGED_SID)
    points = pl.when(privileged.fill_null(value=False)).then(pl.lit(lines.get("privileged", 0), dtype=pl.Int64))
    return _top_entry(column, points, pl.coalesce(field("upn"), field("name"), field("sid")))


_LIST_SECTIONS = {"technique": _technique, "device_tag": _device_tag, "account": _privileged}
"""Sections whose columns are lists: the entry with most points counts."""


def _top_entry(column: pl.Expr, points: pl.Expr, name: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return points and name of the (first) entry with most points; 0 and null if none has any."""
    found = column.list.eval(points)
    top = found.list.arg_max()
    return found.list.get(top).fill_null(0), column.list.eval(name).list.get(top)
