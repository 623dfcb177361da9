"""How common a lead's detection and entities are in its tenant's look-back."""

from datetime import timedelta
from typing import Any

import pytest

from defender_assets_tests.support.alert_rows import DAY, OTHER_TENANT, Row, evidence, info, lead_of, leads_of

WEEK_AGO, LONG_AGO = DAY - timedelta(days=7), DAY - timedelta(days=30)
SHA256 = "b" * 64
NEVER = "This detection has not fired before in the last 30 days"


def others(count: int, **microsoft: Any) -> list[Row]:
    """AlertInfo of other alerts, by default of another detection."""
    day, title = microsoft.pop("day", WEEK_AGO), microsoft.pop("Title", "another")
    return [info(f"da{n}", day=day, Title=title, **microsoft) for n in range(count)]


def reasons(infos: list[Row], evidences: list[Row] | None = None) -> list[str]:
    lead = lead_of([info(Title="ours"), *infos], evidences or [])
    return [entry["reason"] for entry in lead["risk_reasons"]]


def test_a_first_detection_gives_a_reason_once_the_tenant_is_known() -> None:
    assert NEVER in reasons(others(1))
    assert NEVER not in reasons(others(1, day=WEEK_AGO + timedelta(days=1)))
    assert NEVER not in reasons(others(1, tenant=OTHER_TENANT))


def test_a_detection_is_counted_in_its_tenant_by_alerts() -> None:
    twice = [*others(20, Title="ours"), *others(20, Title="ours", day=LONG_AGO)]
    assert "20 other alerts of this detection in the last 30 days" in reasons(twice)
    assert NEVER in reasons([*others(20, Title="ours", tenant=OTHER_TENANT), *others(1)])


def test_alerts_before_the_look_back_do_not_count() -> None:
    assert NEVER in reasons([*others(20, Title="ours", day=LONG_AGO - timedelta(days=1)), *others(1)])


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"SHA256": SHA256}, {"SHA256": SHA256.upper()}, f"file {SHA256}"),
        ({"RemoteIP": "203.0.113.9"}, {"RemoteIP": "::ffff:203.0.113.9"}, "address 203.0.113.9"),
        ({"RemoteUrl": "https://evil.example/a"}, {"RemoteUrl": "EVIL.example/b"}, "host evil.example"),
        ({"NetworkMessageId": "AB-1"}, {"NetworkMessageId": "ab-1"}, "mail ab-1"),
        ({"OAuthApplicationId": "AB-2"}, {"OAuthApplicationId": "ab-2"}, "app ab-2"),
    ],
)
def test_entities_are_counted_in_normal_form(ours: Row, theirs: Row, expected: str) -> None:
    named = evidence("File", **ours)
    elsewhere = [evidence("File", f"dx{n}", day=WEEK_AGO, **theirs) for n in range(20)]
    assert f"No other alert of the last 30 days names its {expected}" in reasons(others(1), [named])
    common = "Even the rarest of what it names is in 20 other alerts of the last 30 days"
    assert common in reasons(others(1), [named, *elsewhere])


def test_the_rarest_entity_counts() -> None:
    rows = [evidence("File", SHA256=SHA256), evidence("Ip", RemoteIP="203.0.113.9")]
    elsewhere = [evidence("File", f"dx{n}", SHA256=SHA256, day=WEEK_AGO) for n in range(30)]
    expected = reasons(others(1), [*rows, *elsewhere])
    assert "No other alert of the last 30 days names its address 203.0.113.9" in expected
    assert not any("rarest" in reason for reason in expected)


def test_leads_of_one_day_count_for_each_other() -> None:
    leads = leads_of([info(f"da{n}", Title="ours") for n in range(21)])
    assert {entry["reason"] for lead in leads.to_dicts() for entry in lead["risk_reasons"]} >= {
        "20 other alerts of this detection in the last 30 days"
    }


@pytest.mark.parametrize("spelling", ["ours\u200b", "\u00a0ours ", "OURS", "o\u2060urs"])
def test_titles_that_people_read_as_the_same_are_one_detection(spelling: str) -> None:
    assert "20 other alerts of this detection in the last 30 days" in reasons(others(20, Title=spelling))
