"""An installation as `deploy/` describes it: a code server and a daemon with the project's defaults, in a folder."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from defender_assets_tests.support.process_groups import end, free_port, start
from defender_assets_tests.support.waiting import wait_until

LOCATION = "defender_assets"
_OURS = ("AZURE_", "DEFENDER_", "DAGSTER_")
# an installation has its bytecode; without it each process would compile the project
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
_TICKS = os.sysconf("SC_CLK_TCK")
# fields of /proc/PID/stat behind the name of the process: the CPU times of a process, and of its children that ended
_OWN, _CHILDREN = slice(11, 13), slice(13, 15)


@dataclass(frozen=True)
class Installation:
    """A working directory with `workspace.yaml`, a DAGSTER_HOME, and the settings; `checkout` has the code to run.

    `instance` is the content of `dagster.yaml`, by default that of the checkout.
    """

    folder: Path
    settings: Mapping[str, str]
    checkout: Path = field(default_factory=Path.cwd)
    python: Path = Path(sys.executable)
    instance: str | None = None
    port: int = field(default_factory=free_port)

    @property
    def home(self) -> Path:
        return self.folder / "dagster"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its processes: that of the machine, with these settings instead of its own."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith((*_OURS, _NO_BYTECODE))}
        return {**kept, **self.settings, "DAGSTER_HOME": str(self.home), "PYTHONPATH": str(self.checkout)}

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace.yaml"

    def prepare(self) -> None:
        """Write its files."""
        self.home.mkdir(parents=True)
        content = self.instance or (self.checkout / "dagster.yaml").read_text()
        (self.home / "dagster.yaml").write_text(content)
        server = {"host": "127.0.0.1", "port": self.port, "location_name": LOCATION}
        self.workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}))

    @contextmanager
    def code_server(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the code server, which also starts the runs; it ends with the block."""
        module = ("--module-name", "defender_assets.definitions", "--working-directory", str(self.folder))
        address = ("--host", "127.0.0.1", "--port", str(self.port))
        with self._running("code", "dagster", "api", "grpc", *module, *address) as process:
            wait_until(lambda: _answers(process, self.port), "the code server", self.log_tails)
            yield process

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the daemon; it ends with the block."""
        with self._running("daemon", "dagster._daemon", "run", "-w", str(self.workspace)) as process:
            yield process

    @contextmanager
    def _running(self, name: str, *module: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [str(self.python), "-m", *module]
        process = start(command, self.folder, self.environment, self.folder / f"{name}.log")
        try:
            yield process
        finally:
            end(process)

    def log_tails(self) -> str:
        """The end of the log of each process."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs)


def cpu_of(process: subprocess.Popen[bytes]) -> float:
    """CPU seconds of a process."""
    return _times(process, _OWN)


def cpu_of_ended_children(process: subprocess.Popen[bytes]) -> float:
    """CPU seconds of the children of a process that have ended, and of their children."""
    return _times(process, _CHILDREN)


def _times(process: subprocess.Popen[bytes], fields: slice) -> float:
    stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, stat[fields])) / _TICKS


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the code server ended with code {process.returncode}")
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
