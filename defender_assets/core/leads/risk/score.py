"""A lead's risk: what of it earns points, and in which words. How many points stands in `weights.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from defender_assets.core.leads.risk.points import clamp_score, reason
from defender_assets.core.leads.risk.weights import FALLING_STEPS, OTHERWISE, RISING_STEPS, Weights

# Names by which administrators are called in practice, and the built-in administrator's SID.
_PRIVILEGED_NAME = r"(?i)admin|^root$|^krbtgt$|(?:^|[._-])(?:adm|da|t0|tier0)(?:[._-]|$)"
_PRIVILEGED_SID = r"(?i)^S-1-5-21-.*-500$"


@dataclass(frozen=True)
class RiskFactor:
    """What of a lead earns the points of a section of the table, and the words for it; {} is what was seen."""

    section: str
    column: str
    words: str
    words_at_0: str = ""


SIGNS = (
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
    RiskFactor(
        "detection",
        "detection_alerts",
        "{} other alerts of this detection in the last 30 days",
        "This detection has not fired before in the last 30 days",
    ),
    RiskFactor(
        "rarest_entity",
        "rarest_alerts",
        "Even the rarest of what it names is in {} other alerts of the last 30 days",
        "No other alert of the last 30 days names its {}",
    ),
)
"""In the order in which the reasons are given."""


def with_score(leads: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """Return the leads with `risk_score` (Int64, 0-100) and `risk_reasons` (REASONS) that add up to it.

    Reads the columns of SIGNS, and `rarest`.
    """
    reasons = pl.concat_list(_reason(sign, weights.get(sign.section, {})) for sign in SIGNS).list.drop_nulls()
    return clamp_score(leads.with_columns(risk_reasons=reasons), "risk_score", "risk_reasons")


def _reason(sign: RiskFactor, lines: Mapping[str, int]) -> pl.Expr:
    """Return the reason that a sign gives for a row, null if it gives none."""
    column = pl.col(sign.column)
    if sign.section in (*RISING_STEPS, *FALLING_STEPS):
        points, said = _points_of_number(column, lines), column.cast(pl.String)
        words = pl.format(sign.words, said)
        if sign.words_at_0:
            at_0 = pl.format(sign.words_at_0, "rarest") if "{}" in sign.words_at_0 else pl.lit(sign.words_at_0)
            words = pl.when(column == 0).then(at_0).otherwise(words)
    elif sign.section in _OF_MANY:
        points, said = _OF_MANY[sign.section](column, lines)
        words = pl.format(sign.words, said)
    else:
        value = column.cast(pl.String)
        points = _points_of(_plain(value), lines, lines.get(OTHERWISE, 0)).fill_null(lines.get(OTHERWISE, 0))
        words = pl.format(sign.words, value.fill_null("unknown")) if "{}" in sign.words else pl.lit(sign.words)
    return pl.when(points != 0).then(reason(words, points))


def _plain(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"[\s_-]", "")


def _points_of(value: pl.Expr, lines: Mapping[str, int], otherwise: int | None) -> pl.Expr:
    if not lines:
        return pl.lit(otherwise, dtype=pl.Int64)
    return value.replace_strict(dict(lines), default=otherwise, return_dtype=pl.Int64)


def _points_of_number(column: pl.Expr, lines: Mapping[str, int]) -> pl.Expr:
    """Return the points of the highest step that a number reaches, 0 below the first."""
    steps = sorted(((int(step), points) for step, points in lines.items()), reverse=True)
    return pl.coalesce(*(pl.when(column >= step).then(pl.lit(points)) for step, points in steps), pl.lit(0))


def _technique(column: pl.Expr, lines: Mapping[str, int]) -> tuple[pl.Expr, pl.Expr]:
    named = pl.element().str.to_lowercase()
    own, of_parent = _points_of(named, lines, None), _points_of(named.str.slice(0, 5), lines, None)
    return _most_telling(column, pl.coalesce(own, of_parent), pl.element())


def _device_tag(column: pl.Expr, lines: Mapping[str, int]) -> tuple[pl.Expr, pl.Expr]:
    return _most_telling(column, _points_of(_plain(pl.element()), lines, None), pl.element())


def _privileged(column: pl.Expr, lines: Mapping[str, int]) -> tuple[pl.Expr, pl.Expr]:
    field = pl.element().struct.field
    name = pl.coalesce(field("name"), field("upn").str.split("@").list.first())
    privileged = name.str.contains(_PRIVILEGED_NAME) | field("sid").str.contains(_PRIVILEGED_SID)
    points = pl.when(privileged.fill_null(value=False)).then(pl.lit(lines.get("privileged", 0), dtype=pl.Int64))
    return _most_telling(column, points, pl.coalesce(field("upn"), field("name"), field("sid")))


_OF_MANY = {"technique": _technique, "device_tag": _device_tag, "account": _privileged}
"""Sections for columns that are lists: one entry earns the points."""


def _most_telling(column: pl.Expr, points: pl.Expr, said: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Return the points and the name of the entry with most points, the first of several; 0 and null without any."""
    entry = pl.struct(points=points, said=said)
    told = column.list.eval(
        entry.filter(points.is_not_null()).sort_by(points.drop_nulls(), descending=True, maintain_order=True)
    ).list.first()
    return told.struct.field("points").fill_null(0), told.struct.field("said")
