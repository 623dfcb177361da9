"""Errors of an export that cannot be read: one line, with the fix, without secrets."""

import base64
import logging
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.core.pipeline.transport import HttpTransport
from azure.storage.blob import StorageErrorCode
from requests.exceptions import ProxyError, SSLError
from urllib3.exceptions import MaxRetryError, NameResolutionError

from defender_assets.core.azure.account import AzureAccount, entra_credential, from_account_url, from_connection_string
from defender_assets.core.azure.errors import describe_error, describe_error_text
from defender_assets.core.azure.sas import WRITE
from defender_assets.core.errors import ExportError, SettingsError
from defender_assets.core.export import Blob, DirectoryExport
from defender_assets.core.export.azure import AzureExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, TABLES
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.export_accounts import Account, account_storage
from defender_assets_tests.support.exports import DAY, blob_path, records

VARIABLE = "AZURE_STORAGE_CONNECTION_STRING"
CONTAINER = ALERT_INFO.container
REQUESTS = 7
WRONG_KEY = base64.b64encode(b"a wrong key of sixty-four bytes, as long as a real one would be.").decode()


def shown(error: BaseException | None) -> Iterator[str]:
    """Yield everything that could be printed about an error, its causes and its contexts."""
    while error is not None:
        yield f"{error} {error!r} {error.args} {vars(error)}"
        if error.__cause__ is not None:
            yield from shown(error.__cause__)
        error = error.__context__


def assert_one_line_without(error: BaseException, *secrets: str) -> None:
    assert "\n" not in str(error)
    for text in shown(error):
        for secret in secrets:
            assert secret not in text


def refused(export: AzureExport, *secrets: str) -> str:
    """Call every method of an export; return the one advice that all their errors give."""
    blob = Blob("t", blob_path(), DAY, 8, 10, datetime(2026, 11, 3, 8, tzinfo=UTC))
    requests = (
        export.containers,
        lambda: export.tenants(CONTAINER),
        lambda: list(export.blobs_of_tenant(CONTAINER, "t", DAY)),
        lambda: list(export.all_entries(CONTAINER)),
        lambda: list(export.outside(CONTAINER)),
        lambda: export.read(CONTAINER, blob, 0, 10),
    )
    advice = set()
    for request in requests:
        with pytest.raises(ExportError) as error:
            request()
        assert_one_line_without(error.value, *secrets)
        advice.add(str(error.value).split(": ", 1)[1])
    (only,) = advice
    return only


@pytest.mark.azure
def test_a_sas_with_read_and_list_is_sufficient(account: Emulator, azure: Account, lake: Lake) -> None:
    for table in TABLES:
        azure.append(table.container, blob_path(), records(table, 0, 2))
    reader = account_storage(account, azure.service, "rl").export
    for table in TABLES:
        assert ingest(lake, reader, table, DAY).new_bytes == len(records(table, 0, 2))
    assert len(reader.containers()) == 3


@pytest.mark.azure
def test_a_sas_without_list_gets_advice_on_what_to_grant(account: Emulator, azure: Account) -> None:
    azure.append(CONTAINER, blob_path(), records(ALERT_INFO, 0, 2))
    reader = account_storage(account, azure.service, "r").export
    with pytest.raises(ExportError, match=r"permission denied .*the SAS lacks list: make a SAS with rl") as error:
        reader.tenants(CONTAINER)
    assert_one_line_without(error.value, *reader.account.secrets)


@pytest.mark.azure
def test_a_sas_without_read_gets_advice_on_what_to_grant(account: Emulator, azure: Account, lake: Lake) -> None:
    azure.append(CONTAINER, blob_path(), records(ALERT_INFO, 0, 2))
    reader = account_storage(account, azure.service, "l").export
    (part,) = ingest(lake, reader, ALERT_INFO, DAY).unreadable
    assert part.path == blob_path()
    assert re.search(rf"cannot read {CONTAINER}/{blob_path()} .*permission denied .*make a SAS with rl", part.reason)
    assert_one_line_without(ExportError(part.reason), *reader.account.secrets)


@pytest.mark.azure
def test_a_wrong_key_gets_advice_on_where_to_copy_it(account: Emulator, azure: Account) -> None:
    azure.append(CONTAINER, blob_path(), records(ALERT_INFO, 0, 2))
    wrong = account.connection_string.replace(account.account_key, WRONG_KEY)
    advice = refused(AzureExport(from_connection_string(VARIABLE, wrong)), WRONG_KEY, account.account_key)
    assert advice.startswith("the key is refused (AuthorizationFailure); copy the connection string again")


@pytest.mark.azure
def test_a_wrong_signature_gets_advice_to_make_a_new_sas(account: Emulator, azure: Account) -> None:
    azure.append(CONTAINER, blob_path(), records(ALERT_INFO, 0, 2))
    head = account.sas_connection_string("rl").partition("sig=")[0]
    signature = quote(base64.b64encode(b"no signature of thirty-two bytes").decode())
    wrong = from_connection_string(VARIABLE, f"{head}sig={signature}")
    assert "make a SAS with rl" in refused(AzureExport(wrong), *wrong.secrets)


@pytest.mark.parametrize(
    ("auth_method", "code", "expected"),
    [
        ("AccountKey=a2V5", StorageErrorCode.AUTHENTICATION_FAILED, "the key is refused; copy the connection string"),
        ("AccountKey=a2V5", "KeyBasedAuthenticationNotPermitted", "check that the account allows keys"),
        ("AccountKey=a2V5", StorageErrorCode.AUTHORIZATION_FAILURE, "its firewall allows this machine"),
        (
            "SharedAccessSignature=sig=a2V5",
            StorageErrorCode.AUTHENTICATION_FAILED,
            "the SAS is refused; it may be truncated",
        ),
        ("SharedAccessSignature=sig=a2V5", "AuthorizationPermissionMismatch", "make a SAS with rl"),
        ("SharedAccessSignature=sp=r&srt=o&sig=a2V5", "x", "the SAS lacks list, the resource type container: make"),
        ("SharedAccessSignature=sp=rl&sr=c&sig=a2V5", "x", "the SAS lacks all three containers: make"),
        ("SharedAccessSignature=st=2999-01-01T00:00Z&sig=a2V5", "x", "the SAS starts on 2999-01-01 at 00:00 UTC"),
        ("", "AuthorizationPermissionMismatch", "give the identity the role 'Storage Blob Data Reader'"),
        ("", StorageErrorCode.INVALID_AUTHENTICATION_INFO, "give the identity the role 'Storage Blob Data Reader'"),
    ],
)
def test_each_refusal_of_azure_has_its_own_advice(
    auth_method: str, code: StorageErrorCode | str, expected: str
) -> None:
    address = "https://acc.blob.core.windows.net"
    account = (
        from_connection_string(VARIABLE, f"BlobEndpoint={address};{auth_method}")
        if auth_method
        else from_account_url("AZURE_STORAGE_ACCOUNT_URL", address)
    )
    error = HttpResponseError("refused: a2V5")
    error.status_code, error.error_code = 403, code  # type: ignore[attr-defined]  # the SDK sets it the same way
    text = describe_error(account, "list them", error)
    assert expected in text
    assert "a2V5" not in text
    assert "StorageErrorCode" not in text


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts of the Azure SDK, recorded without waiting."""
    recorded: list[float] = []
    monkeypatch.setattr(HttpTransport, "sleep", lambda _, duration: recorded.append(duration))
    return recorded


def test_an_unreachable_account_fails_within_the_minute_of_a_sensor(closed_port: int, pauses: list[float]) -> None:
    account = from_connection_string(VARIABLE, f"BlobEndpoint=http://127.0.0.1:{closed_port}/a;AccountKey={WRONG_KEY}")
    assert refused(AzureExport(account), WRONG_KEY) == "nothing listens there; is the emulator running?"
    attempts = len(pauses) / REQUESTS + 1
    assert 2 <= attempts <= 3
    assert sum(pauses) / REQUESTS < 12
    assert AzureExport(account).service_time() is None


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (NameResolutionError("acc", Mock(), socket.gaierror()), "DNS cannot resolve its name"),
        (ProxyError(MaxRetryError(Mock(), "/", OSError("403"))), "the proxy in HTTPS_PROXY refuses"),
        (
            SSLError(MaxRetryError(Mock(), "/", ssl.SSLCertVerificationError("x"))),
            "set REQUESTS_CA_BUNDLE to the file",
        ),
        (ConnectionRefusedError(), "no such account, or it cannot be reached"),
    ],
)
def test_each_connection_error_has_its_own_advice(
    cause: Exception, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{WRONG_KEY}@proxy.example")
    account = from_connection_string(VARIABLE, "AccountName=acc;AccountKey=a2V5")
    text = describe_error(account, "list them", ServiceRequestError("no way", error=cause))
    assert expected in text
    assert WRONG_KEY not in text


def test_an_emulator_behind_a_proxy_gets_advice_on_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "HTTP error \x1b[31m↳\x1b[0m error sending request ↳ client error (Connect) ↳ tcp connect error"
    account = from_connection_string(VARIABLE, "UseDevelopmentStorage=true")
    assert "is the emulator running?" in str(describe_error_text(account, "open it", text, WRITE))
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@proxy.example")
    described = str(describe_error_text(account, "open it", text, WRITE))
    assert "add 127.0.0.1 and localhost to NO_PROXY" in described
    assert "secret" not in described
    assert describe_error_text(account, "open it", "no such table", WRITE) is None


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>Sign in"), (200, b"\xff\x00"), (404, b"<html>Nothing")])
def test_a_response_from_another_server_gets_its_own_error(status: int, body: bytes) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}/acc"
        export = AzureExport(from_connection_string(VARIABLE, f"BlobEndpoint={address};AccountKey=a2V5"))
        try:
            for request in (export.tenants, lambda container: list(export.all_entries(container))):
                with pytest.raises(ExportError, match="the server there is not a blob service"):
                    request(CONTAINER)
        finally:
            server.shutdown()
            thread.join()


def test_without_an_identity_nothing_is_retried(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    entra_credential.cache_clear()
    advice = refused(AzureExport(from_account_url("X", "https://acc.blob.core.windows.net")))
    entra_credential.cache_clear()
    assert advice.startswith("no Entra identity found; sign in with the Azure CLI")
    assert pauses == []


@pytest.mark.parametrize("scheme", ["http", "ftp"])
def test_keys_are_not_sent_unencrypted(scheme: str) -> None:
    string = f"BlobEndpoint={scheme}://storage.example.org/acc;AccountName=acc;AccountKey={WRONG_KEY}"
    with pytest.raises(SettingsError, match=VARIABLE) as error:
        from_connection_string(VARIABLE, string)
    assert_one_line_without(error.value, WRONG_KEY)


def test_an_account_shows_neither_key_nor_signature() -> None:
    with_key = AzureAccount("acc", "https://acc.blob.core.windows.net", key=WRONG_KEY)
    with_sas = from_connection_string(
        VARIABLE, "BlobEndpoint=https://a.example;SharedAccessSignature=?sv=1&sig=a%2Bb%3D"
    )
    for account in (with_key, with_sas, from_account_url("X", "https://acc.blob.core.windows.net")):
        text = f"{account!r} {account} {AzureExport(account)!r} {AzureExport(account).describe()}"
        assert WRONG_KEY not in text
        assert "sig=" not in text
    assert set(with_sas.secrets) == {"sv=1&sig=a%2Bb%3D", "a%2Bb%3D", "a+b="}


def test_an_unreadable_directory_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / CONTAINER).write_text("a file where a folder should be")
    with pytest.raises(ExportError, match=rf"{CONTAINER} cannot be read \(Not a directory\): repair it") as error:
        DirectoryExport(tmp_path).tenants(CONTAINER)
    assert_one_line_without(error.value)


@pytest.mark.parametrize("secret", ["sig=abc%2Bdef%3D", "sig=abc+def="])
def test_the_log_of_requests_shows_no_signature(secret: str, caplog: pytest.LogCaptureFixture) -> None:
    account = from_connection_string(
        VARIABLE,
        "BlobEndpoint=https://contoso.blob.core.windows.net;SharedAccessSignature=sv=2024-01-01&se=2099-01-01&sp=rl&sr=c&sig=abc%2Bdef%3D",
    )
    with account.service(), caplog.at_level("DEBUG", "urllib3.connectionpool"):
        # as urllib3 writes it after each request
        logging.getLogger("urllib3.connectionpool").debug(
            '%s://%s:%s "%s %s %s" %s %s', "https", "contoso", 443, "GET", f"/lake?{secret}&comp=list", "1.1", 200, None
        )
    assert "comp=list" in caplog.text
    assert "abc" not in caplog.text
