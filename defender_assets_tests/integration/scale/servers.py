"""PostgreSQL and Redis from the machine's packages, on free loopback ports; they end with the block."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from defender_assets_tests.support.process_groups import end, free_port
from defender_assets_tests.support.waiting import wait_until

DATABASE_USER = "dagster"
# the data does not outlive the test, so it does not have to be durable
_NOT_DURABLE = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200")


def _programs() -> Path:
    """The folder of PostgreSQL's programs: Debian's newest version, or the one in PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    assert initdb, "PostgreSQL is not installed: run `make test-scale`, which installs it"
    return Path(initdb).parent


def _account() -> str | None:
    """The account that PostgreSQL runs as, because it refuses root; None is the current account."""
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam("postgres").pw_name


@contextmanager
def run_postgres() -> Iterator[str]:
    """Run PostgreSQL with an empty, temporary database; yield its URL with user and password."""
    programs, account, password, port = _programs(), _account(), secrets.token_hex(16), free_port()
    # not in pytest's folders: other accounts cannot read them
    with TemporaryDirectory(prefix="postgres-") as folder:
        data, secret = Path(folder, "data"), Path(folder, "password")
        secret.write_text(password)
        if account:
            for path in (folder, secret):
                shutil.chown(path, account, account)
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", DATABASE_USER, "-A", "scram-sha-256", f"--pwfile={secret}"],
            check=True,
            user=account,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, *_NOT_DURABLE],
                user=account,
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait(lambda: _accepts_connections(programs, port), process, Path(folder, "log"))
            yield f"postgresql+psycopg2://{DATABASE_USER}:{password}@127.0.0.1:{port}/postgres"
        finally:
            end(process, signal.SIGINT)


def _accepts_connections(programs: Path, port: int) -> bool:
    completed = subprocess.run([programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False)
    return completed.returncode == 0


@contextmanager
def run_redis() -> Iterator[str]:
    """Run Redis in memory, with a password; yield its URL without the database number."""
    password, port = secrets.token_hex(16), free_port()
    program = shutil.which("redis-server")
    assert program, "Redis is not installed: run `make test-scale`, which installs it"
    with TemporaryDirectory(prefix="redis-") as folder:
        configuration = Path(folder, "redis.conf")
        configuration.write_text(f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\ndir {folder}\n')
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [program, configuration], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            _wait(lambda: _responds_to_ping(port, password), process, Path(folder, "log"))
            yield f"redis://:{password}@127.0.0.1:{port}"
        finally:
            end(process)


def _responds_to_ping(port: int, password: str) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
        return b"+PONG" in b"".join(iter(lambda: line.recv(100), b""))
    return False


def _wait(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    def read_log() -> str:
        return log.read_text(errors="replace")

    def is_running_and_ready() -> bool:
        assert process.poll() is None, read_log()
        return is_ready()

    wait_until(is_running_and_ready, "the server's response", read_log)
