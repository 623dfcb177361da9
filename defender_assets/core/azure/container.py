"""The container of a lake in Azure: its name, whether it exists, its creation, and the time of its account."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.azure.errors import as_lake_error

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse
    from azure.storage.blob import ContainerClient


def container_of(uri: str) -> str:
    """Return the container in `az://CONTAINER/…` or `abfss://CONTAINER@HOST/…`."""
    address = urlsplit(uri)
    return address.username or address.netloc


def container_client(account: AzureAccount, uri: str) -> "ContainerClient":
    """Return a client of the container in a URI, over the connections that the account keeps open.

    Raises:
        ClientAuthenticationError: when there is no Entra identity.
    """
    return account.open_service.get_container_client(container_of(uri))


def is_missing(account: AzureAccount, uri: str) -> bool:
    """Return whether the container certainly does not exist; False when the account refuses to answer."""
    from azure.core.exceptions import AzureError  # noqa: PLC0415 (loaded with the first account)

    try:
        return not container_client(account, uri).exists()
    except AzureError:
        return False


def service_time(account: AzureAccount, uri: str) -> datetime | None:
    """Return the account's clock, also from an answer that refuses; None when the answer has no date.

    Raises:
        AzureError: when the account cannot be reached.
    """
    from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 (loaded with the first account)

    times: list[datetime] = []
    with suppress(HttpResponseError):
        container_client(account, uri).get_container_properties(raw_response_hook=adding_date_to(times))
    return times[-1] if times else None


def adding_date_to(times: list[datetime]) -> "Callable[[PipelineResponse[Any, Any]], None]":
    """Return a hook for requests of the Azure SDK that adds the date of each answer, if it has a valid one."""

    def add(response: "PipelineResponse[Any, Any]") -> None:
        with suppress(KeyError, ValueError, TypeError, OverflowError):
            times.append(parsedate_to_datetime(response.http_response.headers["Date"]))

    return add


def create_container(account: AzureAccount, uri: str) -> None:
    """Create the container if it is missing.

    Raises:
        LakeError: when the account cannot be reached or refuses.
    """
    from azure.core.exceptions import ResourceExistsError  # noqa: PLC0415 (loaded with the first account)

    with as_lake_error(account, f"create the lake's container {container_of(uri)}"):
        client = container_client(account, uri)
        if not client.exists():
            # another writer may create it at the same time
            with suppress(ResourceExistsError):
                client.create_container()
