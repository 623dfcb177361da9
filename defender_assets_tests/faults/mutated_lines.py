"""`python -m defender_assets_tests.faults.mutated_lines COUNT SEED`: both readers agree on mutated lines.

With NUMBA_BOUNDSCHECK=1 the compiled reader raises on every read or write outside of an array. That needs compiled code
of its own (NUMBA_CACHE_DIR).
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from numba import njit

from defender_assets.core.schemas import TABLES
from defender_assets_tests.support.odd_lines import HOSTILE, both_agree, compact, mutated

LINES_AT_ONCE = 1000
LONGEST = 5000


@njit
def _first(values):  # type: ignore[no-untyped-def]
    return values[0]


def check_with_bounds(count: int, seed: int, cache: Path) -> str:
    """Return what the check of so many lines printed, by code with checked bounds that is compiled into `cache`.

    Raises:
        CalledProcessError: the readers differ, or the compiled one left an array.
    """
    command = [sys.executable, "-m", __name__, str(count), str(seed)]
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(cache)}
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(count: int, seed: int) -> None:
    """Check the corpus and `count` mutations of its lines, alternately of each table."""
    try:
        _first(np.empty(0, dtype=np.uint8))
    except IndexError:
        print("bounds are checked")  # noqa: T201 (a command prints)
    device_info = TABLES[-1]
    both_agree(device_info, *HOSTILE)
    short = [content for content in HOSTILE if len(content) < LONGEST]
    corpora = {
        table: [compact(table, **{table.key: "x"}), *(short if table is device_info else ())] for table in TABLES
    }
    for number, start in enumerate(range(0, count, LINES_AT_ONCE)):
        table = TABLES[number % len(TABLES)]
        lines = mutated(corpora[table], min(LINES_AT_ONCE, count - start), seed + number)
        both_agree(table, b"".join(lines))
    print(f"{count} mutated lines: both readers agree")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
