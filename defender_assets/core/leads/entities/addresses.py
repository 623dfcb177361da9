"""Normal forms of network addresses and host names, and which addresses are external."""

from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import polars as pl

# Not `is_private`: it includes the documentation ranges (RFC 5737), which simulators and examples use for attackers.
_INTERNAL = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
        "::/128", "::1/128", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
_LOCAL_HOSTS = {"localhost", "localhost.localdomain"}


def normal_address(text: str) -> str | None:
    """Return an IP address in its normal form (`::ffff:` mapped ones as IPv4), None for any other text."""
    address = _address(text)
    return str(address) if address else None


def is_external(text: str) -> bool:
    """Return whether an address can be outside of the organisation: not loopback, private, link-local or reserved."""
    address = _address(text)
    return address is not None and not any(address in network for network in _INTERNAL)


def host_of(url: str) -> str | None:
    """Return the host of a URL or of a bare `host/path`, lower case and IDNA-encoded; None without one."""
    text = url.strip()
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname
    except ValueError:
        return None
    host = (host or "").rstrip(".")
    if not host.isascii():
        with suppress(UnicodeError):  # keep what IDNA cannot encode
            host = host.encode("idna").decode()
    return host if host and host not in _LOCAL_HOSTS and host.strip("-. ") and " " not in host else None


def by_value(texts: pl.Series, function: Callable[[str], str | None]) -> pl.Series:
    """Return `function` of each text, called once per distinct text; null stays null."""
    distinct = texts.drop_nulls().unique().to_list()
    return texts.replace_strict({text: function(text) for text in distinct}, default=None, return_dtype=pl.String)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    bare = text.strip().removeprefix("[").split("]")[0].split("%")[0]
    if bare.count(":") == 1:  # an IPv4 address with its port
        bare = bare.split(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
