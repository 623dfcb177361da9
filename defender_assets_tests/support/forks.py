"""Processes that are ready at once: forks of one that has imported the project and opened nothing.

Imports cost more than a small day. A fork does not copy threads, so nothing may be opened before it.
"""

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from defender_assets_tests.support.waiting import HANG_SECONDS

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["defender_assets_tests.faults.small_runs", "defender_assets_tests.support.day_runs"])


@dataclass
class Fork:
    """A process, the connection to it, and the file with its standard error."""

    process: BaseProcess
    connection: Connection = field(repr=False)
    log: Path

    def receive(self) -> Any:
        """Return its next message.

        Raises:
            EOFError: when it has ended.
            TimeoutError: when it hangs; it is killed.
        """
        if not self.connection.poll(HANG_SECONDS):
            self.process.kill()
            raise TimeoutError(f"the process hangs: {self.said()}")
        return self.connection.recv()

    def kill(self) -> list[Any]:
        """Kill it (SIGKILL), and return the messages that were not received yet."""
        self.process.kill()
        assert self.exit_code() == -signal.SIGKILL, self.said()
        messages = []
        while self.connection.poll():
            try:
                messages.append(self.connection.recv())
            except EOFError:
                break
        return messages

    def exit_code(self) -> int:
        """Wait for its end; return 0, or the negative number of its signal. A process that hangs is killed."""
        self.process.join(HANG_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        assert self.process.exitcode is not None
        return self.process.exitcode

    def said(self) -> str:
        """The end of its standard error."""
        return self.log.read_text(errors="replace")[-2000:]


def start(log: Path, function: Callable[..., None], *arguments: object) -> Fork:
    """Start `function(connection, *arguments)` in a process whose standard error is appended to `log`."""
    ours, theirs = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_run, args=(log, function, theirs, *arguments))
    process.start()
    theirs.close()
    log.touch()
    return Fork(process, ours, log)


def _run(log: Path, function: Callable[..., None], *arguments: object) -> None:
    with log.open("ab") as opened:
        os.dup2(opened.fileno(), sys.stderr.fileno())
    try:
        function(*arguments)
    except BaseException:  # noqa: BLE001 (shown by the test)
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    # without the exit handlers of the process that it was forked from
    os._exit(0)
