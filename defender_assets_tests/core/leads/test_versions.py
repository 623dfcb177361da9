"""When the version of a lead changes, and when it stays the same."""

from datetime import date, timedelta
from typing import Any

import pytest

from defender_assets_tests.support.alert_rows import (
    DAY,
    EVE,
    PC,
    Row,
    at,
    beat,
    evidence,
    info,
    lead_of,
    leads_of,
    machine,
)

NEXT = DAY + timedelta(days=1)
TECHNIQUE = "Process Injection (T1055)"
INFO: Row = {"Title": "Title", "AttackTechniques": [TECHNIQUE]}
FILE: Row = {"FileName": "a.exe", "SHA256": "5" * 64}
USER: Row = {"AccountUpn": "jane@contoso.com", "AccountSid": "S-1-5-21-1"}


def alert(**changes: Any) -> tuple[list[Row], list[Row]]:
    """An alert with three pieces of evidence."""
    return [info(**INFO | changes)], [machine(**changes), evidence("File", **FILE), evidence("User", **USER)]


SAME = "a14bf80e19fe476f210e05cf658c8d92"
"""The version of `alert()`."""


def versions(*cases: tuple[list[Row], list[Row]], day: date = DAY) -> list[str]:
    """Return the version of each alert. All are built at once, in one tenant, because the version covers the tenant."""

    def of(number: int, rows: list[Row]) -> list[Row]:
        return [row | {"AlertId": f"da{number:02}", "record_id": f"{number}-{row['record_id']}"} for row in rows]

    infos = [row for number, (rows, _) in enumerate(cases) for row in of(number, rows)]
    evidences = [row for number, (_, rows) in enumerate(cases) for row in of(number, rows)]
    leads = leads_of(infos, evidences, day=day).sort("alert_id")
    assert leads.height == len(cases)
    return leads["lead_version"].to_list()


def test_it_is_32_hexadecimal_digits_and_never_changes_with_the_code() -> None:
    assert lead_of(*alert())["lead_version"] == SAME


def test_sending_an_alert_again_keeps_it(subtests: pytest.Subtests) -> None:
    for day in (DAY, NEXT):
        infos, evidences = alert()
        again: Row = {"day": day, "Timestamp": at(30)}
        infos.append(info(**INFO, **again))
        evidences += [machine(**again), evidence("User", **USER, **again, fields={"LastVerdict": "Malicious"})]
        with subtests.test(day=day):
            assert versions((infos, evidences), (infos[::-1], evidences[::-1] * 2), day=day) == [SAME, SAME]


def test_a_device_that_becomes_known_later_keeps_it() -> None:
    infos, evidences = ([row | {"export_date": EVE} for row in rows] for rows in alert())
    lead = lead_of(infos, evidences, [beat(PC, at(-1), DeviceName="pc1")])
    assert (lead["device_match"], lead["change"]) == ("as_of", "updated")
    assert lead["lead_version"] == SAME


def test_provenance_device_state_and_times_keep_it(subtests: pytest.Subtests) -> None:
    others: list[Row] = [
        {"ours": {"blob": "elsewhere", "exported_at": at(9)}},
        {"MachineGroup": "Servers"},
        {"Timestamp": at(-3)},
    ]
    for other, version in zip(others, versions(*(alert(**other) for other in others)), strict=True):
        with subtests.test(other=other):
            assert version == SAME


def test_another_title_severity_category_or_technique_changes_it(subtests: pytest.Subtests) -> None:
    others: list[Row] = [
        {"Title": "Another"},
        {"Severity": "High"},
        {"Category": "Impact"},
        {"AttackTechniques": [TECHNIQUE, "Masquerading (T1036)"]},
        {"AttackTechniques": None},
    ]
    _, evidences = alert()
    same, *changed = versions(alert(), *(([info(**INFO | other)], evidences) for other in others))
    for other, version in zip(others, changed, strict=True):
        with subtests.test(other=other):
            assert version != same


MORE: list[tuple[str, Row]] = [
    ("File", {"FileName": "b.exe"}),
    ("File", {"SHA256": "6" * 64}),
    ("File", {"SHA1": "6" * 40}),
    ("Ip", {"RemoteIP": "203.0.113.9"}),
    ("Ip", {"LocalIP": "10.0.0.1"}),
    ("Url", {"RemoteUrl": "https://evil.example/"}),
    ("User", {"AccountUpn": "joe@contoso.com"}),
    ("User", {"AccountObjectId": "3f2504e0"}),
    ("Machine", {"DeviceId": "e" * 40}),
    ("Machine", {"DeviceName": "srv1"}),
    ("MailMessage", {"NetworkMessageId": "m-1"}),
    ("CloudApplication", {"ApplicationId": 4712}),
    ("OAuthApplication", {"OAuthApplicationId": "ab-1"}),
    ("AzureResource", {"ResourceID": "/subscriptions/s/vm"}),
    ("RegistryKey", {"RegistryKey": "HKLM"}),
    ("RegistryValue", {"RegistryValueName": "x"}),
    ("SomethingNew", {}),
]


def test_a_further_piece_of_evidence_changes_it(subtests: pytest.Subtests) -> None:
    infos, evidences = alert()
    without = [evidences] + [[*evidences, evidence(kind)] for kind, _ in MORE]
    same, *of_kinds = versions(*((infos, rows) for rows in without))
    changed = versions(*((infos, [*evidences, evidence(kind, **columns)]) for kind, columns in MORE))
    for (kind, columns), of_kind, version in zip(MORE, of_kinds, changed, strict=True):
        with subtests.test(" ".join([kind, *columns])):
            assert version != same
            assert (version != of_kind) is bool(columns)


def test_values_never_run_into_one_another() -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("a:1", "bc"), ("-", "abc"), (None, "abc")]
    found = versions(*(([info()], [evidence("File", FileName=name, RemoteUrl=url)]) for name, url in pairs))
    assert len(set(found)) == len(pairs)


def test_evidence_without_alert_info_has_a_version() -> None:
    infos, evidences = alert()
    same, without_info = versions((infos, evidences), ([], evidences))
    assert without_info not in ("", "None", same)
