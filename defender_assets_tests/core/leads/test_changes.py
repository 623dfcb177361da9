from defender_assets_tests.support.alert_rows import EVE, Row, at, beat, info, lead_of, machine


def changes(infos: list[Row], evidences: list[Row], beats: list[Row] | None = None) -> list[str]:
    found = lead_of(infos, evidences, beats or [])["changes"]
    assert isinstance(found, list)
    return found


def test_a_new_alert_has_no_changes() -> None:
    assert changes([info()], [machine()]) == []


def test_a_raised_or_lowered_severity_is_a_change() -> None:
    before = info(day=EVE, Severity="Low")
    assert changes([before, info(Timestamp=at(1), Severity="High")], []) == ["Severity raised from Low to High"]
    before = info(day=EVE, Severity="High")
    assert changes([before, info(Timestamp=at(1), Severity="Low")], []) == ["Severity lowered from High to Low"]


def test_an_older_version_that_arrives_late_is_no_change() -> None:
    assert changes([info(day=EVE, Severity="Low"), info(Timestamp=at(-1), Severity="High")], []) == []


def test_evidence_of_the_day_is_counted() -> None:
    assert changes([info(day=EVE)], [machine(day=EVE), machine("c" * 40)]) == ["1 evidence record added"]


def test_alert_info_after_its_evidence_is_a_change() -> None:
    found = changes([info()], [machine(day=EVE)])
    assert found[0] == "Its AlertInfo arrived"


def test_new_techniques_title_and_category_are_changes() -> None:
    before = info(day=EVE, Title="a", Category="Execution", AttackTechniques=["x (T1059)"])
    after = info(Timestamp=at(1), Title="b", Category="Impact", AttackTechniques=["x (T1059)", "y (T1486)"])
    assert changes([before, after], []) == [
        "Title changed from “a” to “b”",
        "Category changed from “Execution” to “Impact”",
        "Techniques added: T1486",
    ]


def test_a_device_that_became_known_is_a_change() -> None:
    found = changes([info(day=EVE)], [machine(day=EVE)], [beat(when=at(-20))])
    assert found == ["Its device became known"]
