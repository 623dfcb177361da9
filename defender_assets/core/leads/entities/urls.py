"""The host that a URL leads to. Prefixes, quotes and defanging are removed, and rewritten URLs count by their target.

Mail gateways (Safe Links, Proofpoint, Mimecast …) and web services replace each link by one of their own, which
contains the target. Such a host says nothing about the link; `is_rewriter` names it, so that it links nothing.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from defender_assets.core.identifiers import PLACEHOLDERS
from defender_assets.core.leads.entities.addresses import ascii_host, with_dots
from defender_assets.core.leads.entities.identifier_text import normal_text

_LOCAL_HOSTS = {"localhost", "localhost.localdomain"}
_PREFIX = re.compile(r"(?:ur[il]\s*[=:]|(?:href|link|src)\s*=)\s*", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DEFANGED_SCHEME = re.compile(r"\A(?:h(?:xx|\*\*|__|tt)p(s?)|fxp(s?))(?=\s*[\[(]?:)", re.IGNORECASE)
_DEFANGED_COLON = re.compile(r"\A([a-z]+)\s*[\[(]:[\])]?(?://)?[\])]?", re.IGNORECASE)
_SLASHES = re.compile(r"\A(https?|ftps?|wss?):/+", re.IGNORECASE)
_DRIVE = re.compile(r"[a-z]:\\", re.IGNORECASE)
# `example.com:443/x` is a host with its port; `mailto:x`, `data:x` and `C:\\x` name no host.
_NO_HOST = re.compile(r"[a-z][a-z0-9+.-]*:(?!//)(?!\d{1,5}(?:[/?#]|\Z))", re.IGNORECASE)
_AROUND = " \"'`<>(){}\u201c\u201d\u2018\u2019\u00ab\u00bb,;"
_MOST_REWRITES = 8
_LONGEST = 16_000


class Rewriter(NamedTuple):
    """A service that replaces links: its hosts with those below, the parameters that hold the target, or a decoder."""

    hosts: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    path: str = ""
    decode: Callable[[str], str | None] | None = None


def host_of(url: str) -> str | None:
    """Return the host that a URL or a bare `host/path` leads to, lower case and IDNA-encoded; None without one.

    A URL of a rewriter gives the host of its target, also if that is rewritten again; the rewriter's own host if the
    target cannot be read.

    >>> host_of("uri=hxxps://evil[.]example/x")
    'evil.example'
    >>> host_of("https://eur02.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2F&data=05")
    'evil.example'
    """
    text = url
    host = None
    for _ in range(_MOST_REWRITES):
        text = plain_url(text)
        found = _host(text)
        if found is None:
            return host
        host = found
        target = _target(host, text)
        if not target:
            return host
        text = target
    return host


def is_rewriter(host: str) -> bool:
    """Return whether a host rewrites links; what is below a host that also has pages of its own is not meant."""
    own = host.removeprefix("www.")
    return any(not rewriter.path or own in rewriter.hosts for rewriter in _rewriters(host))


def plain_url(text: str) -> str:
    """Return a URL without prefix, quotes, invisible characters and defanging."""
    plain = normal_text(text[:_LONGEST]).strip(_AROUND)
    for _ in range(3):
        if plain.startswith("[") and "://" in plain:
            plain = plain.strip("[]")
        if not (prefix := _PREFIX.match(plain)):
            break
        plain = plain[prefix.end() :].strip(_AROUND)
    plain = _DEFANGED_SCHEME.sub(lambda found: f"http{found[1] or found[2] or ''}", plain)
    plain = _DEFANGED_COLON.sub(r"\1://", plain)
    head, mark, rest = plain.partition("?")
    head = head if _DRIVE.match(head) else with_dots(head).replace("\\", "/")
    return _SLASHES.sub(r"\1://", head + mark + rest)


def _host(text: str) -> str | None:
    if _NO_HOST.match(text) or text.lower() in PLACEHOLDERS:
        return None
    try:
        host = _split(text).hostname
    except ValueError:
        return None
    host = ascii_host((host or "").rstrip("."))
    return host if host and host not in _LOCAL_HOSTS and host.strip("-. ") and " " not in host else None


def _split(text: str) -> SplitResult:
    return urlsplit(text if _SCHEME.match(text) else f"//{text.removeprefix('//')}")


def _target(host: str, text: str) -> str | None:
    """Return the target of a rewritten URL, None if it is not rewritten or cannot be read."""
    for rewriter in _rewriters(host):
        try:
            parts = _split(text)
            if not re.match(rewriter.path, parts.path, re.IGNORECASE):
                continue
            values = {name.lower(): value for name, value in reversed(parse_qsl(parts.query))}
            found = rewriter.decode(text) if rewriter.decode else None
        except ValueError:
            continue
        target = found or next((values[name] for name in rewriter.parameters if values.get(name)), None)
        if target and "." in target:
            return target
    return None


def _rewriters(host: str) -> Iterator[Rewriter]:
    labels = host.split(".")
    for start in range(len(labels) - 1):
        yield from _BY_HOST.get(".".join(labels[start:]), ())


def _proofpoint(text: str) -> str | None:
    """Return the target of urldefense v1, v2 or v3 (Proofpoint, "URL Defense Decoder")."""
    if found := re.search(r"/v3/__(.+?)(?:__;|\Z)", text):
        return found[1]
    if found := re.search(r"/v2/url\?(?:.*&)?u=([^&]*)", text):
        return unquote(found[1].translate(str.maketrans("-_", "%/")))
    if found := re.search(r"/v1/url\?(?:.*&)?u=([^&]*)", text):
        return unquote(found[1])
    return None


def _between_underscores(text: str) -> str | None:
    found = re.search(r"/v\d+/(?:r\d+/)?_{2,3}(.+?)(?:_{3}|\Z)", text)
    return unquote(found[1]) if found else None


def _in_path(text: str) -> str | None:
    """Return a percent-encoded or plain URL in the path of another one."""
    found = re.search(r"://[^/]*/.*?(https?(?:%3A|:)(?:%2F|/)+.+)", text, re.IGNORECASE)
    return unquote(found[1]) if found else None


def _amp(text: str) -> str | None:
    found = re.search(r"/amp/(?:s/)?([^?]+)", text)
    return found[1] if found else None


def _base64_part(text: str) -> str | None:
    """Return the first URL that is written in base64 in a path or a parameter; Bing puts `a1` before it."""
    for word in re.findall(r"(?:a1)?(aHR0c[A-Za-z0-9_\-+]{8,})", text):
        with_padding = word.replace("-", "+").replace("_", "/") + "=" * (-len(word) % 4)
        try:
            return base64.b64decode(with_padding).decode("utf-8", "replace")
        except (ValueError, binascii.Error):
            continue
    return None


_GOOGLE = tuple(
    f"google.{end}"
    for end in (
        "com", "de", "fr", "co.uk", "es", "it", "nl", "pl", "ca", "com.au", "com.br", "co.in", "co.jp", "ch", "at",
        "be", "se", "no", "dk", "fi", "cz", "hu", "pt", "ie", "ru", "com.mx", "com.tr", "co.za", "co.nz", "com.ar",
    )
)  # fmt: skip

REWRITERS = (
    # Gateways: every link of theirs leads elsewhere.
    Rewriter(("safelinks.protection.outlook.com", "safelinks.protection.office365.us",
              "safelinks.protection.partner.outlook.cn"), ("url",)),
    Rewriter(("urldefense.com", "urldefense.proofpoint.com", "urldefense.us"), decode=_proofpoint),
    Rewriter(("mimecast.com", "mimecastprotect.com"), ("domain", "url")),
    Rewriter(("linkprotect.cudasvc.com",), ("a",)),
    Rewriter(("secure-web.cisco.com",), decode=_in_path),
    Rewriter(("trendmicro.com",), ("url",)),
    Rewriter(("clicktime.symantec.com", "clicktime.cloud.postoffice.net"), ("u", "url"), decode=_in_path),
    Rewriter(("protect.checkpoint.com", "url.avanan.click"), decode=_between_underscores),
    Rewriter(("protect.fireeye.com", "protect2.fireeye.com", "etp-us.fireeye.com", "protect.trellix.com"), ("u",)),
    Rewriter(("protection.sophos.com",), ("d",), decode=_base64_part),
    Rewriter(("urlsand.esvalabs.com", "urlsand.com"), ("u",)),
    Rewriter(("linkscan.io", "gravityzone.bitdefender.com"), decode=_base64_part),
    Rewriter(("linklock.titanhq.com",), ("url",)),
    Rewriter(("atpscan.global.hornetsecurity.com", "seclinks.cloud-security.net"), ("url", "u", "d")),
    Rewriter(("url.emailprotection.link", "console.mailguard.com.au", "fortimail.com", "scanmail.trustwave.com",
              "emailprotect.godaddy.com"), ("u", "url")),
    Rewriter(("safelink.emails.azure.net",), ("destination",)),
    Rewriter(("statics.teams.cdn.office.net",), ("url",)),
    # Services that warn of links, count them or show them in a search.
    Rewriter(_GOOGLE, ("q", "url"), r"/url\Z"),
    Rewriter(_GOOGLE, decode=_amp, path=r"/amp/"),
    Rewriter(("googleadservices.com", "googleads.g.doubleclick.net", "adclick.g.doubleclick.net"), ("adurl",)),
    Rewriter(("bing.com",), ("url",), r"/ck/a", _base64_part),
    Rewriter(("youtube.com",), ("q",), r"/redirect"),
    Rewriter(("l.facebook.com", "lm.facebook.com", "l.instagram.com"), ("u",)),
    Rewriter(("linkedin.com",), ("url",), r"/(?:redir/redirect|safety/go)"),
    Rewriter(("slack-redir.net",), ("url",)),
    Rewriter(("duckduckgo.com",), ("uddg",), r"/l/"),
    Rewriter(("deref-mail.com", "deref-gmx.net", "deref-web.de", "deref-gmx.com"), ("redirecturl",)),
    Rewriter(("vk.com", "away.vk.com"), ("to",), r"/away"),
    Rewriter(("steamcommunity.com",), ("url", "u"), r"/linkfilter"),
)  # fmt: skip
"""The known rewriters; `path` limits a host that also has pages of its own."""

_BY_HOST: dict[str, tuple[Rewriter, ...]] = {}
for _rewriter in REWRITERS:
    for _name in _rewriter.hosts:
        _BY_HOST[_name] = (*_BY_HOST.get(_name, ()), _rewriter)
