"""Fixtures of the readers' tests."""

import fcntl
import sys
from pathlib import Path

import pytest

from defender_assets.core.schemas import DEVICE_INFO
from defender_assets_tests.support.odd_lines import both_agree, compact


@pytest.fixture(scope="session")
def compiled() -> None:
    """Compile the reader in one process of the tests; the others wait for its cache. Compiling takes many seconds."""
    with Path(sys.prefix, "numba.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        both_agree(DEVICE_INFO, compact(DEVICE_INFO, DeviceId="d"))
