"""A blob service that answers with what it was asked: the errors of a proxy or a service that quote a signed address.

The first blob of a day can be read; every other one is refused, each with another status and code. The lake's container
is refused as a whole.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES
from defender_assets_tests.support.exports import TENANT, blob_path, records

_QUOTED = "QUOTED"
REFUSALS = {9: (403, "AuthorizationPermissionMismatch"), 10: (409, "BlobArchived"), 11: (403, _QUOTED)}
"""Status and code of the blob of an hour; the code may be the signed address too."""

_READABLE = 8
_CONTENT = records(ALERT_INFO, 0, 2)
_WRITTEN = "Tue, 03 Nov 2026 08:00:00 GMT"


@contextmanager
def refusing_account(day: date) -> Iterator[str]:
    """Run the service as a process, because delta-rs holds Python's lock while it waits; give its account's address."""
    command = [sys.executable, "-m", "defender_assets_tests.support.refusing_account", day.isoformat()]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/acc"
        finally:
            process.kill()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    day: ClassVar[date]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        container, _, blob = unquote(parts.path).removeprefix("/acc").strip("/").partition("/")
        if "lake" in container:
            self._refuse(403, _QUOTED)
        elif container == DEVICE_INFO.container:
            self._refuse(403, "AuthorizationFailure")
        elif "comp=list" in parts.query:
            self._send(200, self._listing(container, parse_qs(parts.query)))
        elif f"/h={_READABLE:02}/" in blob:
            self._send(206, _CONTENT)
        else:
            self._refuse(*next(refusal for hour, refusal in REFUSALS.items() if f"/h={hour:02}/" in blob))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def _listing(self, container: str, query: dict[str, list[str]]) -> bytes:
        if not container:
            properties = f"<Properties><Last-Modified>{_WRITTEN}</Last-Modified><Etag>1</Etag></Properties>"
            inner = "".join(f"<Container><Name>{table.container}</Name>{properties}</Container>" for table in TABLES)
            return f"<EnumerationResults><Containers>{inner}</Containers></EnumerationResults>".encode()
        if "delimiter" in query:
            inner = f"<BlobPrefix><Name>tenantId={TENANT}/</Name></BlobPrefix>"
        else:
            hours = (_READABLE, *REFUSALS) if container == ALERT_INFO.container else ()
            names = [blob_path(self.day, hour) for hour in hours]
            inner = "".join(
                f"<Blob><Name>{name}</Name><Properties><Creation-Time>{_WRITTEN}</Creation-Time><Last-Modified>"
                f"{_WRITTEN}</Last-Modified><Content-Length>{len(_CONTENT)}</Content-Length>"
                "<BlobType>AppendBlob</BlobType></Properties></Blob>"
                for name in names
                if name.startswith(query.get("prefix", [""])[0])
            )
        return f"<EnumerationResults><Blobs>{inner}</Blobs></EnumerationResults>".encode()

    def _refuse(self, status: int, code: str) -> None:
        address = f"http://{self.headers['Host']}{self.path}"
        quoted = address.replace("&", "&amp;")
        code = quoted if code == _QUOTED else code
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>refused {quoted}</Message></Error>"
        self._send(status, body.encode(), reason=f"refused {address}")

    def _send(self, status: int, body: bytes, reason: str | None = None) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status, reason)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Range", f"bytes 0-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", _WRITTEN)
        self.send_header("x-ms-creation-time", _WRITTEN)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def date_time_string(self, _: float | None = None) -> str:
        """A clock that is days behind."""
        return _WRITTEN

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def main() -> None:
    """Serve until the process is killed; print the port."""
    _Handler.day = date.fromisoformat(sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        print(server.server_address[1], flush=True)  # noqa: T201 (read by `refusing_account`)
        server.serve_forever()


if __name__ == "__main__":
    main()
