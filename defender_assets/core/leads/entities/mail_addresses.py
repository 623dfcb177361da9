"""Addresses in mail headers: `Name <address>`, quoted names, encoded words, comments, several addresses."""

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.utils import getaddresses

from defender_assets.core.identifiers import PLACEHOLDERS
from defender_assets.core.leads.entities.addresses import ascii_host
from defender_assets.core.leads.entities.identifier_text import Simple, normal_text

SIMPLE_MAIL = Simple(r"^[0-9A-Za-z_+-]+(?:\.[0-9A-Za-z_+-]+)*@[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*$")
"""The simple texts of `mail_address`: one address without a name, quotes or escapes."""

_LONGEST = 4_000
# `victim@corp.example <evil@bad.example>`: a display name that looks like an address. Header parsers take both for one
# address each unless the name is quoted.
_ADDRESS_AS_NAME = re.compile(r"(\A|,)\s*([^\"<>,;:()]*@[^\"<>,;:()]*?)\s*<")

_GUEST = re.compile(r"(.+)_([^_]+\.[^_]+)#ext#")
"""What Entra ID calls a guest: `jane_fabrikam.com#EXT#@contoso.onmicrosoft.com` is jane@fabrikam.com."""


def mail_addresses(text: str) -> list[str]:
    """Return the bare addresses of a header's text, in lower case, in order and each once.

    >>> mail_addresses('"Doe, Jane" <Jane@Contoso.com>, =?utf-8?q?J=C3=B6rg?= <j@contoso.com>')
    ['jane@contoso.com', 'j@contoso.com']
    """
    return list(dict.fromkeys(address for _, address in _pairs(text)))


def mail_address(text: str) -> str | None:
    """Return the bare addresses of a header's text, separated by commas.

    A text without an address is returned in its normal form in lower case; a placeholder is None.
    """
    if addresses := mail_addresses(text):
        return ", ".join(addresses)
    normal = normal_text(text).lower()
    return None if normal in PLACEHOLDERS or normal == "<>" else normal


def display_name(text: str) -> str | None:
    """Return the display names of a header's text, separated by commas; None without any."""
    return ", ".join(dict.fromkeys(name for name, _ in _pairs(text) if name)) or None


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return display name and address of each address."""
    if "@" not in text and "=?" not in text:
        return []
    text = normal_text(text[:_LONGEST])
    for candidate in (text, _decoded(text)):  # an encoded word can hide the address itself
        try:
            named = _ADDRESS_AS_NAME.sub(r'\1 "\2" <', candidate)
            found = getaddresses([named if ":" in named else named.replace(";", ",")])
        except (RecursionError, IndexError, ValueError):  # deeply nested comments
            found = []
        pairs = [(_decoded(name), bare) for name, address in found if (bare := _bare(address))]
        if pairs:
            return pairs
    return []


def _bare(address: str) -> str | None:
    local, at, domain = normal_text(address).rpartition("@")
    local, domain = local.strip(" '\"<>").lower(), domain.strip(" '\"<>").rstrip(".").lower()
    if not local or not domain or " " in domain:
        return None
    if guest := _GUEST.fullmatch(local):
        local, domain = guest.groups()
    return f"{local}{at}{ascii_host(domain)}"


def _decoded(text: str) -> str:
    if "=?" not in text:
        return text
    try:
        return normal_text(str(make_header(decode_header(text))))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return text
