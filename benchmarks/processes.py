"""The cost of a whole process: wall seconds, CPU seconds and peak memory."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

# The peak of a child includes the memory of its parent at the fork, so a bare interpreter starts it.
_STARTER = """
import json, os, sys, time
began = time.perf_counter()
quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], {**os.environ, **quiet})
_, status, used = os.wait4(pid, 0)
print(json.dumps([status, time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


class Cost(NamedTuple):
    """Wall seconds, CPU seconds, peak MB."""

    wall: float
    cpu: float
    peak_mb: float


def cost(
    command: list[str],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    codes: Collection[int] = (0,),
) -> Cost:
    """Run a command to its end and return its cost; its exit code must be one of `codes`."""
    starter = [sys.executable, "-ISc", _STARTER, *command]
    done = subprocess.run(starter, check=True, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment)
    status, *spent = json.loads(done.stdout.splitlines()[-1])
    if os.waitstatus_to_exitcode(status) not in codes:
        raise SystemExit(f"{command}: status {status}")
    return Cost(*spent)


def median_cost(costs: list[Cost]) -> Cost:
    """Return the medians of time, and the highest peak."""
    return Cost(median(c.wall for c in costs), median(c.cpu for c in costs), max(c.peak_mb for c in costs))
