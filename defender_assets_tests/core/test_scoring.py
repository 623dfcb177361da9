from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.entities.listed import LISTED
from defender_assets.core.scoring import WEIGHTS, with_score

ACCOUNTS = next(listed.dtype for listed in LISTED if listed.name == "accounts")
SCHEMA = {
    "severity": pl.String(),
    "category": pl.String(),
    "verdict": pl.String(),
    "remediation_state": pl.String(),
    "asset_value": pl.String(),
    "exposure_level": pl.String(),
    "is_internet_facing": pl.Boolean(),
    "sensor_health_state": pl.String(),
    "device_count": pl.Int64(),
    "evidence_count": pl.Int64(),
    "accounts": ACCOUNTS,
}


def scored(**columns: Any) -> dict[str, Any]:
    row = dict.fromkeys(SCHEMA, None) | {"severity": "Low", "device_count": 0, "evidence_count": 0, "accounts": []}
    return with_score(pl.DataFrame([row | columns], schema=SCHEMA, orient="row")).row(0, named=True)


def account(**fields: str) -> list[dict[str, str | None]]:
    return [dict.fromkeys(("name", "domain", "upn", "sid", "object_id", "role"), None) | fields]


def added(**columns: Any) -> int:
    return int(scored(**columns)["risk_score"]) - int(scored()["risk_score"])


@pytest.mark.parametrize(
    "columns",
    [
        {"severity": "High"},
        {"category": "Ransomware"},
        {"category": "Credential Access"},
        {"verdict": "Malicious"},
        {"remediation_state": "Active"},
        {"asset_value": "High"},
        {"exposure_level": "High"},
        {"is_internet_facing": True},
        {"sensor_health_state": "Inactive"},
        {"device_count": 2},
        {"evidence_count": 10},
        {"accounts": account(name="Administrator")},
        {"accounts": account(upn="adm.jane@contoso.com")},
        {"accounts": account(name="x", sid="S-1-5-21-1-2-3-500")},
    ],
)
def test_what_makes_a_lead_more_urgent_adds_points(columns: dict[str, Any]) -> None:
    assert added(**columns) > 0


@pytest.mark.parametrize(
    "columns",
    [
        {"remediation_state": "Prevented"},
        {"remediation_state": "Remediated"},
        {"verdict": "NoThreatsFound"},
        {"asset_value": "Low"},
    ],
)
def test_what_makes_a_lead_less_urgent_takes_points(columns: dict[str, Any]) -> None:
    assert scored(severity="High", **columns)["risk_score"] < scored(severity="High")["risk_score"]


@pytest.mark.parametrize(
    "columns",
    [
        {"category": "NeverSeenBefore"},
        {"asset_value": "Normal"},
        {"is_internet_facing": False},
        {"sensor_health_state": "Active"},
        {"device_count": 1},
        {"accounts": account(name="jane", sid="S-1-5-21-1-2-3-1500")},
    ],
)
def test_the_ordinary_adds_nothing(columns: dict[str, Any]) -> None:
    assert added(**columns) == 0


def test_an_unknown_severity_still_counts() -> None:
    assert scored(severity=None)["risk_score"] > 0
    assert scored(severity=None)["risk_reasons"][0]["reason"] == "Microsoft rates the alert unknown"


def test_a_reason_says_what_was_seen() -> None:
    reasons = [entry["reason"] for entry in scored(severity="High", device_count=3)["risk_reasons"]]
    assert reasons == ["Microsoft rates the alert High", "The alert names 3 devices"]


def test_a_score_cut_at_100_ends_with_a_reason_of_negative_points() -> None:
    worst = scored(
        severity="High",
        category="Ransomware",
        verdict="Malicious",
        remediation_state="Active",
        asset_value="High",
        exposure_level="High",
        is_internet_facing=True,
        device_count=9,
    )
    assert worst["risk_score"] == 100
    assert worst["risk_reasons"][-1]["points"] < 0
    assert sum(entry["points"] for entry in worst["risk_reasons"]) == 100


def test_a_score_never_falls_below_0() -> None:
    best = scored(severity="Informational", remediation_state="Blocked", verdict="Clean")
    assert best["risk_score"] == 0
    assert best["risk_reasons"][-1]["points"] > 0
    assert sum(entry["points"] for entry in best["risk_reasons"]) == 0


def _values(column: str) -> st.SearchStrategy[str | None]:
    known = [value for weight in WEIGHTS if weight.column == column for value in weight.points]
    return st.sampled_from([None, "", "Unheard of", *known, *(value.title() for value in known)])


@given(
    st.fixed_dictionaries({name: _values(name) for name, dtype in SCHEMA.items() if dtype == pl.String()}),
    st.sampled_from([None, True, False]),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_the_reasons_always_add_up(
    texts: dict[str, str | None], facing: bool | None, devices: int, pieces: int
) -> None:
    result = scored(**texts, is_internet_facing=facing, device_count=devices, evidence_count=pieces)
    assert 0 <= result["risk_score"] <= 100
    assert sum(entry["points"] for entry in result["risk_reasons"]) == result["risk_score"]
    assert all(entry["points"] and entry["reason"] for entry in result["risk_reasons"])
