"""`.ci/show_progress.py`: a command that takes long is never silent, on a terminal and in a file."""

import subprocess
import sys
from pathlib import Path

import pytest

from defender_assets_tests.support.terminal import WIDTHS, Terminal

SCRIPT = str(Path(__file__).parents[1] / ".ci" / "show_progress.py")
SLOW = "import time; print('Collecting ' + 'x' * 200, flush=True); time.sleep(1)"


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_terminal_shows_one_line_that_moves(columns: int) -> None:
    with Terminal(
        SCRIPT, "Installing", sys.executable, "-c", SLOW, columns=columns, program=sys.executable
    ) as terminal:
        assert terminal.end() == 0
        frames = terminal.shown.split("\r")

    assert len({frame[3:4] for frame in frames if "Collecting" in frame}) > 1
    assert max(len(frame.removeprefix("\x1b[K")) for frame in frames) < columns
    assert frames[-1].removeprefix("\x1b[K").startswith("Installing: done in ")


def test_a_file_gets_lines_and_a_failure_its_output_and_exit_code() -> None:
    command = [sys.executable, "-c", "print('what went wrong'); raise SystemExit(3)"]
    done = subprocess.run([sys.executable, SCRIPT, "Installing", *command], capture_output=True, text=True, check=False)

    first, last = done.stdout.splitlines()
    assert (done.returncode, first) == (3, "Installing ...")
    assert last.startswith("Installing: failed (exit code 3) in ")
    assert done.stderr == "what went wrong\n"
