"""One Azure Storage account: its address and its credentials, for the export and for the lake."""

import base64
import binascii
import functools
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from defender_assets.core.errors import SettingsError, redact

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.storage.blob import BlobServiceClient

DEFAULT_SUFFIX = "core.windows.net"
STORAGE_SCOPE = "https://storage.azure.com/.default"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# Azurite's account and key are public and the same everywhere: learn.microsoft.com/azure/storage/common
EMULATOR_NAME = "devstoreaccount1"
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
EMULATOR_ENDPOINT = f"http://127.0.0.1:10000/{EMULATOR_NAME}"


@dataclass(frozen=True)
class AzureAccount:
    """A blob endpoint (no trailing slash; the emulator's ends in the account name) with a key, a SAS or Entra ID."""

    name: str
    endpoint: str
    key: str | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the texts to redact: the key or the SAS, and the SAS's signature as written and percent-decoded."""
        found = [self.key, self.sas]
        for pair in (self.sas or "").split("&"):
            name, _, value = pair.partition("=")
            if name == "sig" and value:
                found += [value, unquote(value)]
        return tuple(secret for secret in found if secret)

    @property
    def auth_method(self) -> str:
        return "account key" if self.key else "shared access signature" if self.sas else "Entra ID"

    @property
    def on_this_machine(self) -> bool:
        return urlsplit(self.endpoint).hostname in LOOPBACK

    def service(self) -> "BlobServiceClient":
        """Return a client of the account's blob service.

        A request to an unreachable account fails after three attempts, within 30 seconds: a sensor tick has one minute
        for all requests, less than the SDK's default pauses.

        Raises:
            ClientAuthenticationError: when there is no Entra identity. The SDK would retry for 30 seconds.
        """
        # a local lake and export do not need the SDK
        from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential  # noqa: PLC0415
        from azure.storage.blob import BlobServiceClient  # noqa: PLC0415

        logging.getLogger("urllib3.connectionpool").addFilter(_without_signature)
        credential: AzureNamedKeyCredential | AzureSasCredential | TokenCredential
        if self.key:
            credential = AzureNamedKeyCredential(self.name, self.key)
        elif self.sas:
            credential = AzureSasCredential(self.sas)
        else:
            credential = entra_credential()
            credential.get_token(STORAGE_SCOPE)
        return BlobServiceClient(
            self.endpoint,
            credential=credential,
            retry_total=4,
            retry_connect=2,
            retry_read=2,
            initial_backoff=1,
            increment_base=2,
            random_jitter_range=1,
            connection_timeout=5,
            read_timeout=30,
            # a proxy from the environment cannot reach an emulator on this machine
            use_env_settings=not self.on_this_machine,
        )

    @functools.cached_property
    def open_service(self) -> "BlobServiceClient":
        """Return a client that this process keeps, so that further requests use its connections again. Never close it.

        Raises:
            ClientAuthenticationError: when there is no Entra identity.
        """
        return self.service()

    def storage_options(self) -> dict[str, str]:
        """Return the storage options for deltalake and Polars; neither supports connection strings reliably.

        Do not cache them: an Entra token is valid for about an hour.
        """
        options = {"account_name": self.name}
        if not self.endpoint.endswith(f".{DEFAULT_SUFFIX}"):
            options["endpoint"] = self.endpoint
        if urlsplit(self.endpoint).scheme == "http":
            options |= {"endpoint": self.endpoint, "allow_http": "true"}
        if self.key:
            options["account_key"] = self.key
        elif self.sas:
            options["sas_token"] = self.sas
        else:
            options["bearer_token"] = entra_credential().get_token(STORAGE_SCOPE).token
        return options


def _without_signature(line: logging.LogRecord) -> bool:
    """Redact a log line of urllib3, which has the whole address of a request, its SAS included."""
    line.msg, line.args = redact(line.getMessage()), ()
    return True


@functools.cache
def entra_credential() -> "TokenCredential":
    """Return this process's shared credential; it tries the environment, managed identity, Azure CLI and others."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 (a key or a SAS does not need it)

    return DefaultAzureCredential()


def from_connection_string(variable: str, text: str) -> AzureAccount:
    """Return the account of a connection string from the Azure portal.

    Keys may have any order and case. `EndpointSuffix` (sovereign clouds), `BlobEndpoint`, `SharedAccessSignature` and
    `UseDevelopmentStorage` are supported.

    Raises:
        SettingsError: naming `variable`, the fault and the expected form, never the value.
    """
    pairs = [part.partition("=") for part in text.strip().strip("\"'").split(";") if part.strip()]
    parts = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if not pairs or any(not separator for _, separator, _ in pairs):
        raise SettingsError(
            f"{variable} is not a connection string: expected "
            "'DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net' "
            "as the portal shows it under 'Access keys'"
        )
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        return AzureAccount(EMULATOR_NAME, EMULATOR_ENDPOINT, key=EMULATOR_KEY)
    key, sas = parts.get("accountkey"), (parts.get("sharedaccesssignature") or "").removeprefix("?") or None
    if not key and not sas and "sig=" in text:
        raise SettingsError(
            f"{variable} is a SAS URL or token, not a connection string: write "
            "'BlobEndpoint=https://ACCOUNT.blob.core.windows.net/;SharedAccessSignature=…'"
        )
    if not key and not sas:
        raise SettingsError(f"{variable} holds neither AccountKey nor SharedAccessSignature; copy all of it again")
    if not (parts.get("blobendpoint") or parts.get("accountname")):
        raise SettingsError(f"{variable} holds neither AccountName nor BlobEndpoint; copy all of it again")
    if key and not _is_base64(key):
        raise SettingsError(f"{variable} has a truncated or mistyped AccountKey; copy all of it again")
    protocol, suffix = parts.get("defaultendpointsprotocol", "https"), parts.get("endpointsuffix", DEFAULT_SUFFIX)
    endpoint = parts.get("blobendpoint") or f"{protocol}://{parts['accountname']}.blob.{suffix}"
    return _account(variable, endpoint, parts.get("accountname"), key, None if key else sas)


def from_account_url(variable: str, text: str) -> AzureAccount:
    """Return the account of a blob service URL, authenticated with Entra ID.

    Raises:
        SettingsError: when the text is not such a URL, or contains a SAS.
    """
    if "?" in text:
        raise SettingsError(
            f"{variable} contains a query: set a URL with a SAS in AZURE_STORAGE_CONNECTION_STRING as "
            "'BlobEndpoint=https://ACCOUNT.blob.core.windows.net;SharedAccessSignature=…'"
        )
    account = _account(variable, text, None, None, None)
    address = urlsplit(account.endpoint)
    if address.scheme == "http":
        raise SettingsError(
            f"{variable} is an http:// address, but Entra ID requires https://; for the emulator set "
            "AZURE_STORAGE_CONNECTION_STRING='UseDevelopmentStorage=true'"
        )
    return account


def _is_base64(key: str) -> bool:
    try:
        base64.b64decode(key, validate=True)
    except binascii.Error:
        return False
    return True


def _account(variable: str, endpoint: str, name: str | None, key: str | None, sas: str | None) -> AzureAccount:
    endpoint = endpoint.strip().rstrip("/")
    try:
        address = urlsplit(endpoint)
        host, _ = address.hostname or "", address.port
    except ValueError:
        address, host = urlsplit(""), ""
    unexpected = address.username or address.query or address.fragment or re.search(r"\s", endpoint)
    if address.scheme not in {"http", "https"} or not host or unexpected:
        raise SettingsError(f"{variable} has no blob endpoint: expected e.g. 'https://ACCOUNT.blob.core.windows.net'")
    if ".dfs." in host:
        raise SettingsError(
            f"{variable} names the dfs endpoint {host}: the export is read through {host.replace('.dfs.', '.blob.', 1)}"
        )
    if address.scheme == "http" and host not in LOOPBACK:
        raise SettingsError(
            f"{variable} uses plain http to {host}: keys and alerts would be sent unencrypted; use https "
            "(http is only for an emulator on this machine)"
        )
    # an emulator has the name of the account in the path
    if address.path and host not in LOOPBACK and address.path.strip("/") != name:
        raise SettingsError(
            f"{variable} names a container or a folder: expected the account alone, https://ACCOUNT.blob.core.windows.net"
        )
    from_path = address.path.strip("/").split("/")[0]
    return AzureAccount(name or from_path or host.split(".")[0], endpoint, key, sas)
