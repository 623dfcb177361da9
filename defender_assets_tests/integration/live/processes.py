"""Dagster as it runs in production: a web server and a daemon as processes of their own, and what they say.

Here belongs how they are started, asked and ended. What is written into their export belongs to the tests.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defender_assets_tests.support.process_groups import end
from defender_assets_tests.support.waiting import HANG_SECONDS, wait_until

REPOSITORY = Path(__file__).parents[3]

PRODUCT = "defender_assets.definitions"
QUICKER_DEFINITIONS = "defender_assets_tests.integration.live.quicker"
"""Modules for `Installation.definitions`."""

# intervals are the machine's business
QUICKER = {
    "poll_interval_seconds: 30": "poll_interval_seconds: 2",
    "start_timeout_seconds: 300": f"start_timeout_seconds: {HANG_SECONDS:.0f}",
    "\nretention:": "\nrun_queue: {dequeue_interval_seconds: 1}\n"
    f"code_servers: {{local_startup_timeout: {HANG_SECONDS:.0f}}}\nretention:",
}
# Dagster's own deadlines for answers of the code server
PATIENT = {
    f"DAGSTER_{kind}GRPC_TIMEOUT_SECONDS": f"{HANG_SECONDS:.0f}" for kind in ("", "REPOSITORY_", "SCHEDULE_", "SENSOR_")
}


@dataclass(frozen=True)
class Installation:
    """A working directory with `workspace.yaml`, a DAGSTER_HOME with the repository's `dagster.yaml`, and settings.

    `definitions` is the module that the processes load.
    """

    folder: Path
    settings: Mapping[str, str]
    definitions: str = field(default=PRODUCT, kw_only=True)

    @property
    def home(self) -> Path:
        return self.folder / "dagster"

    @property
    def environment(self) -> dict[str, str]:
        """The machine's environment without its settings, and with these."""
        ours = ("AZURE_", "DEFENDER_", "DAGSTER_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        ours_too = {"DAGSTER_HOME": str(self.home), "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
        return {**kept, **self.settings, **PATIENT, **ours_too}

    def prepare(self) -> None:
        """Put the files there, as `make` does."""
        self.home.mkdir(parents=True)
        workspace = (REPOSITORY / "workspace.yaml").read_text()
        assert workspace.count(PRODUCT) == 1
        (self.folder / "workspace.yaml").write_text(workspace.replace(PRODUCT, self.definitions))
        configuration = (REPOSITORY / "dagster.yaml").read_text()
        for slow, quick in QUICKER.items():
            assert configuration.count(slow) == 1, slow
            configuration = configuration.replace(slow, quick)
        (self.home / "dagster.yaml").write_text(configuration)

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a command of the virtual environment in a process group of its own; its words go to a file."""
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [str(Path(sys.executable).parent / command[0]), *command[1:]],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        """The last words of all processes."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-6000:]}" for log in sorted(self.folder.glob("*.log"))
        )


@dataclass(frozen=True)
class WebServer:
    """The web server's GraphQL."""

    port: int

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, query: str) -> dict[str, Any]:
        """The data that answers a query."""
        request = urllib.request.Request(  # noqa: S310 (always http to this machine)
            f"{self.address}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=HANG_SECONDS) as answer:  # noqa: S310 (this machine)
            told = json.load(answer)
        assert "errors" not in told, told["errors"]
        data: dict[str, Any] = told["data"]
        return data

    def answers(self) -> bool:
        """Whether it listens."""
        try:
            self.ask("{ version }")
        except OSError:
            return False
        return True

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first, their tags as a mapping."""
        told = self.ask(
            "{ runsOrError(limit: 500) { ... on Runs { results { runId jobName status tags { key value } } } } }"
        )
        runs: list[dict[str, Any]] = told["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]

    def quiet(self) -> bool:
        """Whether no run is in flight."""
        return all(run["status"] in {"SUCCESS", "FAILURE"} for run in self.runs())


def wait_for(event: Callable[[], bool], what: str, installation: Installation, pause: float = 0.5) -> None:
    """Wait until the event has come; the processes' last words when it has not."""
    wait_until(event, what, installation.said, pause)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def web_server(installation: Installation) -> Iterator[WebServer]:
    """The web server of an installation; it ends with the block."""
    port = free_port()
    process = installation.start(
        "webserver", "dagster-webserver", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)
    )
    try:
        server = WebServer(port)

        def answers() -> bool:
            assert process.poll() is None, installation.said()
            return server.answers()

        wait_for(answers, "the web server's answer", installation)
        yield server
    finally:
        # it keeps nothing, and takes its time to say farewell
        end(process, signal.SIGKILL)


@contextmanager
def daemon(installation: Installation) -> Iterator[None]:
    """The daemon of an installation; it and the runs that it started end with the block."""
    process = installation.start("daemon", "dagster-daemon", "run", "-w", "workspace.yaml")
    try:
        yield
    finally:
        end(process)


@contextmanager
def running(installation: Installation) -> Iterator[WebServer]:
    """Web server and daemon of an installation; all their processes end with the block."""
    with daemon(installation), web_server(installation) as server:
        yield server
