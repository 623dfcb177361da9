"""What an error of an account means and how to mend it, in one line without a secret. Nothing is caught here."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit
from urllib.request import getproxies

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    IncompleteReadError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob import StorageErrorCode
from requests.exceptions import ProxyError
from urllib3.exceptions import NameResolutionError

from defender_assets.core.azure.account import AzureAccount
from defender_assets.core.azure.sas import READ, RequiredPermissions, grant_of
from defender_assets.core.errors import redact

_STATUS = re.compile(r"non-2xx status code\W+(\d{3})")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_UNKNOWN = frozenset({"AuthenticationFailed", "InvalidAuthenticationInfo"})
_UNREACHED = "client error (Connect)"


def describe_error(account: AzureAccount, what: str, error: AzureError, needs: RequiredPermissions = READ) -> str:
    """Return one line that says what failed at which account and how to mend it, without a secret."""
    status = getattr(error, "status_code", None)
    told = getattr(error, "error_code", None)
    code = str(getattr(told, "value", told) or status or type(error).__name__)
    if isinstance(error, ServiceRequestError):
        advice = _unreached(account, error)
    elif isinstance(error, ServiceResponseError | IncompleteReadError):
        advice = "the connection broke; the next try goes on from the last committed byte"
    elif isinstance(error, ClientAuthenticationError) and status is None:
        advice = "no Entra identity found; sign in by the Azure CLI (az login) or give the machine a managed identity"
    elif status in {401, 403}:
        advice = _refusal(account, code, needs)
    elif isinstance(error, DecodeError) or (status == HTTPStatus.NOT_FOUND and not told):
        return no_blob_service(account, what)
    else:
        advice = redact(f"{code}: {getattr(error, 'reason', None) or 'the service failed'}", account.secrets)
    return _line(account, what, advice)


def describe_error_text(account: AzureAccount, what: str, text: str, needs: RequiredPermissions) -> str | None:
    """Return the same of an error of delta-rs, of which there is only text; None where it is none of the account's."""
    plain = redact(text)
    status, code = _STATUS.search(plain), _CODE.search(plain)
    if status and status[1] in {"401", "403"}:
        return _line(account, what, _refusal(account, code[1] if code else status[1], needs))
    if _UNREACHED in plain:
        return _line(account, what, _NO_NAME if "dns error" in plain else _no_way(account))
    return None


def no_blob_service(account: AzureAccount, what: str) -> str:
    """Return the line for an answer that is none of a blob service."""
    advice = "what answers there is no blob service; check the address, and whether a proxy or a login page answers"
    return _line(account, what, advice)


def is_container_missing(error: ResourceNotFoundError) -> bool:
    """Return whether the blob service itself says so, rather than anybody who answers 404."""
    return getattr(error, "error_code", None) == StorageErrorCode.CONTAINER_NOT_FOUND


def _line(account: AzureAccount, what: str, advice: str) -> str:
    return f"cannot {what} at {account.endpoint} ({account.auth_method}): {advice}"


_NO_NAME = "no such account: DNS does not know its name; check the name, and DNS and proxy of this machine"


def _unreached(account: AzureAccount, error: AzureError) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return (
            "its certificate is not trusted on this machine; where a proxy opens TLS, let REQUESTS_CA_BUNDLE name the "
            "file with that proxy's certificate"
        )
    if any(isinstance(cause, ProxyError) for cause in causes):
        return f"{_proxy(account)} does not let it through; correct it, or name the account's host in NO_PROXY"
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return _NO_NAME
    return _no_way(account)


def _no_way(account: AzureAccount) -> str:
    if account.on_this_machine and urlsplit(account.endpoint).scheme in getproxies():
        return f"nobody listens there, or {_proxy(account)} is asked for it; let NO_PROXY name 127.0.0.1 and localhost"
    if account.on_this_machine:
        return "nobody listens there; is the emulator running?"
    return "no such account, or no way to it; check the account's name, DNS, firewall and proxy"


def _proxy(account: AzureAccount) -> str:
    """Return the setting that names the proxy; its value may hold a password."""
    scheme = urlsplit(account.endpoint).scheme
    return f"the proxy of {scheme.upper() if scheme in getproxies() else 'ALL'}_PROXY"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what it was made of, through three libraries that each keep that elsewhere."""
    waiting, seen = [error], set()
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        inner = (getattr(found, name, None) for name in ("inner_exception", "reason", "__cause__", "__context__"))
        waiting += [*inner, *found.args]


def _refusal(account: AzureAccount, code: str, needs: RequiredPermissions) -> str:
    if account.key and code in _UNKNOWN:
        return "the key is refused; copy the connection string again from 'Access keys'"
    if account.key:
        return (
            f"the key is refused ({code}); copy the connection string again from 'Access keys', and check that the "
            "account allows keys and that its firewall lets this machine in"
        )
    if not account.sas:
        return (
            f"permission denied ({code}); {needs.words} are needed: give the identity the role '{needs.role}', and "
            "check the account's firewall"
        )
    return _refused_sas(account.sas, code, needs)


def _refused_sas(sas: str, code: str, needs: RequiredPermissions) -> str:
    grant, now = grant_of(sas), datetime.now(UTC)
    right = f"make a SAS with {needs.letters} on service, container and object"
    if grant.until and grant.until < now:
        return f"the SAS ended on {grant.until:%Y-%m-%d at %H:%M} UTC: {right}"
    if grant.since and grant.since > now:
        return f"the SAS begins on {grant.since:%Y-%m-%d at %H:%M} UTC; wait, or make one that begins earlier"
    if lacking := grant.lacking(needs):
        return f"permission denied ({code}); the SAS lacks {', '.join(lacking)}: {right}"
    if code in _UNKNOWN:
        return f"the SAS is refused; it may be cut short, or its key was renewed: {right}"
    return f"permission denied ({code}); {needs.words} are needed: {right}, and check the account's firewall"
