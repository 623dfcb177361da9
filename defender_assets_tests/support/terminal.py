"""A command in a pseudo-terminal of its own: what it shows, what is typed into it, and how it ends."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from defender_assets_tests.support.waiting import HANG_SECONDS

COMMAND = str(Path(sys.executable).with_name("defender-assets"))
WIDTHS = (80, 120, 160)
ROWS = 24
CTRL_C = "\x03"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
MOST_INTERRUPTS, ECHO_SECONDS = 10, 2.0
# makes the pseudo-terminal the controlling one, so that Ctrl-C is a signal, and becomes the command
_LAUNCH = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """Runs a program, `defender-assets` by default, with the arguments in a terminal of so many columns and 24 rows."""

    def __init__(
        self, *arguments: str, columns: int = 80, program: str = COMMAND, env: Mapping[str, str] | None = None
    ) -> None:
        self._fd, command_side = pty.openpty()
        fcntl.ioctl(command_side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
        variables = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, program, *arguments],
            stdin=command_side,
            stdout=command_side,
            stderr=command_side,
            start_new_session=True,
            env={**variables, "TERM": "xterm", "LANG": "C.UTF-8", **(env or {})},
        )
        os.close(command_side)
        self._shown = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._fd)

    @property
    def shown(self) -> str:
        """Everything that was shown until now, without colours."""
        return _COLOUR.sub("", self._shown.decode(errors="replace").replace("\r\n", "\n"))

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Wait until the text is shown, so many times."""
        deadline = time.monotonic() + HANG_SECONDS
        while self.shown.count(text) < times:
            assert self._read(deadline), f"{text!r} is not shown:\n{self.shown}"

    def type(self, text: str) -> None:
        """Type the text."""
        os.write(self._fd, text.encode())

    def interrupt(self) -> int:
        """Type Ctrl-C and return the exit code; again if Python was between its question and the reading."""
        for _ in range(MOST_INTERRUPTS):
            self.type(CTRL_C)
            if select.select([self._fd], [], [], ECHO_SECONDS)[0] and self._ends_within(ECHO_SECONDS):
                return self.end()
        raise AssertionError(f"Ctrl-C does not end the command:\n{self.shown}")

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if not self._read(deadline + 1):
                return True
        # the command has said that it ends: another Ctrl-C would hit Python while it does
        return "Aborted!" in self.shown

    def end(self) -> int:
        """Return the exit code, once the command has ended."""
        deadline = time.monotonic() + HANG_SECONDS
        while self._read(deadline):
            pass
        return self._process.wait(HANG_SECONDS)

    def _read(self, deadline: float) -> bool:
        """Take what is shown next; false at the end of the command."""
        ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"the command hangs:\n{self.shown}"
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # Linux: no process has the terminal open
            return False
        self._shown += data
        return bool(data)


def run_in_terminal(*arguments: str, columns: int, env: Mapping[str, str] | None = None) -> str:
    """Return what a command that succeeds shows in a terminal of so many columns."""
    with Terminal(*arguments, columns=columns, env=env) as terminal:
        assert terminal.end() == 0, terminal.shown
        return terminal.shown
