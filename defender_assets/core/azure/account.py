"""One Azure Storage account: how it is addressed and authenticated, for the export and for the lake.

What is read from it or written to it stands in `export/` and `lake.py`, what its errors mean in `refusals`.
"""

import base64
import binascii
import functools
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential, TokenCredential
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient

from defender_assets.core.errors import SettingsError

DEFAULT_SUFFIX = "core.windows.net"
STORAGE_SCOPE = "https://storage.azure.com/.default"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

# Azurite's account is published and the same everywhere, so it is no secret: learn.microsoft.com/azure/storage/common
EMULATOR_NAME = "devstoreaccount1"
EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
EMULATOR_ENDPOINT = f"http://127.0.0.1:10000/{EMULATOR_NAME}"


@dataclass(frozen=True)
class AzureAccount:
    """An account's blob endpoint with an account key, a SAS, or neither (then Entra ID).

    `endpoint` has no trailing slash and, for the emulator, ends in the account name.
    """

    name: str
    endpoint: str
    key: str | None = field(default=None, repr=False)
    sas: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the texts that must never be shown: the key or the SAS, whole, in part and unquoted."""
        found = [self.key, self.sas]
        for pair in (self.sas or "").split("&"):
            name, _, value = pair.partition("=")
            if name == "sig" and value:
                found += [value, unquote(value)]
        return tuple(secret for secret in found if secret)

    @property
    def auth_method(self) -> str:
        """Return how the account is authenticated, in words without a secret."""
        return "account key" if self.key else "shared access signature" if self.sas else "Entra ID"

    @property
    def on_this_machine(self) -> bool:
        """Return whether it is an emulator here."""
        return urlsplit(self.endpoint).hostname in LOOPBACK

    def service(self) -> BlobServiceClient:
        """Return a client of the account's blob service.

        A request to an account that cannot be reached is given up after three tries, within half a minute: the sensor
        has one minute for all of them. (The SDK's own pauses alone would take more than that.)

        Raises:
            ClientAuthenticationError: when there is no Entra identity. The SDK would ask again for half a minute.
        """
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
            # a proxy of the environment leads elsewhere, and cannot know an emulator on this machine
            use_env_settings=not self.on_this_machine,
        )

    def storage_options(self) -> dict[str, str]:
        """Return the options by which deltalake and Polars reach this account.

        A connection string does not reach them reliably, so its parts are passed. Entra tokens live for about an
        hour: call this at every opening and keep nothing.
        """
        options = {"account_name": self.name}
        if urlsplit(self.endpoint).scheme == "http" or not self.endpoint.endswith(f".{DEFAULT_SUFFIX}"):
            options["endpoint"] = self.endpoint
        if urlsplit(self.endpoint).scheme == "http":
            options["allow_http"] = "true"
        if self.key:
            options["account_key"] = self.key
        elif self.sas:
            options["sas_token"] = self.sas
        else:
            options["bearer_token"] = entra_credential().get_token(STORAGE_SCOPE).token
        return options


@functools.cache
def entra_credential() -> TokenCredential:
    """Return the one credential of this process: managed identity, workload identity, CLI and so on, in that order."""
    return DefaultAzureCredential()


def from_connection_string(variable: str, text: str) -> AzureAccount:
    """Return the account that a connection string of the Azure portal describes.

    Any order and case of keys, `EndpointSuffix` of the sovereign clouds, `BlobEndpoint`, `SharedAccessSignature` and
    `UseDevelopmentStorage` are understood.

    Raises:
        SettingsError: naming `variable`, what is wrong and what a right value looks like, never the value.
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
            f"{variable} is a SAS URL or token and no connection string: write "
            "'BlobEndpoint=https://ACCOUNT.blob.core.windows.net/;SharedAccessSignature=…'"
        )
    if not key and not sas:
        raise SettingsError(f"{variable} holds neither AccountKey nor SharedAccessSignature; copy it again, whole")
    if not (parts.get("blobendpoint") or parts.get("accountname")):
        raise SettingsError(f"{variable} holds neither AccountName nor BlobEndpoint; copy it again, whole")
    if key and not _is_base64(key):
        raise SettingsError(f"{variable} holds an AccountKey that is cut or mistyped; copy it again, whole")
    protocol, suffix = parts.get("defaultendpointsprotocol", "https"), parts.get("endpointsuffix", DEFAULT_SUFFIX)
    endpoint = parts.get("blobendpoint") or f"{protocol}://{parts['accountname']}.blob.{suffix}"
    return _account(variable, endpoint, parts.get("accountname"), key, None if key else sas)


def from_account_url(variable: str, text: str) -> AzureAccount:
    """Return the account behind a blob service URL, to be reached through Entra ID.

    Raises:
        SettingsError: when the text is not such a URL, or carries a SAS.
    """
    if "?" in text:
        raise SettingsError(
            f"{variable} carries a query: a URL with a SAS belongs into AZURE_STORAGE_CONNECTION_STRING as "
            "'BlobEndpoint=https://ACCOUNT.blob.core.windows.net;SharedAccessSignature=…'"
        )
    account = _account(variable, text, None, None, None)
    address = urlsplit(account.endpoint)
    if address.scheme == "http":
        raise SettingsError(
            f"{variable} is an http:// address, and Entra ID needs https://; the emulator is reached by "
            "AZURE_STORAGE_CONNECTION_STRING='UseDevelopmentStorage=true'"
        )
    if address.path and not account.on_this_machine:
        raise SettingsError(
            f"{variable} names a container or a folder: expected the account alone, "
            "https://ACCOUNT.blob.core.windows.net"
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
    more = address.username or address.query or address.fragment or re.search(r"\s", endpoint)
    if address.scheme not in {"http", "https"} or not host or more:
        raise SettingsError(
            f"{variable} names no blob endpoint: expected something like 'https://ACCOUNT.blob.core.windows.net'"
        )
    if ".dfs." in host:
        raise SettingsError(
            f"{variable} names the dfs endpoint {host}: the export is read through {host.replace('.dfs.', '.blob.', 1)}"
        )
    if address.scheme == "http" and host not in LOOPBACK:
        raise SettingsError(
            f"{variable} asks for plain http to {host}: keys and alerts would travel in the clear; use https "
            "(http is for an emulator on this machine only)"
        )
    from_path = address.path.strip("/").split("/")[0]
    return AzureAccount(name or from_path or host.split(".")[0], endpoint, key, sas)
