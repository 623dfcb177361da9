"""A local webhook receiver: it keeps what is posted and answers as a test asks."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATH = "/services/T0SECRET/B0SECRET/aVerySecretToken42"
DROP = 0
"""As an answer: the connection is closed without a response."""


@dataclass
class Receiver:
    """Gives `answers` in turn and then repeats the last: a status, or a status and headers.

    A message that contains the text `refuses` is answered with 400.
    """

    answers: list[int | tuple[int, dict[str, str]]] = field(default_factory=lambda: [200])
    asked: list[dict[str, Any]] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    body: bytes = b""
    refuses: str | None = None
    drips: str | None = None
    """Where the receiver sends a byte at a time until it is closed: in the `header` or in the `body`."""
    closed: threading.Event = field(default_factory=threading.Event)

    def answer(self, payload: dict[str, Any]) -> tuple[int, dict[str, str]]:
        self.asked.append(payload)
        if self.refuses is not None and self.refuses in json.dumps(payload):
            return 400, {}
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        if status // 100 == 2:
            self.accepted.append(payload)
        return status, headers


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on a free port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = receiver.answer(json.loads(body))
            if status == DROP:
                self.close_connection = True
                return
            if receiver.drips == "header":
                self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(receiver.body)))
            self.end_headers()
            if receiver.drips == "body":
                self._drip(b"<")
            self.wfile.write(receiver.body)

        def _drip(self, first: bytes) -> None:
            with suppress(OSError):
                self.wfile.write(first)
                while not receiver.closed.wait(0.02):
                    self.wfile.write(b"x")

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
    try:
        yield receiver
    finally:
        receiver.closed.set()
        server.shutdown()
        thread.join()
        server.server_close()
