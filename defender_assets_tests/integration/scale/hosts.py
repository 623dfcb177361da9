"""A host that is set up from the files of deploy/, in a folder with free ports.

Its units start without systemd, but in the same way.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # Dagster brings it, without its types

from defender_assets_tests.integration.live.processes import (
    REPOSITORY,
    Installation,
    WebServer,
    wait_for,
)
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.process_groups import end, free_port
from defender_assets_tests.support.waiting import HANG_SECONDS

DEPLOY = REPOSITORY / "deploy"
ONE_HOST, SEVERAL_HOSTS = DEPLOY / "one-host", DEPLOY / "several-hosts"
WEB_PORT, CODE_PORT = "3000", "4000"

LOG_CONTAINER = "dagster-logs"

# The test cannot wait an hour for a lost worker, or half a minute for each poll.
QUICKER = {
    "poll_interval_seconds: 30": "poll_interval_seconds: 2",
    "max_runtime_seconds: 3600": "max_runtime_seconds: 150",
}


@dataclass(frozen=True)
class Unit:
    """The parts of a unit file that a process can see: command, environment and settings files."""

    path: Path
    command: tuple[str, ...]
    environment: Mapping[str, str]
    files: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> "Unit":
        """Read a unit file of deploy/."""
        lines = [line.partition("=") for line in path.read_text().splitlines() if not line.startswith("#")]
        entries = [(name, value) for name, _, value in lines]
        (command,) = (value for name, value in entries if name == "ExecStart")
        environment = dict(value.split("=", 1) for name, value in entries if name == "Environment")
        files = tuple(Path(value).name for name, value in entries if name == "EnvironmentFile")
        return cls(path, tuple(shlex.split(command.replace("%%", "%"))), environment, files)


def log_variables(account: str, key: str) -> dict[str, str]:
    """The variables that name the container of what runs print."""
    return {"COMPUTE_LOGS_ACCOUNT": account, "COMPUTE_LOGS_CONTAINER": LOG_CONTAINER, "COMPUTE_LOGS_KEY": key}


def emulated_logs(section: Mapping[str, Any], endpoint: str) -> dict[str, Any]:
    """The section `compute_logs` of deploy/, with the emulator's address instead of Azure's."""
    emulated = {"allow_http": True, "timeout": "2s", "extra_azure_args": {"endpoint": endpoint}}
    return {**section, "config": {**section["config"], **emulated}}


@dataclass(frozen=True)
class Host(Installation):
    """A host's folder. `settings` contain keys; `dagster` has the variables of every process.

    What runs print goes to `logs`, if the instance has a container for it. `slots` is how many runs go on at once, None
    as in the instance's file.
    """

    dagster: Mapping[str, str] = field(default_factory=dict)
    instance: Path = ONE_HOST
    logs: Emulator | None = None
    slots: int | None = None
    ports: Mapping[str, str] = field(default_factory=lambda: {WEB_PORT: str(free_port()), CODE_PORT: str(free_port())})

    def prepare(self) -> None:
        """Write the files to the paths of deploy/README.md, with ports and intervals replaced."""
        self.home.mkdir(parents=True)
        workspace = (ONE_HOST / "workspace.yaml").read_text()
        assert workspace.count(f"port: {CODE_PORT}") == 1
        (self.folder / "workspace.yaml").write_text(
            workspace.replace(f"port: {CODE_PORT}", f"port: {self.ports[CODE_PORT]}")
        )
        configuration = (self.instance / "dagster.yaml").read_text()
        for slow, quick in QUICKER.items():
            assert configuration.count(slow) == 1, slow
            configuration = configuration.replace(slow, quick)
        if self.slots:
            configuration, count = re.subn(
                r"max_concurrent_runs: \d+", f"max_concurrent_runs: {self.slots}", configuration
            )
            assert count == 1
        if self.logs is not None:
            read = yaml.safe_load(configuration)
            read["compute_logs"] = emulated_logs(read["compute_logs"], self.logs.account_url)
            configuration = yaml.safe_dump(read)
        (self.home / "dagster.yaml").write_text(configuration)
        process = self.start("schema", "dagster", "instance", "info")
        assert process.wait(HANG_SECONDS) == 0, self.log_tails()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command outside the units: without keys."""
        return {**super().environment, **self.dagster}

    def start_unit(self, path: Path, name: str = "") -> subprocess.Popen[bytes]:
        """Start the unit's process as its file defines it, in its own process group."""
        unit = Unit.read(path)
        variables = {"dagster.env": self.dagster, "settings.env": self.settings}
        environment = {key: self._local(value) for key, value in unit.environment.items()}
        for file in unit.files:
            environment |= variables[file]
        command = [self.ports.get(word, self._local(word)) for word in unit.command]
        if name:
            command = [word.replace("defender@%h", f"{name}@%h") for word in command]
        ours = ("AZURE_", "DEFENDER_", "DAGSTER_", "CELERY_", "COMPUTE_LOGS_")
        machine = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        with (self.folder / f"{name or path.stem}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={**machine, **environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _local(self, text: str) -> str:
        """Replace the deployment's paths at the start of a text by those of this machine."""
        for there, here in (
            ("/opt/defender-assets/.venv/bin", Path(sys.executable).parent),
            ("/opt/defender-assets", REPOSITORY),
            ("/var/lib/defender-assets", self.home),
        ):
            text = re.sub(rf"^{there}(?=/|$)", str(here), text)
        return text


@contextmanager
def running(host: Host, units: Iterable[Path]) -> Iterator[WebServer]:
    """Start the units in order; yield the web server when it responds. All processes end with the block."""
    with ExitStack() as started:
        for unit in units:
            process = host.start_unit(unit)
            started.callback(end, process)
        server = WebServer(int(host.ports[WEB_PORT]))
        wait_for(server.is_ready, "the web server's response", host)
        yield server
