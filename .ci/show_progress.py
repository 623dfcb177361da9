"""Run a command that takes long, and show that it goes on: `show_progress.py LABEL COMMAND…`.

A terminal gets one line that moves. A file or pipe gets a line at the beginning, one each 15 seconds and one at the
end. What the command prints is shown only if it fails. The exit code is the command's.
"""

import os
import queue
import shutil
import subprocess
import sys
import threading
import time

FRAME_SECONDS, LINE_SECONDS = 0.2, 15.0
FRAMES = "|/-\\"


def run(label: str, command: list[str]) -> int:
    """Run the command, show the time that it takes and what it last printed, and return its exit code."""
    moving = sys.stdout.isatty()
    began = time.monotonic()
    if not moving:
        print(f"{label} ...", flush=True)
    printed: list[str] = []
    lines: queue.Queue[str] = queue.Queue()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
        reader.start()
        frame, next_line = 0, began + LINE_SECONDS
        while reader.is_alive() or not lines.empty():
            try:
                printed.append(lines.get(timeout=FRAME_SECONDS).rstrip())
            except queue.Empty:
                frame += 1
            seconds = int(time.monotonic() - began)
            last = next((line for line in reversed(printed) if line.strip()), "")
            if moving:
                text = f"{FRAMES[frame % len(FRAMES)]} {label} ({seconds} s) {last.strip()}"
                sys.stdout.write(f"\r\033[K{_fitting(text)}")
                sys.stdout.flush()
            elif time.monotonic() >= next_line:
                next_line += LINE_SECONDS
                print(f"{label} ... {seconds} s", flush=True)
        code = process.wait()
    if moving:
        sys.stdout.write("\r\033[K")
    outcome = "done" if code == 0 else f"failed (exit code {code})"
    print(f"{label}: {outcome} in {time.monotonic() - began:.0f} s", flush=True)
    if code:
        print("\n".join(printed), file=sys.stderr)
    return code


def _read(process: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    for line in process.stdout or ():
        lines.put(line)


def _fitting(text: str) -> str:
    """Return the text in ASCII, cut to a row of the terminal."""
    width = os.get_terminal_size(sys.stdout.fileno()).columns or shutil.get_terminal_size().columns
    return "".join(char if " " <= char <= "~" else "?" for char in text)[: width - 1]


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
