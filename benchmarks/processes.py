"""What a process costs, whole: its seconds on the clock, its processor seconds, its peak memory. Knows no benchmark."""

import json
import subprocess
import sys
from statistics import median
from typing import NamedTuple

# A child's peak begins with the memory of the process that starts it: a bare interpreter does.
_STARTER = """
import json, os, sys, time
began = time.perf_counter()
quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], {**os.environ, **quiet})
_, status, used = os.wait4(pid, 0)
print(json.dumps([status, time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


class Cost(NamedTuple):
    """Seconds on the clock, seconds of the processors, MB at the peak."""

    wall: float
    cpu: float
    peak_mb: float


def cost(command: list[str]) -> Cost:
    """Run a command to its end and return what it cost."""
    starter = [sys.executable, "-ISc", _STARTER, *command]
    told = subprocess.run(starter, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
    status, *spent = json.loads(told)
    if status:
        raise SystemExit(f"{command}: status {status}")
    return Cost(*spent)


def middle(costs: list[Cost]) -> Cost:
    """Return the medians of time, and the highest peak."""
    return Cost(median(c.wall for c in costs), median(c.cpu for c in costs), max(c.peak_mb for c in costs))
