"""A process that runs days on request and reports its progress, so that it can be killed at a known point.

`python -m defender_assets_tests.faults.worker`, with the settings in the environment. It reads lines `run DAY…` or
`refresh DAY…` and writes `begin TABLE` and `end TABLE` around each commit, then `done`.
"""

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.settings import load_settings
from defender_assets_tests.faults.small_runs import run_day
from defender_assets_tests.support.waiting import HANG_SECONDS

READY, DONE = "ready", "done"


class ReportingLake(Lake):
    """A lake that reports its commits."""

    def commit(self, target: FencedTable, commit: Commit) -> None:
        _send(f"begin {target.spec.name}")
        super().commit(target, commit)
        _send(f"end {target.spec.name}")


@dataclass
class Worker:
    """A running worker, as its parent sees it. `at` is its last message."""

    process: subprocess.Popen[bytes]
    at: str = "start"
    unread: bytes = b""

    @classmethod
    def start(cls, settings: Mapping[str, str]) -> "Worker":
        """Start a worker; `wait_for(READY)` returns when it accepts commands."""
        process = subprocess.Popen(
            [sys.executable, "-m", "defender_assets_tests.faults.worker"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        return cls(process)

    def send(self, *words: object) -> None:
        """Send a command."""
        assert self.process.stdin is not None
        self.at = "sent"
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())

    def wait_for(self, expected: str, most: int | None = None) -> str:
        """Read messages up to the expected one, or `most` messages; return the last one."""
        count = 0
        while self.at != expected and (most is None or count < most):
            self.at, count = self._next_message(), count + 1
        return self.at

    def _next_message(self) -> str:
        assert self.process.stdout is not None
        while b"\n" not in self.unread:
            if not select.select([self.process.stdout], [], [], HANG_SECONDS)[0]:
                self.process.kill()
                raise TimeoutError(f"the worker hangs at {self.at!r}: {self.end()}")
            received = self.process.stdout.read(4096)
            if not received:
                raise AssertionError(f"the worker ended at {self.at!r}: {self.end()}")
            self.unread += received
        message, _, self.unread = self.unread.partition(b"\n")
        return message.decode()

    def kill(self, rng: random.Random, within: float) -> str:
        """Send SIGKILL after up to `within` seconds; return the last message, `done` if it had finished."""
        time.sleep(rng.uniform(0, within))
        self.process.send_signal(signal.SIGKILL)
        received, errors = self.process.communicate(timeout=HANG_SECONDS)
        assert self.process.returncode == -signal.SIGKILL, errors.decode()
        messages = [message.decode() for message in (self.unread + received).split(b"\n") if message]
        self.at = messages[-1] if messages else self.at
        return self.at

    def end(self) -> str:
        """Wait for its end, or kill it; return the end of its stderr."""
        try:
            _, errors = self.process.communicate(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, errors = self.process.communicate()
        return errors.decode()[-2000:]


def _send(message: str) -> None:
    os.write(sys.stdout.fileno(), f"{message}\n".encode())


def main() -> None:
    """Execute commands until the parent closes the pipe."""
    settings = load_settings()
    lake = settings.lake()
    lake = ReportingLake(lake.uri, lake.tables, lake.account, lake.keep_days)
    _send(READY)
    for command in sys.stdin:
        what, *days = command.split()
        for day in days:
            run_day(lake, settings.export(), date.fromisoformat(day), refresh=what == "refresh")
        _send(DONE)


if __name__ == "__main__":
    main()
