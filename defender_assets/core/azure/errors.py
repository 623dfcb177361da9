"""Errors of a storage account as one line with advice and without secrets. Callers catch them."""

import re
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeGuard
from urllib.parse import urlsplit
from urllib.request import getproxies

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.azure.sas import READ, WRITE, RequiredPermissions, grant_of
from defender_assets.core.errors import LakeError, redact

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError, ResourceNotFoundError

_STATUS = re.compile(r"non-2xx status code\W+(\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_BAD_CREDENTIALS = frozenset({"AuthenticationFailed", "InvalidAuthenticationInfo"})
# 4xx that say something about the account or this moment, not about the blob: no identity, too late, too many requests
_NOT_OF_THE_PART = frozenset({401, 408, 429})
_OF_A_BLOB = {
    "BlobArchived": "it is archived; rehydrate it (change its access tier to Hot or Cool)",
    "BlobBeingRehydrated": "it is being rehydrated, which takes hours; it is read when that is done",
    "BlobUsesCustomerSpecifiedEncryption": (
        "it is encrypted with a key that the account does not hold; write it again without that key"
    ),
    "KeyVaultEncryptionKeyNotFound": "its encryption key is missing; restore it in the key vault",
}
_CONNECTION_FAILED = "client error (Connect)"
_UNKNOWN_HOST = "no such account: DNS cannot resolve its name; check the name, and this machine's DNS and proxy"


def is_azure_error(error: BaseException) -> "TypeGuard[AzureError]":
    """Return whether the Azure SDK raised an error. The SDK is not loaded for that: without it there is none."""
    exceptions = sys.modules.get("azure.core.exceptions")
    return exceptions is not None and isinstance(error, exceptions.AzureError)


@contextmanager
def as_lake_error(account: AzureAccount | None, action: str) -> Iterator[None]:
    """Raise errors of the Azure SDK as LakeError: one line without secrets, with the action that failed."""
    try:
        yield
    except Exception as error:  # the class of the SDK's errors is known only once the SDK is loaded
        if account is None or not is_azure_error(error):
            raise
        raise LakeError(describe_error(account, action, error, WRITE)) from None


def describe_error(account: AzureAccount, action: str, error: "AzureError", needs: RequiredPermissions = READ) -> str:
    """Return one line without secrets: the action that failed, the account and the fix."""
    from azure.core.exceptions import (  # noqa: PLC0415 (loaded with the first account)
        ClientAuthenticationError,
        DecodeError,
        IncompleteReadError,
        ServiceRequestError,
        ServiceResponseError,
    )

    status, error_code = getattr(error, "status_code", None), getattr(error, "error_code", None)
    code = str(getattr(error_code, "value", error_code) or status or type(error).__name__)
    if isinstance(error, ServiceRequestError):
        advice = _connection_advice(account, error)
    elif isinstance(error, ServiceResponseError | IncompleteReadError):
        advice = "the connection broke; the next attempt continues after the last committed byte"
    elif isinstance(error, ClientAuthenticationError) and status is None:
        advice = "no Entra identity found; sign in with the Azure CLI (az login) or give the machine a managed identity"
    elif code in _OF_A_BLOB:
        advice = f"{code}: {_OF_A_BLOB[code]}"
    elif status in {401, 403}:
        advice = _refusal(account, code, needs)
    elif isinstance(error, DecodeError) or (status == HTTPStatus.NOT_FOUND and not error_code):
        return no_blob_service(account, action)
    else:
        advice = redact(f"{code}: {getattr(error, 'reason', None) or 'the service failed'}", account.secrets)
    return _line(account, action, advice)


def is_refusal(error: "AzureError") -> bool:
    """Return whether the service answered and refused this request for good, as far as it knows: a 4xx."""
    from azure.core.exceptions import DecodeError  # noqa: PLC0415 (loaded with the first account)

    status = getattr(error, "status_code", None)
    return (
        isinstance(status, int)
        and HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        and status not in _NOT_OF_THE_PART
        and not isinstance(error, DecodeError)
    )


def describe_error_text(account: AzureAccount, action: str, text: str, needs: RequiredPermissions) -> str | None:
    """Return the same line for the text of a delta-rs error; None when the account is not the cause."""
    text = redact(text)
    status, code = _STATUS.search(text), _CODE.search(text)
    if status and status[1] in {"401", "403"}:
        return _line(account, action, _refusal(account, code[1] if code else status[1], needs))
    if _CONNECTION_FAILED in text:
        return _line(account, action, _UNKNOWN_HOST if "dns error" in text else _unreachable(account))
    return None


def no_blob_service(account: AzureAccount, action: str) -> str:
    """Return the line for a response that does not come from a blob service."""
    advice = "the server there is not a blob service; check the address, and whether a proxy or a login page responds"
    return _line(account, action, advice)


def is_container_missing(error: "ResourceNotFoundError") -> bool:
    """Return whether the 404 comes from the blob service itself and means a missing container."""
    from azure.storage.blob import StorageErrorCode  # noqa: PLC0415 (loaded with the first account)

    return getattr(error, "error_code", None) == StorageErrorCode.CONTAINER_NOT_FOUND


def _line(account: AzureAccount, action: str, advice: str) -> str:
    return f"cannot {action} at {account.endpoint} ({account.auth_method}): {advice}"


def _connection_advice(account: AzureAccount, error: "AzureError") -> str:
    from requests.exceptions import ProxyError  # noqa: PLC0415 (loaded with the first account)
    from urllib3.exceptions import NameResolutionError  # noqa: PLC0415 (as above)

    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return (
            "its certificate is not trusted on this machine; if a proxy inspects TLS, set REQUESTS_CA_BUNDLE to the "
            "file with that proxy's certificate"
        )
    if any(isinstance(cause, ProxyError) for cause in causes):
        return f"the proxy in {_proxy_variable(account)} refuses; correct it, or add the account's host to NO_PROXY"
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return _UNKNOWN_HOST
    return _unreachable(account)


def _unreachable(account: AzureAccount) -> str:
    if not account.on_this_machine:
        return "no such account, or it cannot be reached; check the account's name, DNS, firewall and proxy"
    if urlsplit(account.endpoint).scheme in getproxies():
        variable = _proxy_variable(account)
        return f"nothing listens there, or the proxy in {variable} is used; add 127.0.0.1 and localhost to NO_PROXY"
    return "nothing listens there; is the emulator running?"


def _proxy_variable(account: AzureAccount) -> str:
    """Return the name of the variable only: its value may contain a password."""
    scheme = urlsplit(account.endpoint).scheme
    return f"{scheme.upper() if scheme in getproxies() else 'ALL'}_PROXY"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes; azure-core, requests and urllib3 each store them in another attribute."""
    waiting: list[object] = [error]
    seen = set()
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        inner = (getattr(found, name, None) for name in ("inner_exception", "reason", "__cause__", "__context__"))
        waiting += [*inner, *found.args]


def _refusal(account: AzureAccount, code: str, needs: RequiredPermissions) -> str:
    if account.key and code in _BAD_CREDENTIALS:
        return "the key is refused; copy the connection string again from 'Access keys'"
    if account.key:
        return (
            f"the key is refused ({code}); copy the connection string again from 'Access keys', and check that the "
            "account allows keys and that its firewall allows this machine"
        )
    if account.sas:
        return _sas_refusal(account.sas, code, needs)
    return (
        f"permission denied ({code}); {needs.names} are needed: give the identity the role '{needs.role}', and check "
        "the account's firewall"
    )


def _sas_refusal(sas: str, code: str, needs: RequiredPermissions) -> str:
    permissions, now = grant_of(sas), datetime.now(UTC)
    fix = f"make a SAS with {needs.letters} on service, container and object"
    if permissions.until and permissions.until < now:
        return f"the SAS expired on {permissions.until:%Y-%m-%d at %H:%M} UTC: {fix}"
    if permissions.since and permissions.since > now:
        return f"the SAS starts on {permissions.since:%Y-%m-%d at %H:%M} UTC; wait, or make one that starts earlier"
    if missing := permissions.missing(needs):
        return f"permission denied ({code}); the SAS lacks {', '.join(missing)}: {fix}"
    if code in _BAD_CREDENTIALS:
        return f"the SAS is refused; it may be truncated, or its key was rotated: {fix}"
    return f"permission denied ({code}); {needs.names} are needed: {fix}, and check the account's firewall"
