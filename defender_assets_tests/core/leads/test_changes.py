import pytest

from defender_assets_tests.support.alert_rows import EVE, Records, at, beat, info, lead_of, leads_of_each, machine, only

TECHNIQUE = "x (T1059)"

CASES = {
    "a new alert has none": (Records([info()], [machine()]), []),
    "a raised severity": (
        Records([info(day=EVE, Severity="Low"), info(Timestamp=at(1), Severity="High")]),
        ["Severity raised from Low to High"],
    ),
    "a lowered severity": (
        Records([info(day=EVE, Severity="High"), info(Timestamp=at(1), Severity="Low")]),
        ["Severity lowered from High to Low"],
    ),
    "an older version that arrives late is none": (
        Records([info(day=EVE, Severity="Low"), info(Timestamp=at(-1), Severity="High")]),
        [],
    ),
    "evidence of the day is counted": (
        Records([info(day=EVE)], [machine(day=EVE), machine("c" * 40)]),
        ["1 evidence record added"],
    ),
    "new techniques, title and category": (
        Records(
            [
                info(day=EVE, Title="a", Category="Execution", AttackTechniques=[TECHNIQUE]),
                info(Timestamp=at(1), Title="b", Category="Impact", AttackTechniques=[TECHNIQUE, "y (T1486)"]),
            ]
        ),
        [
            "Title changed from “a” to “b”",
            "Category changed from “Execution” to “Impact”",
            "Techniques added: T1486",
        ],
    ),
    "a device that became known": (
        Records([info(day=EVE)], [machine(day=EVE)], [beat(when=at(-20))]),
        ["Its device became known"],
    ),
}


def test_a_lead_says_what_changed_in_its_alert(subtests: pytest.Subtests) -> None:
    records = [records for records, _ in CASES.values()]
    for (name, (_, changes)), leads in zip(CASES.items(), leads_of_each(records), strict=True):
        with subtests.test(name):
            assert only(leads)["changes"] == changes


def test_alert_info_after_its_evidence_is_the_first_change() -> None:
    assert lead_of([info()], [machine(day=EVE)])["changes"][0] == "Its AlertInfo arrived"
