"""A process that runs days when it is told to, and says what it is at, so that it can be killed there.

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


class Telling(Lake):
    """A lake that tells its commits."""

    def commit(self, target: FencedTable, commit: Commit) -> None:
        _tell(f"begin {target.spec.name}")
        super().commit(target, commit)
        _tell(f"end {target.spec.name}")


@dataclass
class Worker:
    """A running worker, seen from its parent. `at` is what it said last."""

    process: subprocess.Popen[bytes]
    at: str = "start"
    unread: bytes = b""

    @classmethod
    def start(cls, settings: Mapping[str, str]) -> "Worker":
        """Start a worker; `wait_for(READY)` returns when it can be told something."""
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

    def tell(self, *words: object) -> None:
        """Tell it to do something."""
        assert self.process.stdin is not None
        self.at = "told"
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())

    def wait_for(self, wanted: str, most: int | None = None) -> str:
        """Follow what it says up to the wanted word, or `most` words; return the last one."""
        heard = 0
        while self.at != wanted and (most is None or heard < most):
            self.at, heard = self._next_word(), heard + 1
        return self.at

    def _next_word(self) -> str:
        assert self.process.stdout is not None
        while b"\n" not in self.unread:
            if not select.select([self.process.stdout], [], [], HANG_SECONDS)[0]:
                self.process.kill()
                raise TimeoutError(f"the worker hangs at {self.at!r}: {self.end()}")
            said = self.process.stdout.read(4096)
            if not said:
                raise AssertionError(f"the worker ended at {self.at!r}: {self.end()}")
            self.unread += said
        word, _, self.unread = self.unread.partition(b"\n")
        return word.decode()

    def kill(self, seeded_rng: random.Random, within: float) -> str:
        """SIGKILL it after up to `within` seconds; return what it was at, `done` when it was faster."""
        time.sleep(seeded_rng.uniform(0, within))
        self.process.send_signal(signal.SIGKILL)
        said, errors = self.process.communicate(timeout=HANG_SECONDS)
        assert self.process.returncode == -signal.SIGKILL, errors.decode()
        words = [word.decode() for word in (self.unread + said).split(b"\n") if word]
        self.at = words[-1] if words else self.at
        return self.at

    def end(self) -> str:
        """Let it end, by force when it does not; return what it complained of."""
        try:
            _, errors = self.process.communicate(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, errors = self.process.communicate()
        return errors.decode()[-2000:]


def _tell(word: str) -> None:
    os.write(sys.stdout.fileno(), f"{word}\n".encode())


def main() -> None:
    """Do as told until the parent closes the pipe."""
    settings = load_settings()
    plain = settings.lake()
    lake = Telling(plain.uri, plain.tables, plain.account, plain.keep_days)
    _tell(READY)
    for told in sys.stdin:
        what, *days = told.split()
        for day in days:
            run_day(lake, settings.export(), date.fromisoformat(day), refresh=what == "refresh")
        _tell(DONE)


if __name__ == "__main__":
    main()
