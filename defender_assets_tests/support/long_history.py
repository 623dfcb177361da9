"""An account with a long history that answers list calls and records them. Its blobs exist only in listings.

It answers the list calls of a tick and refuses all others. Blobs cannot be read.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.export.azure import AzureExport
from defender_assets.core.schemas import TABLES

_DAY = re.compile(r"(?P<folder>tenantId=[0-9-]+/y=(?P<y>\d+)/m=(?P<m>\d+)/d=(?P<d>\d+)/)")
_BLOB = (
    "<Blob><Name>{name}</Name><Properties><Creation-Time>{made}</Creation-Time><Last-Modified>{made}</Last-Modified>"
    "<Etag>0x1</Etag><Content-Length>1000</Content-Length><BlobType>AppendBlob</BlobType></Properties></Blob>"
)


@dataclass
class History:
    """Hourly blobs of some tenants in the three containers, for `days` days up to and including `last`."""

    last: date
    days: int
    tenants: int = 5
    prefixes: list[str] = field(default_factory=list)

    @property
    def blobs(self) -> int:
        """The number of blobs."""
        return len(TABLES) * self.tenants * self.days * 24

    def listed(self, prefix: str, delimiter: str) -> str | None:
        """The elements of a listing, or None if it would list the whole history."""
        self.prefixes.append(prefix)
        if (prefix, delimiter) == ("tenantId=", "/"):
            names = (f"tenantId={number:08}-0000-4000-8000-000000000000/" for number in range(self.tenants))
            return "".join(f"<BlobPrefix><Name>{name}</Name></BlobPrefix>" for name in names)
        at = _DAY.fullmatch(prefix)
        if at is None:
            return None
        day = date(int(at["y"]), int(at["m"]), int(at["d"]))
        if not timedelta(0) <= self.last - day < timedelta(self.days):
            return ""
        made = f"{day:%a, %d %b %Y} 00:00:00 GMT"
        return "".join(_BLOB.format(name=f"{prefix}h={hour:02}/m=00/PT1H.json", made=made) for hour in range(24))


@contextmanager
def served(history: History) -> Iterator[AzureExport]:
    """Serve the history by Azure's protocol for list calls, on a free loopback port."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # headers and body in one packet, or each answer waits 40 ms

        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            elements = history.listed(query.get("prefix", ""), query.get("delimiter", ""))
            body = (
                f'<?xml version="1.0"?><EnumerationResults><Blobs>{elements}</Blobs><NextMarker/></EnumerationResults>'
            )
            self.send_response(200 if elements is not None else 403)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}/devstoreaccount1"
        account = from_connection_string(
            "HISTORY", f"BlobEndpoint={endpoint};AccountName=devstoreaccount1;AccountKey=aaaa"
        )
        try:
            yield AzureExport(account)
        finally:
            server.shutdown()
