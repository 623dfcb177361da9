"""The address of a lake: which ones Delta tables can have, and whose account it is. Nothing is opened here."""

import re
from pathlib import Path

from defender_assets.core.azure.account import AzureAccount, from_account_url, from_connection_string
from defender_assets.core.errors import SettingsError, quoted

LAKE_URI = "DEFENDER_LAKE_URI"
LAKE_CONNECTION_STRING = "DEFENDER_LAKE_CONNECTION_STRING"

# mistyped ones such as az:/lake included; C:\lake is a path
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:[/\\]|.*://")
_IN_AZURE = re.compile(
    r"(?P<scheme>az|abfss)://(?P<container>[^/@:?]+)(?:@(?P<host>[A-Za-z0-9.-]+))?(?P<folder>(?:/[^?]*)?)"
)
# learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
# What deltalake 1.6 and Polars 2.1 take for something else than a name: a pattern, a partition, an escape, a separator.
_UNFIT = re.compile(r"[\[\]^|*?=\\\x00-\x1f]|%[0-9A-Fa-f]{2}")
# In an account they do not even agree on how a blank is spelt.
_FIT_IN_AZURE = re.compile(r"(/[A-Za-z0-9_.~+-]+)*")


def is_address(text: str) -> bool:
    """Return whether a text is, or was meant to be, an address with a scheme; else it is a path."""
    return _ADDRESS.match(text) is not None


def local_lake(path: Path) -> str:
    """Return the address of a lake in a directory.

    Raises:
        SettingsError: when Delta tables below it would not be found again.
    """
    if unfit := _UNFIT.search(path.as_posix()):
        raise SettingsError(
            f"{LAKE_URI}: tables cannot lie below {quoted(str(path))}, because of {unfit[0]!r} in it: expected a path "
            "without [ ] ^ | * ? = \\ and %20, such as /srv/defender/lake"
        )
    return str(path)


def azure_lake(
    given: str, connection_string: str | None, export_account: AzureAccount | None
) -> tuple[str, AzureAccount]:
    """Return the address of a lake in Azure, and its account: the connection string's, the address's, the export's.

    Raises:
        SettingsError: when it is no such address, or its account is not known.
    """
    text = given.rstrip("/")
    address = _IN_AZURE.fullmatch(text)
    if address is None or (address["scheme"] == "az" and address["host"]):
        raise SettingsError(
            f"{LAKE_URI} starts with {quoted(text.partition(':')[0] + ':')}: expected a path, az://CONTAINER/PATH or "
            "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH"
        )
    container, host, folder = address["container"], address["host"] or "", address["folder"]
    if not _CONTAINER.fullmatch(container):
        raise SettingsError(
            f"{LAKE_URI} names the container {quoted(container)}, which Azure does not allow: expected 3 to 63 lower "
            "case letters, digits and single hyphens"
        )
    if not _FIT_IN_AZURE.fullmatch(folder):
        raise SettingsError(
            f"{LAKE_URI} names the folder {quoted(folder)}, below which tables cannot lie: expected letters a to z, "
            "digits and _ . ~ + - between single slashes"
        )
    named = host.split(".")[0]
    if connection_string is not None:
        account = from_connection_string(LAKE_CONNECTION_STRING, connection_string)
        # an endpoint of another shape tells nothing about the account's name
        if named and named != account.name and ".blob." in account.endpoint:
            raise SettingsError(
                f"{LAKE_URI} names the account {quoted(named)}, but {LAKE_CONNECTION_STRING} is of "
                f"{quoted(account.name)}: they must be the same"
            )
        return text, account
    if host and not (export_account and named == export_account.name):
        return text, from_account_url(LAKE_URI, f"https://{host.replace('.dfs.', '.blob.')}")
    if export_account is None:
        raise SettingsError(
            f"{LAKE_URI} is in Azure, but no account is known: set {LAKE_CONNECTION_STRING}, or use "
            "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH with Entra ID"
        )
    return text, export_account
