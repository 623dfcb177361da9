"""Traits: what the alerts of one attack have in common although each has an address, a mail or a file of its own.

A trait says less than the thing itself: strangers share networks and subjects. `core/stories` gives it less weight.
What everybody has is no trait (`unlinked`).
"""

import re
from functools import cache
from ipaddress import ip_network

import polars as pl
from publicsuffixlist import PublicSuffixList

from defender_assets.core.leads.entities import unlinked
from defender_assets.core.leads.entities.identifier_text import each
from defender_assets.core.words import comparable

TRAITS = ("subject", "malware", "network", "client", "domain")

_REPLY = re.compile(
    r"(?:(?:re|fwd?|aw|wg|tr|rv|sv|vs|antw|external|extern)\s*(?:\[\d+\])?\s*:|\[ext(?:ern(?:al)?)?\])\s*"
)
_NUMBER = re.compile(r"\d+")
_NOT_SAID = re.compile(r"[\W\d_]+")
_LEAST_BYTES = 8
"""Shorter subjects (`Invoice`, `Hello`) are everybody's. Bytes, because a letter of Chinese says more than one of
English."""
_VARIANT = re.compile(r"[.!@].*\Z", re.DOTALL)


def subject_of(subject: str) -> str | None:
    """Return what mails of one campaign have as their subject: without `RE:` and `FW:`, numbers as `#`.

    >>> subject_of("RE: [EXTERNAL] Parcel 4711 not delivered"), subject_of("Hello")
    ('parcel # not delivered', None)
    """
    text = comparable(subject)
    while found := _REPLY.match(text):
        text = text[found.end() :]
    if len(_NOT_SAID.sub("", text).encode(errors="replace")) < _LEAST_BYTES:
        return None
    return _NUMBER.sub("#", text)


def malware_of(family: str) -> str | None:
    """Return the family of malware, from its name or from Microsoft's whole name of a variant.

    >>> malware_of("Trojan:Win32/Emotet.PB!MTB"), malware_of("Emotet"), malware_of("Wacatac")
    ('emotet', 'emotet', None)
    """
    text = comparable(family)
    if "/" in text:
        text = _VARIANT.sub("", text.rpartition("/")[2])
    return text if unlinked.is_linking_family(text) else None


def client_of(user_agent: str) -> str | None:
    """Return the program that signed in, None for a browser or an application that everybody has.

    >>> client_of("python-requests/2.32"), client_of("Mozilla/5.0 (X11) Gecko/20100101 Firefox/140.0")
    ('python-requests/2.32', None)
    """
    text = comparable(user_agent)
    return text if unlinked.is_linking_client(text) else None


def with_networks_and_domains(leads: pl.DataFrame) -> pl.DataFrame:
    """Return leads whose `entities` have the networks of their addresses, and the domains of hosts and senders.

    A sender's domain that a user of the lead has too is the organisation's own. What only one lead has is left out.
    """
    entities = leads.select("tenant_id", "entities").with_row_index("_lead").explode("entities").unnest("entities")
    kind, value = pl.col("kind"), pl.col("value")
    networks = entities.filter(kind == "address").select(
        "tenant_id", "_lead", kind=pl.lit("network"), value=network_of()
    )
    named = entities.filter(kind.is_in(["host", "sender"]) | ((kind == "user") & value.str.contains("@", literal=True)))
    domains = named.select(
        "tenant_id", "_lead", kind=pl.lit("domain"), value=each(value, domain_of), own=kind == "user"
    )
    own = domains.filter("own")
    outside = domains.filter(~pl.col("own")).join(own, on=["_lead", "value"], how="anti").drop("own")
    found = pl.concat([networks, outside]).drop_nulls("value").unique()
    found = found.filter(pl.len().over("tenant_id", "kind", "value") > 1)
    if found.is_empty():
        return leads
    traits = (
        found.sort("_lead", "kind", "value")
        .group_by("_lead", maintain_order=True)
        .agg(_traits=pl.struct("kind", "value", identity="value"))
    )
    known = pl.when(pl.col("_traits").is_null()).then("entities")
    return (
        leads.with_row_index("_lead")
        .join(traits, on="_lead", how="left", maintain_order="left")
        .with_columns(entities=known.otherwise(pl.concat_list("entities", "_traits")))
        .drop("_lead", "_traits")
    )


def network_of(address: str = "value") -> pl.Expr:
    """Return the networks of addresses in normal form: their /24, or the /64 of IPv6."""
    text = pl.col(address)
    ipv6 = pl.when(text.str.contains(":", literal=True)).then(text)
    return pl.coalesce(each(ipv6, _network_of_ipv6), text.str.replace(r"\.\d+$", ".0/24"))


def _network_of_ipv6(address: str) -> str | None:
    return str(ip_network(f"{address}/64", strict=False))


def domain_of(host: str) -> str | None:
    """Return the domain that a host, or the address of a sender, is registered under; None for one that everybody uses.

    A customer's name at a hosting provider is a domain of its own. Source: publicsuffix.org.

    >>> domain_of("www.login.evil.co.uk"), domain_of("a@b.evil.example"), domain_of("cdn.evil.azurewebsites.net")
    ('evil.co.uk', 'evil.example', 'evil.azurewebsites.net')
    >>> domain_of("user@gmail.com"), domain_of("co.uk"), domain_of("203.0.113.7")
    (None, None, None)
    """
    name = host.rpartition("@")[2].rstrip(".")
    domain = _public_suffixes().privatesuffix(name)
    if domain in unlinked.SHARED_DOMAINS:
        domain = _public_suffixes().subdomain(name, 1)
    if domain is None or domain.rpartition(".")[2].isdigit():
        return None
    return domain if unlinked.is_linking_domain(domain) else None


@cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()
