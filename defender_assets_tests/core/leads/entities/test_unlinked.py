"""What everybody has links nothing; what is specific still links."""

from typing import Any

import pytest

from defender_assets.core.leads.entities.unlinked import PREVALENT_FROM
from defender_assets_tests.support.alert_rows import (
    ALERT,
    OTHER_TENANT,
    PC,
    Row,
    described,
    evidence,
    links_of_each,
)

FILE = "c" * 64
NULL_ID = "00000000-0000-0000-0000-000000000000"
SUBSCRIPTION = "/subscriptions/5"


def links(*rows: Row) -> set[tuple[str, str]]:
    return links_of_each([rows])[0]


def session(**fields: Any) -> Row:
    return evidence("HostLogonSession", fields={"Type": "host-logon-session", **fields})


STARTED = "2026-03-10T09:00:00Z"
IMAGE = {"Name": "a.exe", "FileHashes": [{"Algorithm": "SHA256", "Value": FILE}]}


EVERYBODYS = [
    session(SessionId="0x3e7", StartTimeUtc=STARTED, Host={"MachineId": PC}),
    session(SessionId="996", StartTimeUtc=STARTED, Host={"MachineId": PC}),
    session(SessionId="0x000003E5", StartTimeUtc=STARTED, Host={"MachineId": PC}),
    session(SessionId="0x1a2b", StartTimeUtc=STARTED),
    session(SessionId="0x1a2b", Host={"MachineId": PC}),
    evidence("Ip", RemoteIP="168.63.129.16"),
    evidence("Ip", RemoteIP="::ffff:168.63.129.16"),
    evidence("Url", RemoteUrl="http://168.63.129.16/machine"),
    evidence("Ip", RemoteIP="169.254.169.254"),
    evidence("Ip", RemoteIP="8.8.8.8"),
    evidence("Ip", RemoteIP="2606:4700:4700:0::1111"),
    evidence("Url", RemoteUrl="http://metadata.google.internal/x"),
    evidence("Url", RemoteUrl="https://bit.ly/x"),
    evidence("Process", fields={"ImageFile": IMAGE | {"KnownPrevalence": PREVALENT_FROM}}),
    evidence("File", fields=IMAGE | {"GlobalPrevalence": "151790"}),
    evidence("File", SHA256=FILE, fields={"IsPrevalent": True}),
    evidence("File", SHA1="DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"),
    evidence("CloudApplication", ApplicationId=11114, fields={"SaasId": 11114, "AppId": 11114}),
    evidence("OAuthApplication", OAuthApplicationId="00000003-0000-0000-C000-000000000000"),
    evidence("ServicePrincipal", fields={"AppId": "04b07795-8ddb-461a-bbee-02f9e1bf7b46"}),
    evidence("ServicePrincipal", fields={"AppId": "ab-1", "AppOwnerTenantId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a"}),
    evidence("AzureResource", fields={"ResourceId": SUBSCRIPTION}),
    evidence("AzureResource", fields={"ResourceId": f"{SUBSCRIPTION}/resourceGroups/rg"}),
    evidence("AmazonResource", fields={"AmazonResourceId": "arn:aws:iam::123456789012:root"}),
    evidence("ContainerImage", fields={"ImageId": "docker.example/base:1"}),
    evidence("RegistryValue", RegistryKey="HKLM\\Run", RegistryValueName="x"),
    evidence("SecurityGroup", fields={"DistinguishedName": "CN=x", "Sid": "S-1-5-21-1-2-3-1105"}),
    evidence("QuantumWidget", fields={"Name": "qw-7", "Address": "203.0.113.7", "IpAddress": "203.0.113.8"}),
    evidence("MailMessage", NetworkMessageId=NULL_ID, fields={"Sender": "unknown", "Recipient": "N/A"}),
    evidence("User", AccountObjectId=NULL_ID, AccountUpn="N/A", AccountSid="S-1-0-0"),
]


def test_what_everybody_has_links_nothing(subtests: pytest.Subtests) -> None:
    for row, found in zip(EVERYBODYS, links_of_each([row] for row in EVERYBODYS), strict=True):
        with subtests.test(described(row)):
            assert found == set()


HASH = "d" * 64
SYSTEM32 = "C:\\Windows\\System32"


def image(name: str, folder: str | None, alert: str = ALERT, **columns: Any) -> Row:
    return evidence("Process", alert, FileName=name, FolderPath=folder, **({"SHA256": HASH} | columns))


IMAGES = [
    image("cmd.exe", SYSTEM32),
    image("CMD.EXE", "c:\\windows\\syswow64\\"),
    image("powershell.exe", f"{SYSTEM32}\\WindowsPowerShell\\v1.0"),
    image("rundll32.exe", f"{SYSTEM32}\\rundll32.exe"),
    image("rundll32.exe", "\\Device\\HarddiskVolume3\\Windows\\System32"),
    image("wmic.exe", "%SystemRoot%\\System32\\wbem"),
    image("wscript.exe", "\\\\?\\C:\\Windows\\System32"),
    image("pwsh.exe", "C:\\Program Files\\PowerShell\\7"),
    image("python3", "/usr/bin"),
]


def test_a_program_of_the_system_links_nothing_whatever_its_copy_is_called(subtests: pytest.Subtests) -> None:
    copies = [image("update.exe", "C:\\Users\\Public"), image("ps.exe", "D:\\Tools"), image("cmd.exe", None)]
    cases = [[row | {"AlertId": "da-other"}, copy] for row in IMAGES for copy in copies]
    for (own, copy), found in zip(cases, links_of_each(cases), strict=True):
        with subtests.test(described(own), copy=described(copy)):
            assert found == set()
    with subtests.test("a SHA-1 alone"):
        own = image("cmd.exe", SYSTEM32, "da-other", SHA256=None, SHA1="E" * 40)
        assert links(own, image("x.exe", "C:\\Temp", SHA256=None, SHA1="e" * 40)) == set()


def test_a_file_of_an_attacker_that_is_called_like_the_system_links(subtests: pytest.Subtests) -> None:
    """A name alone proves nothing, and neither does a folder in which anything can be."""
    dyes = f"{SYSTEM32}\\spool\\drivers\\color"
    folders = ("C:\\Windows\\Temp", "C:\\Windows", dyes, "C:\\Users\\Public", "/tmp", None)  # noqa: S108
    copy = image("x.exe", "C:\\Temp")
    cases = [[image("cmd.exe", folder, "da-other"), copy] for folder in folders]
    cases += [[image("cmd.exe", SYSTEM32, "da-other", tenant=OTHER_TENANT), copy]]
    cases += [[image("locker.exe", SYSTEM32, "da-other"), copy]]
    for (other, _), found in zip(cases, links_of_each(cases), strict=True):
        with subtests.test(described(other)):
            assert found == {("file", HASH)}


SYSTEM_ACCOUNTS = [
    ("NT-AUTORIT\u00c4T", "SYSTEM"),
    ("NT-Autorita\u0308t", "LOKALER DIENST"),
    ("AUTORITE NT", "Syst\u00e8me"),
    ("AUTORIDADE NT", "SERVI\u00c7O DE REDE"),
    ("ZARZ\u0104DZANIE NT", "US\u0141UGA LOKALNA"),
    ("NT INSTANS", "N\u00c4TVERKSTJ\u00c4NST"),
    ("PC1", "\u0421\u0418\u0421\u0422\u0415\u041c\u0410"),
    ("PC1", "J\u00c4RJESTELM\u00c4"),
    ("PC1", "H\u00c1L\u00d3ZATI SZOLG\u00c1LTAT\u00c1S"),
    ("PC1", "S\u00cd\u0164OV\u00c1 SLU\u017dBA"),
    ("PC1", "SERVIZIO DI RETE"),
    ("PC1", "Servicio de red"),
    ("VORDEFINIERT", "Administratoren"),
    ("Window Manager", "DWM-3"),
    ("PC1", "UMFD-0"),
    ("NT\u00a0AUTHORITY", "SYS\u200bTEM"),
]


def test_the_system_is_nobody_in_any_language(subtests: pytest.Subtests) -> None:
    rows = [evidence("User", AccountDomain=domain, AccountName=name) for domain, name in SYSTEM_ACCOUNTS]
    for (domain, name), found in zip(SYSTEM_ACCOUNTS, links_of_each([row] for row in rows), strict=True):
        with subtests.test(domain=domain, name=name):
            assert found == set()


def test_built_in_groups_and_machines_are_nobody() -> None:
    rows = [
        evidence("User", AccountSid="S-1-5-21-1-2-3-513", AccountDomain="CONTOSO", AccountName="Domain Users"),
        evidence("User", AccountSid="S-1-5-32-544"),
        evidence("User", AccountDomain="CONTOSO", AccountName="PC1$"),
    ]
    assert links(*rows) == set()


SPECIFIC: list[tuple[Row, tuple[str, str]]] = [
    (
        session(SessionId="0x1A2B", StartTimeUtc=STARTED, Host={"MachineId": PC}),
        ("session", f"{PC}|6699|{STARTED}"),
    ),
    (
        session(SessionId="6699", StartTimeUtc=STARTED, Host={"HostName": "PC1", "DnsDomain": "corp.example"}),
        ("session", f"pc1.corp.example|6699|{STARTED}"),
    ),
    (evidence("File", SHA256=FILE, fields={"KnownPrevalence": 12}), ("file", FILE)),
    (evidence("ServicePrincipal", fields={"AppId": "AB-1"}), ("app", "ab-1")),
    (
        evidence("User", AccountDomain="CORP", AccountName="system", AccountUpn="system@corp.example"),
        ("user", "system@corp.example"),
    ),
    (evidence("User", AccountDomain="NT-PROD", AccountName="jane"), ("user", "nt-prod\\jane")),
    (
        evidence("AzureResource", fields={"ResourceId": f"{SUBSCRIPTION}/resourceGroups/rg/providers/x/vm"}),
        ("resource", f"{SUBSCRIPTION}/resourcegroups/rg/providers/x/vm"),
    ),
]


def test_what_is_specific_links(subtests: pytest.Subtests) -> None:
    for (row, expected), found in zip(SPECIFIC, links_of_each([row] for row, _ in SPECIFIC), strict=True):
        with subtests.test(described(row)):
            assert expected in found


def test_one_record_that_calls_a_file_prevalent_counts_for_all_of_the_alert() -> None:
    rows = [
        evidence("File", SHA256=FILE),
        evidence("Process", SHA256=FILE, fields={"ImageFile": {"KnownPrevalence": 99_999}}),
    ]
    assert links(*rows) == set()


TOOLS = [
    ("bash", "/usr/bin", False),
    ("sh", "/bin", False),
    ("cron", "/usr/sbin/", False),
    ("PowerShell.exe", "C:\\Windows\\System32", False),
    ("bash", "/opt/cache", True),
    ("bash", "/home/someone/bin", True),
    ("invoice", "/usr/bin", True),
    ("bash", None, True),
]


def test_a_tool_of_the_operating_system_links_nothing_in_its_usual_folder(subtests: pytest.Subtests) -> None:
    rows = [evidence("Process", SHA256=FILE, FileName=name, FolderPath=folder) for name, folder, _ in TOOLS]
    for (name, folder, expected), found in zip(TOOLS, links_of_each([row] for row in rows), strict=True):
        with subtests.test(name=name, folder=folder):
            assert (("file", FILE) in found) is expected
