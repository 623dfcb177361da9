import random
from typing import Any

import pytest

from defender_assets.core.leads.entities import identities
from defender_assets.core.leads.entities.correlation_keys import named_users
from defender_assets.core.leads.entities.identities import (
    MOST_IDENTIFIERS,
    known_accounts,
    known_persons,
    object_id_of_sid,
)
from defender_assets.core.schemas import ALERT_EVIDENCE
from defender_assets_tests.support.alert_rows import (
    EVE,
    OTHER_TENANT,
    TENANT,
    Row,
    entity_rows_of,
    evidence,
    frame,
    info,
    lead_of,
    links_of_each,
)

OBJECT_ID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
ENTRA_SID = "S-1-12-1-1059390688-298012553-50531482-20130024"
SID = "S-1-5-21-1-2-3-1001"
JANE = {("user", name) for name in (OBJECT_ID, "jane@contoso.com", SID.lower(), "contoso\\jane")}


def user(alert: str = "da1_1", **columns: Any) -> Row:
    return evidence("User", alert, **columns)


def users(*rows: Row) -> set[tuple[str, str]]:
    """Return the user entities of alert da1_1; the other alerts' rows are of the look-back."""
    return links_of_each([rows], "da1_1")[0]


def test_an_entra_sid_encodes_the_object_id() -> None:
    assert object_id_of_sid("S-1-12-1-1-2-3-4") == "00000001-0002-0000-0300-000004000000"
    parts = ENTRA_SID.removeprefix("S-1-12-1-").split("-")
    assert b"".join(int(part).to_bytes(4, "little") for part in parts)[:4] == (1059390688).to_bytes(4, "little")


@pytest.mark.parametrize("sid", ["S-1-12-1-1-2-3", "S-1-12-1-1-2-3-x", "S-1-12-1-1-2-3-4294967296", "S-1-12-1-"])
def test_a_malformed_entra_sid_has_no_object_id(sid: str) -> None:
    assert object_id_of_sid(sid) is None


def test_an_entra_sid_becomes_the_object_id() -> None:
    assert users(user(AccountSid="S-1-12-1-1-2-3-4")) == {("user", "00000001-0002-0000-0300-000004000000")}


def test_all_identifiers_of_one_row_are_the_users_in_lower_case() -> None:
    row = user(
        AccountObjectId=OBJECT_ID.upper(),
        AccountUpn="Jane@Contoso.com",
        AccountSid=SID,
        AccountDomain="CONTOSO",
        AccountName="Jane",
    )
    assert users(row) == JANE


def test_a_name_in_two_unicode_forms_is_one() -> None:
    composed, decomposed = "z\u00f6e@contoso.com", "ZO\u0308E@contoso.com"
    found = links_of_each(([user(AccountUpn=name)] for name in (composed, decomposed)), "da1_1")
    assert found == [{("user", composed)}] * 2


def test_identifiers_are_joined_through_other_rows_of_the_look_back() -> None:
    bridges = [
        user("da2_1", day=EVE, AccountUpn="jane@contoso.com", AccountSid=SID),
        user("da3_1", day=EVE, AccountSid=SID, AccountDomain="contoso", AccountName="jane"),
        user("da4_1", day=EVE, AccountObjectId=OBJECT_ID, AccountUpn="jane@contoso.com"),
    ]
    assert users(user(AccountDomain="CONTOSO", AccountName="JANE"), *bridges) == JANE


def test_all_identifiers_of_a_person_have_the_preferred_one() -> None:
    bridge = user("da2_1", day=EVE, AccountObjectId=OBJECT_ID, AccountUpn="jane@contoso.com")
    lead = lead_of([info("da1_1")], [user(AccountUpn="jane@contoso.com"), bridge])
    assert {entity["identity"] for entity in lead["entities"]} == {OBJECT_ID}


def test_another_tenants_rows_join_nothing() -> None:
    bridge = user("da2_1", tenant=OTHER_TENANT, day=EVE, AccountUpn="jane@contoso.com", AccountSid=SID)
    assert users(user(AccountSid=SID), bridge) == {("user", SID.lower())}


NOBODY = [
    {"AccountSid": "S-1-5-18"},
    {"AccountSid": "S-1-5-19", "AccountUpn": "x@contoso.com"},
    {"AccountSid": "S-1-5-20"},
    {"AccountSid": "S-1-5-90-0-1", "AccountDomain": "Window Manager", "AccountName": "DWM-1"},
    {"AccountDomain": "NT AUTHORITY", "AccountName": "SYSTEM"},
    {"AccountDomain": "CONTOSO", "AccountName": "PC1$", "AccountSid": SID},
    {"AccountUpn": "pc1$@contoso.com"},
    {"AccountName": "jane"},
    {"AccountName": "jane", "AccountDomain": "WORKGROUP"},
    {"AccountObjectId": "00000000-0000-0000-0000-000000000000"},
    {"AccountUpn": "-", "AccountSid": "-"},
]


def test_system_and_machine_accounts_and_bare_names_are_no_users(subtests: pytest.Subtests) -> None:
    found = links_of_each(([user(**columns)] for columns in NOBODY), "da1_1")
    for columns, entities in zip(NOBODY, found, strict=True):
        with subtests.test(columns=columns):
            assert entities == set()


def test_a_upn_in_the_place_of_the_name_is_a_upn() -> None:
    assert users(user(AccountName="Jane@contoso.com")) == {("user", "jane@contoso.com")}


@pytest.mark.parametrize("few", [0, 100])
def test_the_persons_of_some_alerts_are_those_of_all_that_they_name(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where accounts are found tenants aside first."""
    monkeypatch.setattr(identities, "FEW_NAMED", few)
    for seed in range(20):
        rng = random.Random(seed)
        pool = {"AccountUpn": "u{}@c", "AccountObjectId": "id-{}", "AccountSid": "S-1-5-21-1-2-3-{}"}
        rows = []
        for _ in range(rng.randrange(2, 12)):
            columns: Row = {column: rng.choice([None, text.format(rng.randrange(6))]) for column, text in pool.items()}
            rows.append(user(tenant=rng.choice([TENANT, OTHER_TENANT]), **columns))
        typed, everybody = frame(ALERT_EVIDENCE, rows), named_users(entity_rows_of(*rows)[0])
        of_all = known_persons(known_accounts(typed), everybody)
        some = everybody.sample(min(2, everybody.height), seed=seed)
        persons = of_all.join(some, on=["tenant_id", "value"], how="semi").select("tenant_id", "identity")
        expected = of_all.join(persons, on=["tenant_id", "identity"], how="semi")
        assert sorted(known_persons(known_accounts(typed), some).rows()) == sorted(expected.rows())


def test_a_name_that_joins_too_many_joins_nobody() -> None:
    rows = [
        user("da2_1", AccountDomain="c", AccountName="shared", AccountUpn=f"u{n}@c") for n in range(MOST_IDENTIFIERS)
    ]
    assert entity_rows_of(*rows)[1].is_empty()
    assert entity_rows_of(*rows[1:])[1].height == MOST_IDENTIFIERS
