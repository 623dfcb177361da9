from typing import Any

import pytest

from defender_assets.core.leads.entities.verdicts import verdicts
from defender_assets_tests.support.alert_rows import Row, at, entity_rows_of, evidence


def said(*rows: Row) -> tuple[str | None, str | None]:
    found = verdicts(entity_rows_of(*rows)[0])
    if found.is_empty():
        return None, None
    return found["verdict"].item(), found["remediation_state"].item()


def file(name: str, hours: float = 0, **fields: Any) -> Row:
    return evidence("File", FileName=name, Timestamp=at(hours), fields=fields)


def test_the_worst_entity_decides() -> None:
    rows = [
        file("a", LastVerdict="Suspicious", LastRemediationState="Prevented"),
        file("b", LastVerdict="Malicious", LastRemediationState="Remediated"),
        file("c", LastVerdict="NoThreatsFound", LastRemediationState="None"),
    ]
    assert said(*rows) == ("Malicious", "Remediated")


def test_the_newest_state_of_an_entity_counts() -> None:
    rows = [file("a", 0, LastVerdict="Malicious", LastRemediationState="Active"), file("a", 1, LastVerdict="Clean")]
    assert said(*rows) == ("Clean", "Active")


def test_an_entity_is_identified_by_microsofts_key_if_it_has_one() -> None:
    rows = [
        file("a", 0, MergeByKeyHex="K", LastVerdict="Malicious"),
        file("b", 1, MergeByKeyHex="k", LastVerdict="Clean"),
    ]
    assert said(*rows)[0] == "Clean"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"SuspicionLevel": "Suspicious", "DetectionStatus": "Blocked"}, ("Suspicious", "Blocked")),
        ({"LastVerdict": "Clean", "SuspicionLevel": "Malicious"}, ("Clean", None)),
        ({"LastRemediationState": "Active", "DetectionStatus": "Blocked"}, (None, "Active")),
    ],
)
def test_missing_states_are_taken_from_the_detection(fields: Row, expected: tuple[str | None, str | None]) -> None:
    assert said(file("a", **fields)) == expected


def test_an_unknown_state_ranks_above_those_that_need_no_work() -> None:
    assert (
        said(file("a", LastRemediationState="Brand New"), file("b", LastRemediationState="Remediated"))[1]
        == "Brand New"
    )


def test_without_evidence_there_is_no_verdict() -> None:
    assert said(file("a"), evidence("User", AccountName="x")) == (None, None)
