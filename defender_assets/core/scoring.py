"""How urgent a lead is: points from 0 to 100, each with the reason an analyst would give. The weights stand here only.

No table carries a risk score of Microsoft's (source facts, section 5), so this one is ours: additive and explained.
How a story adds its leads up is told in `core/stories`.
"""

from dataclasses import dataclass

import polars as pl

TOP = 100

REASON = pl.Struct({"reason": pl.String(), "points": pl.Int64()})
REASONS = pl.List(REASON)
"""The type of reasons: their points add up to the score."""


@dataclass(frozen=True)
class Weight:
    """So many points for a value of a column (compared in lower case without spaces), in these words."""

    column: str
    points: dict[str, int]
    words: str
    otherwise: int = 0


WEIGHTS = (
    Weight(
        "severity",
        {"high": 40, "medium": 25, "low": 12, "informational": 3},
        "Microsoft rates the alert {}",
        otherwise=10,
    ),
    Weight(
        "category",
        {
            "ransomware": 20,
            "exfiltration": 15,
            "impact": 15,
            "credentialaccess": 12,
            "lateralmovement": 12,
            "commandandcontrol": 12,
            "privilegeescalation": 10,
            "exploit": 10,
            "persistence": 8,
            "execution": 8,
            "defenseevasion": 8,
            "initialaccess": 8,
            "malware": 8,
            "collection": 6,
            "suspiciousactivity": 4,
            "discovery": 4,
        },
        "The activity is {}",
    ),
    Weight(
        "verdict",
        {"malicious": 10, "suspicious": 5, "nothreatsfound": -10, "clean": -10},
        "Worst verdict on the evidence: {}",
    ),
    Weight(
        "remediation_state",
        {
            "active": 5,
            "failed": 5,
            "notremediated": 5,
            "partiallyremediated": -5,
            "remediated": -15,
            "blocked": -20,
            "prevented": -20,
        },
        "State of the threat: {}",
    ),
    Weight("asset_value", {"high": 12, "low": -4}, "The organisation values the device {}"),
    Weight("exposure_level", {"high": 8, "medium": 4}, "Exposure of the device to known weaknesses is {}"),
    Weight("is_internet_facing", {"true": 8}, "The device can be reached from the internet"),
    Weight(
        "sensor_health_state",
        {"inactive": 5, "impairedcommunication": 5, "nosensordata": 5, "nosensordataimpairedcommunication": 5},
        "The device's sensor does not report as it should: {}",
    ),
    Weight("_spread", {"several": 6, "many": 10}, "The alert names {} devices"),
    Weight("_evidence", {"much": 3, "verymuch": 5}, "The alert rests on {} pieces of evidence"),
    Weight("_privileged", {"true": 8}, "A privileged-looking account is involved: {}"),
)
"""The table of weights, in the order in which the reasons are given."""

_CUT = "More than 100 points count as 100"
_FLOOR = "Fewer than 0 points count as 0"

# Names by which administrators are called in practice, and the built-in administrator's SID.
_PRIVILEGED_NAME = r"(?i)admin|^root$|^krbtgt$|(?:^|[._-])(?:adm|da|t0|tier0)(?:[._-]|$)"
_PRIVILEGED_SID = r"(?i)^S-1-5-21-.*-500$"


def with_score(leads: pl.DataFrame) -> pl.DataFrame:
    """Return the leads with `risk_score` (Int64, 0-100) and `risk_reasons` (REASONS) that add up to it.

    Reads the columns of WEIGHTS, `device_count`, `evidence_count` and `accounts`.
    """
    described = leads.with_columns(
        _spread=_steps("device_count", {2: "several", 5: "many"}),
        _evidence=_steps("evidence_count", {10: "much", 50: "very much"}),
        _privileged=_privileged_account(),
    ).with_columns(
        _said_spread=pl.col("device_count").cast(pl.String),
        _said_evidence=pl.col("evidence_count").cast(pl.String),
        _said_privileged=pl.col("_privileged"),
        _privileged=pl.col("_privileged").is_not_null(),
    )
    reasons = described.with_columns(
        risk_reasons=pl.concat_list(_reason(weight, leads.columns) for weight in WEIGHTS).list.drop_nulls()
    )
    return bounded(reasons, "risk_score", "risk_reasons").select(*leads.columns, "risk_score", "risk_reasons")


def bounded(frame: pl.DataFrame, score: str, reasons: str) -> pl.DataFrame:
    """Return the frame with the column `score`: the sum of `reasons`, kept within 0 and 100 by a last reason."""
    total = pl.col(reasons).list.eval(pl.element().struct.field("points")).list.sum().fill_null(0)
    correction = (
        pl.when(total > TOP)
        .then(reason(pl.lit(_CUT), TOP - total))
        .when(total < 0)
        .then(reason(pl.lit(_FLOOR), -total))
    )
    return frame.with_columns(
        pl.concat_list(reasons, pl.concat_list(correction).list.drop_nulls()).alias(reasons),
        total.clip(0, TOP).cast(pl.Int64).alias(score),
    )


def reason(words: pl.Expr, points: pl.Expr) -> pl.Expr:
    """Return a REASON."""
    return pl.struct(reason=words, points=points.cast(pl.Int64))


def _reason(weight: Weight, columns: list[str]) -> pl.Expr:
    """Return the reason that a weight gives for a row, null if it gives none."""
    value = pl.col(weight.column).cast(pl.String)
    plain = value.str.to_lowercase().str.replace_all(r"[\s_-]", "")
    points = plain.replace_strict(weight.points, default=weight.otherwise, return_dtype=pl.Int64).fill_null(
        weight.otherwise
    )
    said = value if weight.column in columns else pl.col(f"_said{weight.column}")
    words = pl.format(weight.words, said.fill_null("unknown")) if "{}" in weight.words else pl.lit(weight.words)
    return pl.when(points != 0).then(reason(words, points))


def _steps(column: str, steps: dict[int, str]) -> pl.Expr:
    """Return the word of the highest step that the column reaches, null below the first."""
    words = [pl.when(pl.col(column) >= step).then(pl.lit(word)) for step, word in sorted(steps.items(), reverse=True)]
    return pl.coalesce(words)


def _privileged_account() -> pl.Expr:
    """Return the name of the first account that looks privileged, null if none does."""
    field = pl.element().struct.field
    name = pl.coalesce(field("name"), field("upn").str.split("@").list.first())
    privileged = name.str.contains(_PRIVILEGED_NAME) | field("sid").str.contains(_PRIVILEGED_SID)
    shown = pl.coalesce(field("upn"), field("name"), field("sid"))
    return (
        pl.col("accounts")
        .list.eval(pl.when(privileged.fill_null(value=False)).then(shown))
        .list.drop_nulls()
        .list.first()
    )
