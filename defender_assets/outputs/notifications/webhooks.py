"""Settings of notifications: the webhooks of a team. A webhook's address is a secret, and enough to post."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from defender_assets.core.azure.account import LOOPBACK
from defender_assets.core.errors import SLACK_HOST, TEAMS_DOMAIN, SettingsError, contains_secret, quoted
from defender_assets.core.identifiers import PORTAL

TEAMS_WEBHOOK = "DEFENDER_TEAMS_WEBHOOK"
SLACK_WEBHOOK = "DEFENDER_SLACK_WEBHOOK"
NOTIFY_RISK = "DEFENDER_NOTIFY_RISK"
UI_URL = "DEFENDER_UI_URL"
TEAMS, SLACK = "teams", "slack"
DEFAULT_RISK = 80
HIGHEST_RISK = 100

_KINDS = {
    TEAMS_WEBHOOK: (TEAMS, "the address of a Teams workflow, https://….api.powerplatform.com/…/workflows/…"),
    SLACK_WEBHOOK: (SLACK, "the address of an incoming webhook, https://hooks.slack.com/services/…"),
}
# to notice that the two were swapped; a team's own proxy may have any host
_HOSTS = {TEAMS_WEBHOOK: re.compile(rf".+\.{TEAMS_DOMAIN}"), SLACK_WEBHOOK: re.compile(SLACK_HOST)}
# shorter parts of an address are common words, such as "workflows" or "manual"
_SHORTEST_SECRET = 12


@dataclass(frozen=True)
class Webhook:
    """A destination (`teams` or `slack`) and its address."""

    destination: str
    url: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the texts that must never be shown: the address and its parts."""
        address = urlsplit(self.url)
        target = f"{address.path}?{address.query}" if address.query else address.path
        parts = [*address.path.split("/"), *(pair.partition("=")[2] for pair in address.query.split("&"))]
        whole = [self.url, target, address.path, address.query]
        return tuple(text for text in (*whole, *parts) if len(text) >= _SHORTEST_SECRET)


@dataclass(frozen=True)
class NotificationConfig:
    """Destinations, the lowest risk of a lead to send, and the bases of links: Dagster's UI and Microsoft's portal.

    Without the address of the UI there are no links to it.
    """

    webhooks: tuple[Webhook, ...] = ()
    risk: int = DEFAULT_RISK
    ui_url: str | None = None
    portal_url: str = PORTAL


def notification_config(values: Mapping[str, str], portal: str = PORTAL) -> NotificationConfig:
    """Return the notification settings.

    Raises:
        SettingsError: one line that names the variable and never contains an address of a webhook.
    """
    webhooks = tuple(_webhook(variable, values[variable]) for variable in _KINDS if variable in values)
    return NotificationConfig(webhooks, _risk(values), _ui_url(values), portal)


def _webhook(variable: str, url: str) -> Webhook:
    destination, expected = _KINDS[variable]
    address = _http_address(url)
    if address is None or address.username is not None or not url.isprintable() or " " in url:
        raise SettingsError(f"{variable} is not an https address: expected {expected}")
    if address.scheme == "http" and address.hostname not in LOOPBACK:
        raise SettingsError(f"{variable} is an http:// address, which shows its secret to the network: use https://")
    for other, hosts in _HOSTS.items():
        if other != variable and hosts.fullmatch(address.hostname or ""):
            raise SettingsError(f"{variable} contains an address that belongs in {other}: expected {expected}")
    if not address.path.strip("/"):
        raise SettingsError(f"{variable} names a host but no webhook: expected {expected}")
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
    return base_of_links(UI_URL, text, "expected the address of Dagster's UI, such as https://dagster.example.org")


def base_of_links(variable: str, text: str, expected: str) -> str:
    """Return the address of a setting to which links lead, without a slash at its end.

    Raises:
        SettingsError: one line that names the variable and what is `expected`, and never contains a secret.
    """
    if contains_secret(text):
        raise SettingsError(f"{variable} contains the address of a webhook or a key: {expected}")
    address = _http_address(text)
    if not address or address.username or address.query or address.fragment or not _is_safe_in_links(text):
        raise SettingsError(f"{variable} is not a plain http or https address: {expected}")
    return text.rstrip("/")


def _http_address(text: str) -> SplitResult | None:
    """Return the parts of an http or https address with a host; None for any other text."""
    try:
        address = urlsplit(text)
        valid = address.scheme in {"http", "https"} and bool(address.hostname) and address.port != 0
    except ValueError:
        return None
    return address if valid else None


def _is_safe_in_links(text: str) -> bool:
    return text.isascii() and text.isprintable() and not set(text) & set(" <>|\"'`()[]\\")
