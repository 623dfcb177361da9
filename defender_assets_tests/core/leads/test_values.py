import pytest

from defender_assets.core.leads import LEAD_COLUMNS, LEAD_SCHEMA
from defender_assets_tests.support.alert_rows import (
    ALERT,
    EVE,
    TENANT,
    Row,
    at,
    evidence,
    info,
    lead_of,
    leads_of,
    machine,
)


def test_the_newest_alert_info_gives_the_values() -> None:
    rows = [
        info(Timestamp=at(1), Title="new", Severity="High"),
        info(Title="old"),
        info(Timestamp=at(-1), Title="older"),
    ]
    lead = lead_of(rows)
    assert (lead["title"], lead["severity"], lead["alert_time"]) == ("new", "High", at(-1))


def test_at_equal_times_the_higher_record_id_wins() -> None:
    rows = [info(Title=name, ours={"record_id": name}) for name in ("b", "c", "a")]
    assert lead_of(rows)["title"] == "c"


def test_the_newest_evidence_fills_nulls_of_alert_info() -> None:
    lead = lead_of(
        [info(Title=None, Category=None, Severity=None, DetectionSource=None)],
        [
            machine(Timestamp=at(-1), Title="old", Severity="Low"),
            machine(Title="new", Categories=["Malware", "Execution"], DetectionSource="Antivirus"),
        ],
    )
    assert (lead["title"], lead["severity"]) == ("new", "Low")
    assert (lead["category"], lead["detection_source"]) == ("Malware", "Antivirus")


def test_evidence_alone_makes_a_whole_lead() -> None:
    row = machine(Title="t", Severity="High", ServiceSource="Microsoft Defender for Identity", Categories=["Discovery"])
    lead = lead_of([], [row])
    assert (lead["title"], lead["severity"], lead["product"], lead["category"]) == (
        "t",
        "High",
        "identity",
        "Discovery",
    )


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["PowerShell (T1059.001)"], ["T1059.001"]),
        (["Portable (PE) Injection (T1055.002)", "Name(t1003)"], ["T1003", "T1055.002"]),
        (["Odd (T1001) name (T1002)"], ["T1002"]),
        (["T1078"], ["T1078"]),
        (["A (T1055)", "B (T1055)"], ["T1055"]),
        (["Nothing here", "Not a technique (beta)", "", None], []),
        ([], []),
        (None, []),
    ],
)
def test_techniques_are_the_ids_in_the_last_parentheses(items: list[str] | None, expected: list[str]) -> None:
    assert lead_of([info(AttackTechniques=items)])["attack_techniques"] == expected


def test_techniques_of_all_records_are_merged() -> None:
    lead = lead_of(
        [info(AttackTechniques=["A (T2)", "A (T1002)"]), info(Timestamp=at(1))],
        [machine(AttackTechniques=["B (T1001)"])],
    )
    assert lead["attack_techniques"] == ["T1001", "T1002"]


def test_times_of_writing_and_sources_are_kept() -> None:
    rows: list[Row] = [
        info(ours={"exported_at": at(2), "blob": "b", "byte_offset": 5}),
        info(Title="x", day=EVE, ours={"exported_at": at(1), "blob": "b", "byte_offset": 3}),
    ]
    lead = lead_of(rows, [machine(ours={"exported_at": at(3), "blob": "a", "byte_offset": 9})])
    assert (lead["first_seen_at"], lead["last_updated_at"]) == (at(1), at(3))
    assert [tuple(source.values()) for source in lead["sources"]] == [
        ("microsoft_365_defender_alert_evidence", "a", 9),
        ("microsoft_365_defender_alert_info", "b", 3),
        ("microsoft_365_defender_alert_info", "b", 5),
    ]


def test_records_of_one_wrapped_line_are_one_source() -> None:
    place = {"blob": "b", "byte_offset": 1}
    lead = lead_of([], [machine(ours=place), evidence("User", AccountName="x", ours=place)])
    assert (lead["evidence_count"], len(lead["sources"])) == (2, 1)


def test_a_lead_links_to_the_portal() -> None:
    assert lead_of([info()])["portal_url"] == f"https://security.microsoft.com/alerts/{ALERT}?tid={TENANT}"


def test_records_of_nothing_but_nulls_are_a_lead_too() -> None:
    empty: Row = dict.fromkeys(("Title", "Category", "Severity", "ServiceSource", "DetectionSource"))
    lead = lead_of([info("zz", **empty)], [evidence(None, "zz")])
    assert (lead["title"], lead["severity"], lead["product"], lead["device_match"]) == (
        None,
        None,
        "other",
        "no_device",
    )
    assert lead["entities"] == []
    assert sum(reason["points"] for reason in lead["risk_reasons"]) == lead["risk_score"]


def test_no_records_are_no_leads_in_the_right_schema() -> None:
    assert leads_of().schema == LEAD_SCHEMA
    assert leads_of().is_empty()


def test_leads_come_in_the_order_of_their_ids_in_the_right_schema() -> None:
    leads = leads_of([info(f"da{n}_1") for n in range(20)])
    assert leads.schema == LEAD_SCHEMA
    assert leads["lead_id"].to_list() == sorted(leads["lead_id"])


def test_every_column_has_a_meaning() -> None:
    assert all(column.meaning for column in LEAD_COLUMNS)
    assert len(LEAD_SCHEMA) == len(LEAD_COLUMNS)


def test_an_alert_of_2021_with_33_columns_becomes_a_lead() -> None:
    """The shape of the published records: a Machine row with a name, info with two techniques, nothing else filled."""
    alert, device = "da637000000000000000_-1", "1" * 40
    lead = lead_of(
        [
            info(
                alert,
                Title="Suspicious process injection observed",
                Category="DefenseEvasion",
                AttackTechniques=["Process Injection (T1055)", "Portable Executable Injection (T1055.002)"],
            )
        ],
        [
            machine(
                device,
                alert,
                DeviceName="win-test",
                ServiceSource="Microsoft Defender for Endpoint",
                fields={
                    "$id": "1",
                    "HostName": "win-test",
                    "IsDomainJoined": False,
                    "Type": "host",
                    "MachineId": device,
                    "MachineIdType": 3,
                    "IsIoc": False,
                },
            )
        ],
    )
    assert (lead["product"], lead["device_match"], lead["device_name"]) == ("endpoint", "unknown", "win-test")
    assert (lead["attack_techniques"], lead["evidence_count"]) == (["T1055", "T1055.002"], 1)
