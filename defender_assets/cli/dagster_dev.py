"""`dagster dev` in its own process group, which ends as a whole.

Nothing is started if the port is taken, or if the instance is already served.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import click

from defender_assets.cli.dagster_home import WORKSPACE, prepare_home
from defender_assets.cli.errors import CliError

HOST = "127.0.0.1"
LOCK = "ui.lock"
COMMAND = (sys.executable, "-m", "dagster", "dev", "-h", HOST)
# `dagster dev` warns that `dg dev` supersedes it; both run the same code, and `dagster dev` needs no development tool
NO_ADVICE = "ignore:Function `dev_command`"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 15.0
"""How long the processes may take to end: a run that is interrupted says so in its log."""


def serve(port: int, home: Path) -> int:
    """Serve the instance until a signal comes, and return the exit code.

    Raises:
        CliError: the port is taken, or the instance is already served; nothing was started.
    """
    _check_port(port)
    with _only_one(home):
        prepare_home(home)
        # Dagster warns of a file in the working directory, as in a clone, that it does not read
        ignore = " Ignore its warning about dagster.yaml." if Path("dagster.yaml").exists() else ""
        click.echo(f"Dagster: http://{HOST}:{port} (stop with Ctrl-C).{ignore}")
        return _run([*COMMAND, "-p", str(port), "-w", str(home / WORKSPACE)], home)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        # a port whose last connections are still closing is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CliError(
                f"port {port} of {HOST} cannot be used ({error.strerror}): stop what uses it, or name another port "
                "(--port N, or make ui UI_PORT=N)"
            ) from None


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the lock of an instance. The system releases it with the process, however that ends."""
    import fcntl

    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise CliError(
                f"Dagster's UI already runs on {home} (process {file.read().strip() or 'unknown'}): stop it first"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _run(command: list[str], home: Path) -> int:
    """Run a command until it ends or a signal comes; then end its whole process group. Return its exit code."""
    # also SIGINT: a shell that starts a process in the background lets it ignore that
    handlers = {number: signal.signal(number, _interrupt) for number in ENDING}
    variables = {"PYTHONWARNINGS": NO_ADVICE, **os.environ, "DAGSTER_HOME": str(home)}
    process = subprocess.Popen(command, env=variables, start_new_session=True)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        with suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        return 0
    finally:
        # a second Ctrl-C does not wait
        _end_group(process)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what the group still has: `dagster dev` leaves its code server, which would wait 45 seconds for a client."""
    with suppress(ProcessLookupError, KeyboardInterrupt):
        os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
