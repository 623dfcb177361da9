"""The container that a lake in Azure lives in: which one, whether it is there, and making it. Tables are `lake`'s."""

from contextlib import suppress
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ResourceExistsError

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.azure.errors import describe_error
from defender_assets.core.azure.sas import WRITE
from defender_assets.core.errors import LakeError


def container_of(uri: str) -> str:
    """Return the container that `az://CONTAINER/…` or `abfss://CONTAINER@HOST/…` names."""
    address = urlsplit(uri)
    return address.username or address.netloc


def is_missing(account: AzureAccount, uri: str) -> bool:
    """Return whether the container is known not to exist; without the permission to ask, it may."""
    try:
        with account.service() as service:
            return not service.get_container_client(container_of(uri)).exists()
    except AzureError:
        return False


def create_container(account: AzureAccount, uri: str) -> None:
    """Create the container, when it is missing.

    Raises:
        LakeError: when that is not permitted.
    """
    container = container_of(uri)
    try:
        with account.service() as service:
            client = service.get_container_client(container)
            if not client.exists():
                # another first writer may be just as far
                with suppress(ResourceExistsError):
                    client.create_container()
    except AzureError as error:
        raise LakeError(describe_error(account, f"create the lake's container {container}", error, WRITE)) from None
