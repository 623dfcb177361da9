"""Dagster as in production: start, query and end a web server and a daemon, which are separate processes."""

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

from defender_assets_tests.support.process_groups import end, free_port, start
from defender_assets_tests.support.waiting import HANG_SECONDS, wait_until

REPOSITORY = Path(__file__).parents[3]

LOCATION = "defender_assets"
PRODUCT = "defender_assets.definitions"
QUICKER_DEFINITIONS = "defender_assets_tests.integration.live.quicker"
"""Modules for `Installation.definitions`."""

# shorter intervals; longer timeouts for slow machines
QUICKER = {
    "poll_interval_seconds: 30": "poll_interval_seconds: 2",
    "start_timeout_seconds: 300": f"start_timeout_seconds: {HANG_SECONDS:.0f}",
    "\nretention:": f"\ncode_servers: {{local_startup_timeout: {HANG_SECONDS:.0f}}}\nretention:",
}
# Dagster's timeouts for responses of the code server
GRPC_TIMEOUTS = {
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
        """The machine's environment, with these settings instead of its own."""
        ours = ("AZURE_", "DEFENDER_", "DAGSTER_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        dagster = {"DAGSTER_HOME": str(self.home), "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
        return {**kept, **self.settings, **GRPC_TIMEOUTS, **dagster}

    def prepare(self) -> None:
        """Write the files, as `make` does."""
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
        """Start a command of the virtual environment in its own process group; its output goes to a log file."""
        program = str(Path(sys.executable).parent / command[0])
        return start([program, *command[1:]], self.folder, self.environment, self.folder / f"{name}.log")

    def log_tails(self) -> str:
        """The end of each process's log."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-6000:]}" for log in sorted(self.folder.glob("*.log"))
        )


@dataclass(frozen=True)
class WebServer:
    """The web server's GraphQL API."""

    port: int

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def graphql(self, query: str) -> dict[str, Any]:
        """Return the data of the response to a query."""
        request = urllib.request.Request(  # noqa: S310 (always http to this machine)
            f"{self.address}/graphql",
            data=json.dumps({"query": query}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=HANG_SECONDS) as response:  # noqa: S310 (this machine)
            content = json.load(response)
        assert "errors" not in content, content["errors"]
        data: dict[str, Any] = content["data"]
        return data

    def is_ready(self) -> bool:
        """Whether it responds."""
        try:
            self.graphql("{ version }")
        except OSError:
            return False
        return True

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first, with tags as a mapping."""
        data = self.graphql(
            "{ runsOrError(limit: 500) { ... on Runs { results { runId jobName status tags { key value } } } } }"
        )
        runs: list[dict[str, Any]] = data["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]

    def is_idle(self) -> bool:
        """Whether no run is in flight."""
        return all(run["status"] in {"SUCCESS", "FAILURE"} for run in self.runs())


def wait_for(event: Callable[[], bool], what: str, installation: Installation, pause: float = 0.5) -> None:
    """Wait until the event happens; on a timeout, show the end of the processes' logs."""
    wait_until(event, what, installation.log_tails, pause)


@contextmanager
def code_server(installation: Installation) -> Iterator[None]:
    """Run one code server for the processes that start later, as `deploy/` does; it ends with the block.

    Without it, the daemon starts a new one every minute, and each imports the whole project.
    """
    port = free_port()
    module = ("--module-name", installation.definitions, "--working-directory", str(installation.folder))
    process = installation.start("code", "dagster", "api", "grpc", *module, "--host", "127.0.0.1", "--port", str(port))
    server = {"host": "127.0.0.1", "port": port, "location_name": LOCATION}
    (installation.folder / "workspace.yaml").write_text(json.dumps({"load_from": [{"grpc_server": server}]}))
    try:

        def is_ready() -> bool:
            assert process.poll() is None, installation.log_tails()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_for(is_ready, "the code server's port", installation)
        yield
    finally:
        end(process)


@contextmanager
def web_server(installation: Installation) -> Iterator[WebServer]:
    """Run the web server of an installation; it ends with the block."""
    port = free_port()
    process = installation.start(
        "webserver", "dagster-webserver", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)
    )
    try:
        server = WebServer(port)

        def is_ready() -> bool:
            assert process.poll() is None, installation.log_tails()
            return server.is_ready()

        wait_for(is_ready, "the web server's response", installation)
        yield server
    finally:
        # it has no state to save and is slow to shut down
        end(process, signal.SIGKILL)


@contextmanager
def daemon(installation: Installation) -> Iterator[None]:
    """Run the daemon of an installation; it and its runs end with the block."""
    process = installation.start("daemon", "dagster-daemon", "run", "-w", "workspace.yaml")
    try:
        yield
    finally:
        end(process)


@contextmanager
def running(installation: Installation) -> Iterator[WebServer]:
    """Run code server, web server and daemon of an installation; all their processes end with the block."""
    with code_server(installation), daemon(installation), web_server(installation) as server:
        yield server
