"""The end of a process that a test started, with all that it started in turn.

How a process is started and what it says belongs to those who start it.
"""

import os
import signal
import subprocess

END_SECONDS = 15


def end(process: subprocess.Popen[bytes], first: signal.Signals = signal.SIGTERM) -> None:
    """End a process group, by force where asking does not help."""
    for number in (first, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
