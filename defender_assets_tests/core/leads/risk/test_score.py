"""Which values earn points, that points add up, and that more urgent values never count less."""

from collections.abc import Iterable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defender_assets.core.leads import ALERT_LOOKBACK_DAYS
from defender_assets.core.leads.entities.lists import ENTITY_LISTS
from defender_assets.core.leads.risk.score import RISK_FACTORS, with_score
from defender_assets.core.leads.risk.weights import RISING, packaged_weights

ACCOUNTS = next(listed.dtype for listed in ENTITY_LISTS if listed.name == "accounts")
SCHEMA = {
    "severity": pl.String(),
    "category": pl.String(),
    "attack_techniques": pl.List(pl.String()),
    "verdict": pl.String(),
    "remediation_state": pl.String(),
    "asset_value": pl.String(),
    "exposure_level": pl.String(),
    "is_internet_facing": pl.Boolean(),
    "sensor_health_state": pl.String(),
    "device_tags": pl.List(pl.String()),
    "device_count": pl.Int64(),
    "evidence_count": pl.Int64(),
    "accounts": ACCOUNTS,
    "detection_alerts": pl.Int64(),
    "rarest_alerts": pl.Int64(),
    "rarest": pl.String(),
}
Lead = dict[str, Any]
PLAIN: Lead = dict.fromkeys(SCHEMA, None) | {"severity": "Low", "attack_techniques": [], "accounts": []}


def scores(*leads: Lead) -> list[Lead]:
    rows = pl.DataFrame([PLAIN | lead for lead in leads], schema=SCHEMA, orient="row")
    return with_score(rows, packaged_weights()).to_dicts()


def scored(**columns: Any) -> Lead:
    return scores(columns)[0]


def account(**fields: str) -> list[dict[str, str | None]]:
    return [dict.fromkeys(("name", "domain", "upn", "sid", "object_id", "role"), None) | fields]


def added_by_each(cases: Iterable[Lead], **columns: Any) -> list[int]:
    """Return the points that the columns of each case add to a lead."""
    plain, *found = scores(columns, *(columns | case for case in cases))
    return [int(lead["risk_score"]) - int(plain["risk_score"]) for lead in found]


URGENT: list[Lead] = [
    {"severity": "High"},
    {"category": "Ransomware"},
    {"category": "Credential Access"},
    {"attack_techniques": ["T1566", "T1003"]},
    {"attack_techniques": ["T1003.001"]},
    {"verdict": "Malicious"},
    {"remediation_state": "Active"},
    {"asset_value": "High"},
    {"exposure_level": "High"},
    {"is_internet_facing": True},
    {"sensor_health_state": "Inactive"},
    {"device_tags": ["lab", "Tier 0"]},
    {"device_count": 2},
    {"evidence_count": 10},
    {"accounts": account(name="Administrator")},
    {"accounts": account(upn="adm.jane@contoso.com")},
    {"accounts": account(name="x", sid="S-1-5-21-1-2-3-500")},
    {"detection_alerts": 0},
    {"rarest_alerts": 0, "rarest": "file f"},
]


def test_urgent_values_add_points(subtests: pytest.Subtests) -> None:
    for columns, added in zip(URGENT, added_by_each(URGENT), strict=True):
        with subtests.test(columns=columns):
            assert added > 0


LESS_URGENT: list[Lead] = [
    {"remediation_state": "Prevented"},
    {"remediation_state": "Remediated"},
    {"verdict": "NoThreatsFound"},
    {"asset_value": "Low"},
    {"detection_alerts": 20},
    {"rarest_alerts": 20},
]


def test_less_urgent_values_subtract_points(subtests: pytest.Subtests) -> None:
    for columns, added in zip(LESS_URGENT, added_by_each(LESS_URGENT, severity="High"), strict=True):
        with subtests.test(columns=columns):
            assert added < 0


ORDINARY: list[Lead] = [
    {"category": "NeverSeenBefore"},
    {"attack_techniques": ["T1566.001"]},
    {"asset_value": "Normal"},
    {"is_internet_facing": False},
    {"sensor_health_state": "Active"},
    {"device_tags": ["lab"]},
    {"device_tags": []},
    {"device_count": 1},
    {"accounts": account(name="jane", sid="S-1-5-21-1-2-3-1500")},
    {"detection_alerts": 19},
    {"rarest_alerts": 1},
]


def test_ordinary_values_add_nothing(subtests: pytest.Subtests) -> None:
    for columns, added in zip(ORDINARY, added_by_each(ORDINARY), strict=True):
        with subtests.test(columns=columns):
            assert added == 0


def test_an_unknown_severity_still_counts() -> None:
    assert scored(severity=None)["risk_score"] > 0
    assert scored(severity=None)["risk_reasons"][0]["reason"] == "Microsoft rates the alert unknown"


def test_reasons_are_sentences_with_the_value() -> None:
    lead = scored(
        severity="High",
        attack_techniques=["T1055.002", "T1003.001", "T1558"],
        device_tags=["lab", "VIP", "Crown-Jewel"],
        device_count=3,
        accounts=account(name="jane") + account(upn="root@contoso.com", name="root"),
        detection_alerts=0,
        rarest_alerts=120,
        rarest="host evil.example",
    )
    assert [(entry["reason"], entry["points"]) for entry in lead["risk_reasons"]] == [
        ("Microsoft rates the alert High", 50),
        ("A telling technique of ATT&CK: T1003.001", 6),
        ("The device is tagged Crown-Jewel", 6),
        ("The alert names 3 devices", 6),
        ("A privileged-looking account is involved: root@contoso.com", 8),
        ("This detection has not fired before in the last 30 days", 5),
        ("Even the rarest of what it names is in 120 other alerts of the last 30 days", -3),
    ]
    rare = scored(detection_alerts=25, rarest_alerts=0, rarest="host evil.example")["risk_reasons"][1:]
    assert [(entry["reason"], entry["points"]) for entry in rare] == [
        ("25 other alerts of this detection in the last 30 days", -4),
        ("No other alert of the last 30 days names its host evil.example", 2),
    ]


def test_the_reasons_name_the_length_of_the_look_back() -> None:
    texts = [factor.text for factor in RISK_FACTORS if "days" in factor.text]
    assert len(texts) == 2
    assert all(f"{ALERT_LOOKBACK_DAYS} days" in text for text in texts)


def test_sections_of_the_weights_and_risk_factors_match() -> None:
    assert [factor.section for factor in RISK_FACTORS] == list(packaged_weights())


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


_SECTIONS = {
    "severity": "severity",
    "category": "category",
    "verdict": "verdict",
    "remediation_state": "remediation",
    "asset_value": "asset_value",
    "exposure_level": "exposure",
    "sensor_health_state": "sensor_health",
}


def _values(column: str) -> st.SearchStrategy[str | None]:
    known = list(packaged_weights()[_SECTIONS[column]])
    return st.sampled_from([None, "", "Unheard of", *known, *(value.title() for value in known)])


_NUMBERS = st.one_of(st.none(), st.integers(0, 200))
_LEADS = st.fixed_dictionaries(
    {
        **{column: _values(column) for column in _SECTIONS},
        "is_internet_facing": st.sampled_from([None, True, False]),
        "attack_techniques": st.lists(st.sampled_from(["T1003", "T1003.001", "T1486", "T1566", "T1055.002"])),
        "device_tags": st.one_of(st.none(), st.lists(st.sampled_from(["VIP", "lab", "Tier 0", "critical"]))),
        "accounts": st.sampled_from([[], account(name="jane"), account(name="admin")]),
        **dict.fromkeys(("device_count", "evidence_count", "detection_alerts", "rarest_alerts"), _NUMBERS),
        "rarest": st.just("file f"),
    }
)


@settings(max_examples=20)
@given(st.lists(_LEADS, min_size=1, max_size=20))
def test_the_reasons_always_add_up(leads: list[Lead]) -> None:
    for result in scores(*leads):
        assert 0 <= result["risk_score"] <= 100
        assert sum(entry["points"] for entry in result["risk_reasons"]) == result["risk_score"]
        assert all(entry["points"] and entry["reason"] for entry in result["risk_reasons"])


_STEPS: dict[str, list[Any]] = {
    **{name: list(RISING[section]) for name, section in _SECTIONS.items() if section in RISING},
    "is_internet_facing": [None, False, True],
    "attack_techniques": [[], ["T1566"], ["T1566", "T1055"], ["T1566", "T1055", "T1486"]],
    "device_tags": [None, [], ["lab"], ["lab", "VIP"], ["lab", "VIP", "Tier 0"]],
    "accounts": [[], account(name="jane"), account(name="jane") + account(name="admin")],
    "device_count": [0, 1, 2, 4, 5, 50],
    "evidence_count": [0, 9, 10, 49, 50, 500],
    "detection_alerts": [500, 100, 99, 20, 19, 1, 0],
    "rarest_alerts": [500, 100, 99, 20, 19, 1, 0],
}
"""The values of a column, from the least to the most urgent."""


@settings(max_examples=8)
@given(lead=_LEADS)
def test_more_urgent_values_never_count_less(lead: Lead) -> None:
    cases = [(column, lead | {column: step}) for column, steps in _STEPS.items() for step in steps]
    found: dict[str, list[int]] = {column: [] for column in _STEPS}
    for (column, _), result in zip(cases, scores(*(case for _, case in cases)), strict=True):
        found[column].append(result["risk_score"])
    assert {column: points for column, points in found.items() if points != sorted(points)} == {}


WORDS: list[tuple[Lead, Lead]] = [
    ({"category": "DefenseImpairment"}, {"category": "DefenseEvasion"}),
    ({"category": "Stealth"}, {"category": "Defence evasion"}),
    ({"category": "defense-impairment"}, {"category": "Defense Evasion"}),
    ({"attack_techniques": ["T1685.001"]}, {"attack_techniques": ["T1562.002"]}),
    ({"attack_techniques": ["T1685"]}, {"attack_techniques": ["T1562"]}),
    ({"attack_techniques": ["T1686.003"]}, {"attack_techniques": ["T1562.004"]}),
    ({"attack_techniques": ["T1685.005"]}, {"attack_techniques": ["T1070.001"]}),
]


def test_words_of_attack_19_count_as_those_of_18(subtests: pytest.Subtests) -> None:
    of_newer, of_older = (added_by_each(cases) for cases in zip(*WORDS, strict=True))
    for (newer, _), one, other in zip(WORDS, of_newer, of_older, strict=True):
        with subtests.test(newer=newer):
            assert one == other


def test_of_entries_with_as_many_points_the_first_one_counts() -> None:
    names = [["bob", "admin-b", "admin-a"], ["admin-a", "admin-b", "bob"], ["admin-a", "admin-a2"]]
    leads = scores(*({"accounts": [{"name": name} for name in listed]} for listed in names))
    first = [[reason["reason"] for reason in lead["risk_reasons"] if "account" in reason["reason"]] for lead in leads]
    assert [texts[0].rpartition(" ")[2] for texts in first] == ["admin-b", "admin-a", "admin-a"]


def test_a_line_for_the_newer_word_counts_before_that_of_the_older_one() -> None:
    category = {"defenseevasion": 20, "stealth": 3}
    weights = {**packaged_weights(), "category": category, "technique": {"t1562.002": 9, "t1562": 6, "t1688": 1}}

    def points(**columns: Any) -> int:
        row = pl.DataFrame([PLAIN | {"severity": "Severe"} | columns], schema=SCHEMA, orient="row")
        return int(with_score(row, weights)["risk_score"].item()) - 12

    assert [points(category=name) for name in ("DefenseImpairment", "Stealth", "DefenceEvasion")] == [20, 3, 20]
    numbers = ("T1685.001", "T1562.002", "T1685.002", "T1688", "T1687")
    assert [points(attack_techniques=[number]) for number in numbers] == [9, 9, 6, 1, 0]
