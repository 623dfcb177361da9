import pytest
from hypothesis import given
from hypothesis import strategies as st

from defender_assets.core.leads.entities.mail_addresses import display_name, mail_address, mail_addresses


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Evil@Bad.example", None),
        ("Allan D <evil@bad.example>", "Allan D"),
        ('"Doe, Allan" <evil@bad.example>', "Doe, Allan"),
        ("Doe, Allan <evil@bad.example>", "Allan"),
        ("=?utf-8?q?J=C3=B6rg?= <evil@bad.example>", "J\u00f6rg"),
        ("=?utf-8?B?QWxsYW4gPGV2aWxAYmFkLmV4YW1wbGU+?=", "Allan"),
        ("evil@bad.example (Allan)", "Allan"),
        ("< evil@bad.example >", None),
        ("mailto:evil@bad.example", None),
        ("'evil@bad.example'", None),
        ("e\u200bvil@bad.example\u00a0", None),
        ("boss@corp.example <evil@bad.example>", "boss@corp.example"),
    ],
)
def test_the_bare_address_and_the_name_are_apart(text: str, name: str | None) -> None:
    assert (mail_address(text), display_name(text)) == ("evil@bad.example", name)


def test_several_addresses_are_several() -> None:
    assert mail_addresses("A <a@x.example>, b@x.example; c@x.example") == ["a@x.example", "b@x.example", "c@x.example"]


def test_an_international_domain_has_one_spelling() -> None:
    assert mail_address("j@b\u00fccher.example") == mail_address("J@xn--bcher-kva.example")


@pytest.mark.parametrize("text", ["", "-", "<>", "N/A"])
def test_no_address_is_none(text: str) -> None:
    assert mail_address(text) is None


def test_text_without_an_address_stays_readable() -> None:
    assert (mail_address("Postmaster"), mail_addresses("Postmaster")) == ("postmaster", [])


@given(st.text(alphabet='<>@",;:()=?a. \\\x00\u200b', max_size=60))
def test_no_text_raises(text: str) -> None:
    assert all("@" in address for address in mail_addresses(text))
    display_name("(" * 3_000 + text + "@")
