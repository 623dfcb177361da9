"""Where notices go: the webhooks of a team, their addresses kept out of every text. What is posted stands beside.

An address of a webhook is a secret: whoever knows it can post.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from defender_assets.core.azure.account import LOOPBACK
from defender_assets.core.errors import SLACK_HOST, TEAMS_DOMAIN, SettingsError, contains_secret, quoted

TEAMS_WEBHOOK = "DEFENDER_TEAMS_WEBHOOK"
SLACK_WEBHOOK = "DEFENDER_SLACK_WEBHOOK"
NOTIFY_RISK = "DEFENDER_NOTIFY_RISK"
UI_URL = "DEFENDER_UI_URL"
TEAMS, SLACK = "teams", "slack"
DEFAULT_RISK = 80
HIGHEST_RISK = 100

_KINDS = {
    TEAMS_WEBHOOK: (TEAMS, "the address of a Teams workflow, https://….logic.azure.com/workflows/…"),
    SLACK_WEBHOOK: (SLACK, "the address of an incoming webhook, https://hooks.slack.com/services/…"),
}
# what is surely the other one's; either kind may also stand behind a host of one's own
_HOSTS = {
    TEAMS_WEBHOOK: re.compile(rf".+\.{TEAMS_DOMAIN}"),
    SLACK_WEBHOOK: re.compile(SLACK_HOST),
}
# shorter parts of an address are words that also stand elsewhere, such as "workflows" or "manual"
_SHORTEST_SECRET = 12


@dataclass(frozen=True)
class Webhook:
    """One receiver: `destination` is `teams` or `slack`."""

    destination: str
    url: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the texts that must never be shown: the address, whole and in its parts."""
        address = urlsplit(self.url)
        target = f"{address.path}?{address.query}" if address.query else address.path
        parts = [*address.path.split("/"), *(pair.partition("=")[2] for pair in address.query.split("&"))]
        whole = [self.url, target, address.path, address.query]
        return tuple(text for text in (*whole, *parts) if len(text) >= _SHORTEST_SECRET)


@dataclass(frozen=True)
class NotificationConfig:
    """Who is told, from which risk on, and where links to Dagster's UI lead (None: none are made)."""

    webhooks: tuple[Webhook, ...] = ()
    risk: int = DEFAULT_RISK
    ui_url: str | None = None


def notification_config(values: Mapping[str, str]) -> NotificationConfig:
    """Return what the settings say about notices.

    Raises:
        SettingsError: one line that names the variable; the address of a webhook is never part of it.
    """
    webhooks = tuple(_webhook(variable, values[variable]) for variable in _KINDS if variable in values)
    return NotificationConfig(webhooks, _risk(values), _ui_url(values))


def _webhook(variable: str, url: str) -> Webhook:
    destination, right = _KINDS[variable]
    try:
        address = urlsplit(url)
        host, plain = address.hostname, address.scheme == "http"
        well_formed = bool(host) and address.username is None and address.port != 0 and url.isprintable()
    except ValueError:
        well_formed, host, plain = False, None, False
    if not well_formed or " " in url or address.scheme not in {"http", "https"}:
        raise SettingsError(f"{variable} is no https address: expected {right}")
    if plain and host not in LOOPBACK:
        raise SettingsError(f"{variable} is an http:// address, which shows its secret to the network: use https://")
    for other, hosts in _HOSTS.items():
        if other != variable and hosts.fullmatch(host or ""):
            raise SettingsError(f"{variable} holds an address that belongs into {other}: expected {right}")
    if not address.path.strip("/"):
        raise SettingsError(f"{variable} names a host and no webhook: expected {right}")
    return Webhook(destination, url)


def _risk(values: Mapping[str, str]) -> int:
    text = values.get(NOTIFY_RISK, str(DEFAULT_RISK))
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > HIGHEST_RISK:
        raise SettingsError(f"{NOTIFY_RISK} is {quoted(text)}: expected a risk from 0 to {HIGHEST_RISK}, such as 80")
    return int(text)


def _ui_url(values: Mapping[str, str]) -> str | None:
    text = values.get(UI_URL)
    if text is None:
        return None
    right = "expected the address of Dagster's UI, such as https://dagster.example.org"
    try:
        address = urlsplit(text)
        well_formed = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        well_formed = False
    if contains_secret(text):
        raise SettingsError(f"{UI_URL} holds the address of a webhook or a key: {right}")
    if not well_formed or address.username or address.query or address.fragment or not _plain(text):
        raise SettingsError(f"{UI_URL} is no plain http or https address: {right}")
    return text.rstrip("/")


def _plain(text: str) -> bool:
    """Return whether a text can stand in a link of any receiver as it is."""
    return text.isascii() and text.isprintable() and not set(text) & set(" <>|\"'`()[]\\")
