"""A proxy in front of the emulator: it refuses, cuts, delays or shortens responses, or reports a success as a failure.

It is a separate process, because delta-rs holds Python's lock while it waits for a response. Tests set the fault and
read its count at the path `/faults`.
"""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import ClassVar, Literal

from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.waiting import HANG_SECONDS

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
CONTROL = "/faults"


@dataclass
class HttpFault:
    """What happens to `times` requests of a kind, after the first `skip` of them.

    `refuse` responds with `status` and forwards nothing; `drop` sends no response; `land` forwards the request and
    responds with `status`; `land_and_drop` forwards it and sends no response; `cut` closes the connection half-way
    through the body; `short` sends a complete response with half of the body; `delay` waits, then forwards normally.
    """

    what: Literal["refuse", "drop", "land", "land_and_drop", "cut", "short", "delay"]
    status: int = 500
    times: int = 1
    skip: int = 0
    of: Literal["range", "list", "commit", "lake"] = "range"
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.3
    seen: int = 0
    hits: int = 0

    def applies_to(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Whether the fault applies to this request. Counts the requests of its kind."""
        url_path = path.partition("?")[0]
        requested = {
            "range": method == "GET" and ("x-ms-range" in headers or "range" in headers),
            "list": "comp=list" in path,
            "commit": method == "PUT" and "/_delta_log/" in url_path and url_path.endswith(".json"),
            "lake": method == "GET" and "/lake" in url_path,
        }
        self.seen += requested[self.of]
        return requested[self.of] and self.skip < self.seen and self.hits < self.times


@dataclass
class Proxy:
    """A running proxy; `emulator` is reached through it."""

    emulator: Emulator

    def set_fault(self, fault: HttpFault | None) -> None:
        """Apply only this fault from now on, or none."""
        self._ask("PUT", json.dumps(asdict(fault) if fault else None).encode())

    def hits(self) -> int:
        """The number of requests with the fault."""
        return int(json.loads(self._ask("GET"))["hits"])

    def _ask(self, method: str, body: bytes | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator.port, timeout=HANG_SECONDS)
        try:
            connection.request(method, CONTROL, body)
            return connection.getresponse().read()
        finally:
            connection.close()


@contextmanager
def run_proxy(emulator: Emulator) -> Iterator[Proxy]:
    """Run a proxy in front of the emulator on a free loopback port; it ends with the block."""
    command = [sys.executable, "-m", "defender_assets_tests.faults.proxy", str(emulator.port)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield Proxy(replace(emulator, port=int(process.stdout.readline())))
        finally:
            process.kill()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: clients disconnect at any time, and connections are cut on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: ClassVar[int]
    fault: ClassVar[HttpFault | None] = None
    lock: ClassVar[Lock] = Lock()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == CONTROL:
            self._control(body)
            return
        fault = self._fault()
        what = fault.what if fault else "forward"
        if fault and what == "delay":
            time.sleep(fault.seconds)
        if what == "drop":
            self._end()
            return
        if fault and what == "refuse":
            self._answer(fault.status, fault.headers, _reason(fault.status))
            return
        status, headers, answer = self._forward(body)
        if what == "land_and_drop":
            self._end()
        elif fault and what == "land":
            self._answer(fault.status, fault.headers, _reason(fault.status))
        elif what == "short":
            self._answer(status, headers, answer[: len(answer) // 2])
        elif what == "cut":
            self._answer(status, headers, answer[: len(answer) // 2], claimed=len(answer))
            self._end()
        else:
            self._answer(status, headers, answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815 (the server looks for these names)

    def _control(self, body: bytes) -> None:
        if body:
            fault = json.loads(body)
            type(self).fault = HttpFault(**fault) if fault else None
        self._answer(200, {}, json.dumps(asdict(self.fault) if self.fault else {}).encode())

    def _fault(self) -> HttpFault | None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.lock:
            if self.fault is None or not self.fault.applies_to(self.command, self.path, headers):
                return None
            self.fault.hits += 1
            return self.fault

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=HANG_SECONDS)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            upstream.close()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes, claimed: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        length = len(body) if claimed is None else claimed
        if self.command == "HEAD":
            length = next((int(v) for k, v in headers.items() if k.lower() == "content-length"), 0)
        if status not in {204, 304}:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _end(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the server's own name)
        """Log nothing."""


def _reason(status: int) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>OnPurpose{status}</Code><Message>on purpose</Message></Error>".encode()


if __name__ == "__main__":
    _Handler.upstream = int(sys.argv[1])
    with _Server(("127.0.0.1", 0), _Handler) as server:
        print(server.server_port, flush=True)  # noqa: T201 (what the parent waits for)
        server.serve_forever(poll_interval=0.05)
