from typing import Any

import pytest

from defender_assets_tests.support.alert_rows import (
    OTHER_TENANT,
    PC,
    TENANT,
    Records,
    Row,
    at,
    beat,
    described,
    entities_of,
    evidence,
    lead_of,
    leads_of,
    leads_of_each,
    links_of_each,
    machine,
    only,
)

SHA1, SHA256 = "1" * 40, "2" * 64

NORMAL: list[tuple[Row, set[tuple[str, str]]]] = [
    (evidence("File", SHA256="C" * 64, SHA1="d" * 40), {("file", "c" * 64)}),
    (evidence("File", SHA1="D" * 40), {("file", "d" * 40)}),
    (evidence("Process", FileName="evil.exe", SHA256="c" * 64), {("file", "c" * 64)}),
    (
        evidence("Process", fields={"ImageFile": {"FileHashes": [{"Algorithm": "SHA256", "Value": "CC"}]}}),
        {("file", "cc")},
    ),
    (
        evidence("File", fields={"FileHashes": [{"Algorithm": "MD5", "Value": "AB"}]}),
        {("file", "ab")},
    ),
    (evidence("CloudLogonSession", fields={"SessionId": "S-1"}), {("session", "s-1")}),
    (evidence("CloudLogonRequest", fields={"RequestId": "R-1"}), {("session", "r-1")}),
    (evidence("AzureResource", ResourceID="/Subscriptions/S/VM/"), {("resource", "/subscriptions/s/vm")}),
    (evidence("AzureResource", fields={"ResourceId": "/s/vm"}), {("resource", "/s/vm")}),
    (evidence("OAuthApplication", fields={"OAuthAppId": "AB"}), {("app", "ab")}),
    (evidence("MailMessage", fields={"SenderIP": "203.0.113.7"}), {("address", "203.0.113.7")}),
    (evidence("Url", RemoteUrl="https://B\u00dcCHER.example/x"), {("host", "xn--bcher-kva.example")}),
    (evidence("Url", RemoteUrl="https://xn--bcher-kva.example/"), {("host", "xn--bcher-kva.example")}),
    (evidence("Ip", RemoteIP="::ffff:203.0.113.7"), {("address", "203.0.113.7")}),
    (evidence("Url", RemoteUrl="https://EVIL.example/x"), {("host", "evil.example")}),
    (evidence("Url", RemoteUrl="http://203.0.113.7/x"), {("address", "203.0.113.7")}),
    (evidence("OAuthApplication", OAuthApplicationId="ABC"), {("app", "abc")}),
    (
        evidence("MailMessage", NetworkMessageId="M", fields={"Sender": "A@x", "Recipient": "B@y"}),
        {("mail", "m"), ("sender", "a@x"), ("user", "b@y")},
    ),
    (
        evidence("MailMessage", fields={"Sender": "a@x", "Recipient": "b@y", "AntispamDirection": "Outbound"}),
        {("sender", "a@x"), ("user", "a@x")},
    ),
    (evidence("Mailbox", fields={"MailboxPrimaryAddress": "Jane@contoso.com"}), {("user", "jane@contoso.com")}),
]


def test_every_kind_of_entity_has_one_normal_form(subtests: pytest.Subtests) -> None:
    for (row, expected), links in zip(NORMAL, links_of_each([row] for row, _ in NORMAL), strict=True):
        with subtests.test(described(row)):
            assert links == expected


COMMON: list[dict[str, Any]] = [
    {"RemoteIP": "127.0.0.1"},
    {"RemoteIP": "10.0.0.1"},
    {"RemoteIP": "::ffff:192.168.0.1"},
    {"RemoteIP": "-"},
    {"RemoteUrl": "-"},
    {"RemoteUrl": "https://login.microsoftonline.com/common/oauth2"},
    {"RemoteUrl": "http://10.0.0.1/"},
    {"SHA256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"SHA256": "c" * 64, "FileName": "PowerShell.exe", "FolderPath": "C:\\Windows\\System32\\WindowsPowerShell"},
    {"ApplicationId": 20893},
    {"ApplicationId": 4711},
    {"NetworkMessageId": "-"},
]


def test_common_values_are_no_links(subtests: pytest.Subtests) -> None:
    found = links_of_each([evidence("Process", **columns)] for columns in COMMON)
    for columns, links in zip(COMMON, found, strict=True):
        with subtests.test(columns=columns):
            assert links == set()


def links(row: Row) -> set[tuple[str, str]]:
    return links_of_each([[row]])[0]


def test_a_windows_tool_outside_its_folder_is_a_link() -> None:
    row = evidence("Process", SHA256="c" * 64, FileName="svchost.exe", FolderPath="C:\\Users\\jane")
    assert links(row) == {("file", "c" * 64)}


def test_the_organisations_own_egress_address_is_no_link_in_its_tenant_only() -> None:
    rows = [
        evidence("Ip", f"da{n}_1", tenant=tenant, RemoteIP=address)
        for n, (tenant, address) in enumerate(
            [(TENANT, "203.0.113.7"), (OTHER_TENANT, "203.0.113.7"), (TENANT, "203.0.113.8")]
        )
    ]
    leads = leads_of([], rows, [beat(PublicIP="::ffff:203.0.113.7")])
    found = {lead["alert_id"]: entities_of(lead) for lead in leads.iter_rows(named=True)}
    assert found == {"da0_1": set(), "da1_1": {("address", "203.0.113.7")}, "da2_1": {("address", "203.0.113.8")}}


def test_a_merged_device_links_by_its_resolved_id_and_by_the_older_ones() -> None:
    upper, merged = leads_of_each(
        [
            Records([], [machine(PC.upper())]),
            Records([], [machine("old")], [beat("old", at(5), MergedToDeviceId="new")]),
        ]
    )
    assert (entities_of(only(upper)), entities_of(only(merged))) == (
        {("device", PC)},
        {("device", "new"), ("device", "old")},
    )
    assert {entity["identity"] for entity in only(merged)["entities"]} == {"new"}


def test_urls_inside_a_mail_link_too() -> None:
    assert ("host", "evil.example") in links(evidence("MailMessage", fields={"Urls": ["https://evil.example/x"]}))


def test_entities_of_all_versions_are_distinct_and_sorted() -> None:
    rows = [evidence("Ip", RemoteIP=f"203.0.113.{n % 3}", Timestamp=at(n)) for n in range(6)]
    entities = lead_of([], rows)["entities"]
    assert [entity["value"] for entity in entities] == [f"203.0.113.{n}" for n in range(3)]


GUID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
SPELLINGS = (
    GUID,
    GUID.upper(),
    f"{{{GUID}}}",
    f"({GUID.upper()})",
    GUID.replace("-", ""),
    f"urn:uuid:{GUID}",
    f'"{GUID}"',
)


def rows_of_id(text: str) -> dict[str, Row]:
    """Return for each kind of entity a row that names this id."""
    return {
        "user": evidence("User", AccountObjectId=text),
        "mail": evidence("MailMessage", NetworkMessageId=text),
        "app": evidence("OAuthApplication", OAuthApplicationId=text),
        "principal": evidence("ServicePrincipal", fields={"AppId": text}),
        "session": evidence("CloudLogonSession", fields={"SessionId": text}),
    }


def test_an_id_in_any_spelling_is_one_entity(subtests: pytest.Subtests) -> None:
    expected = {name: links_of_each([[row]])[0] for name, row in rows_of_id(GUID).items()}
    cases = {(name, text): row for text in SPELLINGS for name, row in rows_of_id(text).items()}
    for (name, text), found in zip(cases, links_of_each([row] for row in cases.values()), strict=True):
        with subtests.test(f"{name} {text}"):
            assert found == expected[name] != set()
    with subtests.test("an MD5 is no GUID"):
        digest = GUID.replace("-", "")
        hashed = evidence("File", fields={"Name": "x", "FileHashes": [{"Algorithm": "MD5", "Value": digest}]})
        assert links_of_each([[hashed]]) == [{("file", digest)}]


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        ("MailMessage", {"NetworkMessageId": "<Ab.1@mail.example>"}, ("mail", "ab.1@mail.example")),
        ("MailMessage", {"NetworkMessageId": "{00000000-0000-0000-0000-000000000000}"}, None),
        ("MailMessage", {"NetworkMessageId": "0" * 32}, None),
        ("User", {"AccountName": "Jane", "AccountDomain": "CONTOSO.com"}, ("user", "jane@contoso.com")),
        (
            "User",
            {"AccountUpn": "Jane.Doe_Fabrikam.com#EXT#@contoso.onmicrosoft.com"},
            ("user", "jane.doe@fabrikam.com"),
        ),
        ("User", {"AccountUpn": "a_b_fabrikam.co.example#ext#@c.example"}, ("user", "a_b@fabrikam.co.example")),
        ("User", {"AccountName": "jane", "AccountDomain": "CONTOSO"}, ("user", "contoso\\jane")),
    ],
)
def test_other_spellings_of_ids(kind: str, written: Row, value: tuple[str, str] | None) -> None:
    assert links_of_each([[evidence(kind, **written)]]) == [{value} if value else set()]


HASHED: dict[str, tuple[list[Row], set[str]]] = {
    "SHA-1, and a record with both": ([evidence("File", "other", SHA1=SHA1, SHA256=SHA256)], {SHA1, SHA256}),
    "of different spelling": ([evidence("Process", "other", SHA1=SHA1.upper(), SHA256=SHA256.upper())], {SHA1, SHA256}),
    "a SHA-1 that has two SHA-256": (
        [evidence("File", "other", SHA1=SHA1, SHA256=digest * 64) for digest in "ef"],
        {SHA1},
    ),
    "a SHA-256 that has two SHA-1": (
        [evidence("File", "other", SHA1=digest, SHA256=SHA256) for digest in (SHA1, "f" * 40)],
        {SHA1},
    ),
    "a record of another tenant": ([evidence("File", "other", tenant=OTHER_TENANT, SHA1=SHA1, SHA256=SHA256)], {SHA1}),
}


@pytest.mark.parametrize("case", HASHED)
def test_a_file_links_by_the_hash_that_another_record_has_of_it(case: str) -> None:
    others, values = HASHED[case]
    named = evidence("File", SHA1=SHA1)
    inside = evidence("File", fields={"FileHashes": [{"Algorithm": "SHA1", "Value": SHA1}]})
    found = links_of_each([[named, *others], [inside, *others]])
    assert found == [{("file", value) for value in values}] * 2


def test_a_sha256_links_by_a_sha1_only_if_a_record_has_that_alone() -> None:
    both = evidence("File", SHA1=SHA1, SHA256=SHA256)
    alone = evidence("File", "other", SHA1=SHA1)
    later = evidence("File", "third", SHA256=SHA256)
    found = links_of_each([[both], [both, alone], [both, later]])
    assert found == [{("file", SHA256)}, {("file", SHA1), ("file", SHA256)}, {("file", SHA256)}]
