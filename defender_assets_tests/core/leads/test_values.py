import pytest

from defender_assets.core.leads import LEAD_SCHEMA
from defender_assets_tests.support.alert_rows import (
    ALERT,
    EVE,
    TENANT,
    Records,
    Row,
    at,
    evidence,
    info,
    lead_of,
    leads_of,
    leads_of_each,
    machine,
    only,
)

CASES: dict[str, tuple[Records, Row]] = {
    "the newest AlertInfo gives the values": (
        Records(
            [
                info(Timestamp=at(1), Title="new", Severity="High"),
                info(Title="old"),
                info(Timestamp=at(-1), Title="older"),
            ]
        ),
        {"title": "new", "severity": "High", "alert_time": at(-1)},
    ),
    "at equal times the higher record_id wins": (
        Records([info(Title=name, ours={"record_id": name}) for name in ("b", "c", "a")]),
        {"title": "c"},
    ),
    "the newest evidence fills nulls of AlertInfo": (
        Records(
            [info(Title=None, Category=None, Severity=None, DetectionSource=None)],
            [
                machine(Timestamp=at(-1), Title="old", Severity="Low"),
                machine(Title="new", Categories=["Malware", "Execution"], DetectionSource="Antivirus"),
            ],
        ),
        {"title": "new", "severity": "Low", "category": "Malware", "detection_source": "Antivirus"},
    ),
    "evidence alone makes a whole lead": (
        Records(
            [],
            [
                machine(
                    Title="t",
                    Severity="High",
                    ServiceSource="Microsoft Defender for Identity",
                    Categories=["Discovery"],
                )
            ],
        ),
        {"title": "t", "severity": "High", "product": "identity", "category": "Discovery"},
    ),
    "techniques of all records are merged": (
        Records(
            [info(AttackTechniques=["A (T2)", "A (T1002)"]), info(Timestamp=at(1))],
            [machine(AttackTechniques=["B (T1001)"])],
        ),
        {"attack_techniques": ["T1001", "T1002"]},
    ),
}


def test_the_values_of_a_lead_come_from_its_records(subtests: pytest.Subtests) -> None:
    records = [records for records, _ in CASES.values()]
    for (name, (_, expected)), leads in zip(CASES.items(), leads_of_each(records), strict=True):
        with subtests.test(name):
            lead = only(leads)
            assert {column: lead[column] for column in expected} == expected


TECHNIQUES: list[tuple[list[str | None] | None, list[str]]] = [
    (["PowerShell (T1059.001)"], ["T1059.001"]),
    (["Portable (PE) Injection (T1055.002)", "Name(t1003)"], ["T1003", "T1055.002"]),
    (["Odd (T1001) name (T1002)"], ["T1002"]),
    (["T1078"], ["T1078"]),
    (["A (T1055)", "B (T1055)"], ["T1055"]),
    (["Nothing here", "Not a technique (beta)", "", None], []),
    ([], []),
    (None, []),
]


def test_techniques_are_the_ids_in_the_last_parentheses(subtests: pytest.Subtests) -> None:
    found = leads_of_each(Records([info(AttackTechniques=items)]) for items, _ in TECHNIQUES)
    for (items, expected), leads in zip(TECHNIQUES, found, strict=True):
        with subtests.test(items=items):
            assert only(leads)["attack_techniques"] == expected


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
