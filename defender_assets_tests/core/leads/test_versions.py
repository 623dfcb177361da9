"""When the version of a lead changes, and when it stays the same."""

from datetime import timedelta
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


def version(infos: list[Row], evidences: list[Row], beats: list[Row] | None = None, **more: Any) -> str:
    return str(lead_of(infos, evidences, beats or [], **more)["lead_version"])


SAME = version(*alert())


def test_it_is_32_hexadecimal_digits_and_never_changes_with_the_code() -> None:
    assert SAME == "a14bf80e19fe476f210e05cf658c8d92"


@pytest.mark.parametrize("day", [DAY, NEXT])
def test_sending_an_alert_again_keeps_it(day: Any) -> None:
    infos, evidences = alert()
    again = {"day": day, "Timestamp": at(30)}
    infos.append(info(**INFO, **again))
    evidences += [machine(**again), evidence("User", **USER, **again, fields={"LastVerdict": "Malicious"})]
    assert version(infos, evidences, day=day) == SAME
    assert version(infos[::-1], evidences[::-1] * 2, day=day) == SAME


def test_a_device_that_becomes_known_later_keeps_it() -> None:
    infos, evidences = ([row | {"export_date": EVE} for row in rows] for rows in alert())
    lead = lead_of(infos, evidences, [beat(PC, at(-1), DeviceName="pc1")])
    assert (lead["device_match"], lead["change"]) == ("as_of", "updated")
    assert lead["lead_version"] == SAME


@pytest.mark.parametrize(
    "other",
    [
        {"ours": {"blob": "elsewhere", "exported_at": at(9)}},
        {"MachineGroup": "Servers"},
        {"Timestamp": at(-3)},
    ],
)
def test_provenance_device_state_and_times_keep_it(other: Row) -> None:
    infos, evidences = alert(**other)
    assert version(infos, evidences) == SAME


@pytest.mark.parametrize(
    "other",
    [
        {"Title": "Another"},
        {"Severity": "High"},
        {"Category": "Impact"},
        {"AttackTechniques": [TECHNIQUE, "Masquerading (T1036)"]},
        {"AttackTechniques": None},
    ],
)
def test_another_title_severity_category_or_technique_changes_it(other: Row) -> None:
    _, evidences = alert()
    assert version([info(**INFO | other)], evidences) != SAME


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


@pytest.mark.parametrize(("kind", "columns"), MORE, ids=[" ".join([kind, *columns]) for kind, columns in MORE])
def test_a_further_piece_of_evidence_changes_it(kind: str, columns: Row) -> None:
    infos, evidences = alert()
    assert version(infos, [*evidences, evidence(kind, **columns)]) != SAME


def test_values_never_run_into_one_another() -> None:
    pairs = [("a", "bc"), ("ab", "c"), ("a:1", "bc"), ("-", "abc"), (None, "abc")]
    versions = [version([info()], [evidence("File", FileName=name, RemoteUrl=url)]) for name, url in pairs]
    assert len(set(versions)) == len(pairs)


def test_evidence_without_alert_info_has_a_version() -> None:
    _, evidences = alert()
    assert version([], evidences) not in ("", "None", SAME)
