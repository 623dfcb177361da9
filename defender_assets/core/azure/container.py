"""The container of a lake in Azure: its name, whether it exists, and its creation."""

from contextlib import suppress
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ResourceExistsError

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.azure.errors import describe_error
from defender_assets.core.azure.sas import WRITE
from defender_assets.core.errors import LakeError


def container_of(uri: str) -> str:
    """Return the container in `az://CONTAINER/…` or `abfss://CONTAINER@HOST/…`."""
    address = urlsplit(uri)
    return address.username or address.netloc


def is_missing(account: AzureAccount, uri: str) -> bool:
    """Return whether the container certainly does not exist; False when the account refuses to answer."""
    try:
        with account.service() as service:
            return not service.get_container_client(container_of(uri)).exists()
    except AzureError:
        return False


def create_container(account: AzureAccount, uri: str) -> None:
    """Create the container if it is missing.

    Raises:
        LakeError: when the account cannot be reached or refuses.
    """
    container = container_of(uri)
    try:
        with account.service() as service:
            client = service.get_container_client(container)
            if not client.exists():
                # another writer may create it at the same time
                with suppress(ResourceExistsError):
                    client.create_container()
    except AzureError as error:
        raise LakeError(describe_error(account, f"create the lake's container {container}", error, WRITE)) from None
