import pytest

from defender_assets.core.leads.entities.addresses import is_external, normal_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:cb00:7107", "203.0.113.7"),
        (" 203.0.113.7:443 ", "203.0.113.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("-", None),
        ("", None),
        ("contoso.com", None),
        ("1.2.3", None),
        ("1.2.3.4.5", None),
        ('"203.0.113.7"', "203.0.113.7"),
        ("203[.]0[.]113[.]7", "203.0.113.7"),
        ("\u200b203.0.113.7\u00a0", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
    ],
)
def test_an_address_has_one_normal_form(text: str, expected: str | None) -> None:
    assert normal_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "0.0.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:10.0.0.1", "-",
    ],
)  # fmt: skip
def test_loopback_private_link_local_and_reserved_addresses_are_internal(text: str) -> None:
    assert not is_external(text)


@pytest.mark.parametrize("text", ["203.0.113.7", "8.8.8.8", "172.32.0.1", "2001:4860::1"])
def test_other_addresses_are_external(text: str) -> None:
    assert is_external(text)
