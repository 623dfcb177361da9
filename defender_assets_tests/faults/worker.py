"""A process that runs days on request and reports its progress, so that it can be killed at a known point.

It receives `run` or `refresh` with days. It sends `begin TABLE` and `end TABLE` around each commit, then `done`.
"""

import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path

from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.settings import load_settings
from defender_assets_tests.faults.small_runs import run_day
from defender_assets_tests.support import forks

READY, DONE = "ready", "done"


@dataclass(frozen=True)
class ReportingLake(Lake):
    """A lake that reports its commits."""

    report: Callable[[str], None] = print

    def commit(self, target: FencedTable, commit: Commit) -> None:
        self.report(f"begin {target.spec.name}")
        super().commit(target, commit)
        self.report(f"end {target.spec.name}")


@dataclass
class Worker:
    """A running worker, as its parent sees it. `at` is its last message."""

    fork: forks.Fork
    at: str = "start"

    @classmethod
    def start(cls, settings: Mapping[str, str], folder: Path) -> "Worker":
        """Start a worker with a log in a folder; `wait_for(READY)` returns when it accepts requests."""
        opened, log = tempfile.mkstemp(".log", "worker-", folder)
        os.close(opened)
        return cls(forks.start(Path(log), serve, dict(settings)))

    def send(self, what: str, days: Sequence[date]) -> None:
        """Send a request."""
        self.at = "sent"
        self.fork.connection.send((what, days))

    def wait_for(self, expected: str, most: int | None = None) -> str:
        """Receive messages up to the expected one, or `most` messages; return the last one."""
        count = 0
        while self.at != expected and (most is None or count < most):
            try:
                self.at, count = self.fork.receive(), count + 1
            except EOFError:
                raise AssertionError(f"the worker ended at {self.at!r}: {self.fork.said()}") from None
        return self.at

    def kill(self, rng: random.Random, within: float) -> str:
        """Send SIGKILL after up to `within` seconds; return the last message, `done` if it had finished."""
        time.sleep(rng.uniform(0, within))
        self.at = [self.at, *self.fork.kill()][-1]
        return self.at

    def end(self) -> str:
        """Let it end; return the end of its standard error."""
        self.fork.connection.close()
        self.fork.exit_code()
        return self.fork.said()


def serve(parent: Connection, environment: Mapping[str, str]) -> None:
    """Answer requests until the parent closes the connection."""
    os.environ.update(environment)
    settings = load_settings()
    lake = settings.lake()
    lake = ReportingLake(lake.uri, lake.tables, lake.account, lake.keep_days, parent.send)
    parent.send(READY)
    while True:
        try:
            what, days = parent.recv()
        except EOFError:
            return
        for day in days:
            run_day(lake, settings.export(), day, refresh=what == "refresh")
        parent.send(DONE)
