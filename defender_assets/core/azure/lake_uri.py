"""The address of a lake: validation for Delta tables, and the account it belongs to. Nothing is opened here."""

import re
from pathlib import Path

from defender_assets.core.azure.account import AzureAccount, from_account_url, from_connection_string
from defender_assets.core.errors import SettingsError, quoted

LAKE_URI = "DEFENDER_LAKE_URI"
LAKE_CONNECTION_STRING = "DEFENDER_LAKE_CONNECTION_STRING"

# mistyped addresses such as az:/lake included; C:\lake is a path
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\]|.*://")
_IN_AZURE = re.compile(
    r"(?P<scheme>az|abfss)://(?P<container>[^/@:?]+)(?:@(?P<host>[A-Za-z0-9.-]+))?(?P<folder>(?:/[^?]*)?)"
)
# learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
# deltalake 1.6 and Polars 2.1 read these as a glob pattern, a partition, an escape or a separator.
_UNSUPPORTED = re.compile(r"[\[\]^|*?=\\\x00-\x1f]|%[0-9A-Fa-f]{2}")
# In an account they encode even a space differently.
_AZURE_FOLDER = re.compile(r"(/[A-Za-z0-9_.~+-]+)*")


def is_address(text: str) -> bool:
    """Return whether a text is (or was meant to be) an address with a scheme and not a path."""
    return _ADDRESS.match(text) is not None


def local_lake(path: Path) -> str:
    """Return the address of a lake in a directory.

    Raises:
        SettingsError: when it is a file, or readers could not find Delta tables below it.
    """
    if path.is_file():
        raise SettingsError(f"{LAKE_URI}: {quoted(str(path))} is a file: expected a directory, such as .defender/lake")
    if unsupported := _UNSUPPORTED.search(path.as_posix()):
        raise SettingsError(
            f"{LAKE_URI}: tables cannot be stored below {quoted(str(path))}, because of {unsupported[0]!r} in it: "
            "expected a path without [ ] ^ | * ? = \\ and %20, such as /srv/defender/lake"
        )
    return str(path)


def azure_lake(
    uri: str, connection_string: str | None, export_account: AzureAccount | None
) -> tuple[str, AzureAccount]:
    """Return the address of a lake in Azure, and its account: from the connection string, the address or the export.

    Raises:
        SettingsError: when the address is not valid, or does not determine an account.
    """
    uri = uri.rstrip("/")
    address = _IN_AZURE.fullmatch(uri)
    if address is None or (address["scheme"] == "az" and address["host"]):
        raise SettingsError(
            f"{LAKE_URI} starts with {quoted(uri.partition(':')[0] + ':')}: expected a path, az://CONTAINER/PATH or "
            "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH"
        )
    container, host, folder = address["container"], address["host"] or "", address["folder"]
    if not _CONTAINER.fullmatch(container):
        raise SettingsError(
            f"{LAKE_URI} names the container {quoted(container)}, which Azure does not allow: expected "
            "3 to 63 lower case letters, digits and single hyphens"
        )
    if not _AZURE_FOLDER.fullmatch(folder):
        raise SettingsError(
            f"{LAKE_URI} names the folder {quoted(folder)}, below which tables cannot be stored: expected letters a to "
            "z, digits and _ . ~ + - between single slashes"
        )
    account_name = host.split(".")[0]
    if connection_string is not None:
        account = from_connection_string(LAKE_CONNECTION_STRING, connection_string)
        # an endpoint of another form does not contain the account's name
        if account_name and account_name != account.name and ".blob." in account.endpoint:
            raise SettingsError(
                f"{LAKE_URI} names the account {quoted(account_name)}, but {LAKE_CONNECTION_STRING} is of "
                f"{quoted(account.name)}: they must be the same"
            )
        return uri, account
    if host and not (export_account and account_name == export_account.name):
        return uri, from_account_url(LAKE_URI, f"https://{host.replace('.dfs.', '.blob.')}")
    if export_account is None:
        raise SettingsError(
            f"{LAKE_URI} is in Azure, but no account is set: set {LAKE_CONNECTION_STRING}, or use "
            "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH with Entra ID"
        )
    return uri, export_account
