"""How common a lead's detection and entities are in its tenant's look-back."""

from datetime import timedelta
from typing import Any

import pytest

from defender_assets_tests.support.alert_rows import (
    DAY,
    OTHER_TENANT,
    Records,
    Row,
    evidence,
    info,
    leads_of,
    leads_of_each,
    only,
)

WEEK_AGO, LONG_AGO = DAY - timedelta(days=7), DAY - timedelta(days=30)
SHA256 = "b" * 64
NEVER = "This detection has not fired before in the last 30 days"


def others(count: int, **microsoft: Any) -> list[Row]:
    """AlertInfo of other alerts, by default of another detection."""
    day, title = microsoft.pop("day", WEEK_AGO), microsoft.pop("Title", "another")
    return [info(f"da{n}", day=day, Title=title, **microsoft) for n in range(count)]


def reasons_of_each(*cases: tuple[list[Row], list[Row]]) -> list[list[str]]:
    """Return the reasons of our alert, with the AlertInfo of others and the evidence of all, for each case."""
    built = leads_of_each(Records([info(Title="ours"), *infos], evidences) for infos, evidences in cases)
    return [[entry["reason"] for entry in only(leads)["risk_reasons"]] for leads in built]


def test_a_first_detection_gives_a_reason_once_the_tenant_is_known(subtests: pytest.Subtests) -> None:
    cases = {
        "known for a week": (others(1), True),
        "known for six days": (others(1, day=WEEK_AGO + timedelta(days=1)), False),
        "another tenant is known": (others(1, tenant=OTHER_TENANT), False),
    }
    found = reasons_of_each(*((infos, []) for infos, _ in cases.values()))
    for (name, (_, given)), reasons in zip(cases.items(), found, strict=True):
        with subtests.test(name):
            assert (NEVER in reasons) is given


def test_a_detection_is_counted_in_its_tenant_by_alerts_of_the_look_back(subtests: pytest.Subtests) -> None:
    before = LONG_AGO - timedelta(days=1)
    cases: dict[str, tuple[list[Row], str]] = {
        "by alerts": (
            [*others(20, Title="ours"), *others(20, Title="ours", day=LONG_AGO)],
            "20 other alerts of this detection in the last 30 days",
        ),
        "in its tenant": ([*others(20, Title="ours", tenant=OTHER_TENANT), *others(1)], NEVER),
        "not before the look-back": ([*others(20, Title="ours", day=before), *others(1)], NEVER),
    }
    found = reasons_of_each(*((infos, []) for infos, _ in cases.values()))
    for (name, (_, expected)), reasons in zip(cases.items(), found, strict=True):
        with subtests.test(name):
            assert expected in reasons


NORMAL: list[tuple[Row, Row, str]] = [
    ({"SHA256": SHA256}, {"SHA256": SHA256.upper()}, f"file {SHA256}"),
    ({"RemoteIP": "203.0.113.9"}, {"RemoteIP": "::ffff:203.0.113.9"}, "address 203.0.113.9"),
    ({"RemoteUrl": "https://evil.example/a"}, {"RemoteUrl": "EVIL.example/b"}, "host evil.example"),
    ({"NetworkMessageId": "AB-1"}, {"NetworkMessageId": "ab-1"}, "mail ab-1"),
    ({"OAuthApplicationId": "AB-2"}, {"OAuthApplicationId": "ab-2"}, "app ab-2"),
]


def test_entities_are_counted_in_normal_form(subtests: pytest.Subtests) -> None:
    elsewhere = [[evidence("File", f"dx{n}", day=WEEK_AGO, **theirs) for n in range(20)] for _, theirs, _ in NORMAL]
    alone = reasons_of_each(*((others(1), [evidence("File", **ours)]) for ours, _, _ in NORMAL))
    among_others = reasons_of_each(
        *((others(1), [evidence("File", **ours), *rows]) for (ours, _, _), rows in zip(NORMAL, elsewhere, strict=True))
    )
    for (_, _, name), rare, common in zip(NORMAL, alone, among_others, strict=True):
        with subtests.test("in no other alert", name=name):
            assert f"No other alert of the last 30 days names its {name}" in rare
        with subtests.test("in 20 other alerts", name=name):
            assert "Even the rarest of what it names is in 20 other alerts of the last 30 days" in common


def test_the_rarest_entity_counts() -> None:
    rows = [evidence("File", SHA256=SHA256), evidence("Ip", RemoteIP="203.0.113.9")]
    elsewhere = [evidence("File", f"dx{n}", SHA256=SHA256, day=WEEK_AGO) for n in range(30)]
    (expected,) = reasons_of_each((others(1), [*rows, *elsewhere]))
    assert "No other alert of the last 30 days names its address 203.0.113.9" in expected
    assert not any("rarest" in reason for reason in expected)


def test_leads_of_one_day_count_for_each_other() -> None:
    leads = leads_of([info(f"da{n}", Title="ours") for n in range(21)])
    assert {entry["reason"] for lead in leads.to_dicts() for entry in lead["risk_reasons"]} >= {
        "20 other alerts of this detection in the last 30 days"
    }


def test_titles_that_people_read_as_the_same_are_one_detection(subtests: pytest.Subtests) -> None:
    spellings = ["ours\u200b", "\u00a0ours ", "OURS", "o\u2060urs"]
    found = reasons_of_each(*((others(20, Title=spelling), []) for spelling in spellings))
    for spelling, reasons in zip(spellings, found, strict=True):
        with subtests.test(spelling=spelling):
            assert "20 other alerts of this detection in the last 30 days" in reasons
