"""Normal forms of network addresses and host names, and which addresses are external."""

import re
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network

from defender_assets.core.leads.entities.identifier_text import Simple, normal_text

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
SIMPLE_ADDRESS = Simple(rf"^{_OCTET}(?:\.{_OCTET}){{3}}$")
"""The simple texts of `normal_address`: IPv4 addresses."""

# Not `is_private`: it includes the documentation ranges (RFC 5737), which simulators and examples use for attackers.
_INTERNAL = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
        "::/128", "::1/128", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
_SIMPLE = re.compile(SIMPLE_ADDRESS.pattern + r"(?<!\n)")
_INTERNAL_OCTETS = frozenset(
    octet
    for network in _INTERNAL
    if isinstance(network, IPv4Network)
    for octet in range(network[0].packed[0], network[-1].packed[0] + 1)
)
"""The first octets of the internal addresses of IPv4."""
# Indicators are written so that nobody opens them by mistake: 203[.]0[.]113[.]7, evil(dot)example.
_DEFANGED_DOT = re.compile(r"\s?(?:\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\{dot\}|\[\.|\.\])\s?", re.IGNORECASE)
_WHOLE_NETWORK = re.compile(r"/(?:32|128)\Z")


def normal_address(text: str) -> str | None:
    """Return an IP address in its normal form (`::ffff:` mapped ones as IPv4), None for any other text."""
    address = _address(text)
    return str(address) if address else None


def is_external(text: str) -> bool:
    """Return whether an address can be outside of the organisation: not loopback, private, link-local or reserved."""
    if _SIMPLE.match(text) and int(text.partition(".")[0]) not in _INTERNAL_OCTETS:
        return True
    address = _address(text)
    return address is not None and not any(address in network for network in _INTERNAL)


def with_dots(text: str) -> str:
    """Return a text with the dots that were written so that no address in it can be opened.

    >>> with_dots("evil[.]example")
    'evil.example'
    """
    return _DEFANGED_DOT.sub(".", text) if any(mark in text for mark in "[({])}") else text


def ascii_host(host: str) -> str:
    """Return a host name as DNS has it (`xn--`); what IDNA cannot encode stays."""
    if not host.isascii():
        with suppress(UnicodeError):
            return host.encode("idna").decode().lower()
    return host.lower()


def _address(text: str) -> IPv4Address | IPv6Address | None:
    bare = with_dots(normal_text(text)).strip("\"'<>(), ").removeprefix("[").split("]")[0].split("%")[0]
    bare = _WHOLE_NETWORK.sub("", bare)
    if bare.count(":") == 1:  # an IPv4 address with its port
        bare = bare.split(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
