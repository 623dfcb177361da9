"""A folder in which the permissions of files count, also where the tests run as root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def unprivileged_folder() -> Iterator[Path]:
    """A new folder; inside of the block, this process is not root."""
    folder = Path(tempfile.mkdtemp(prefix="unprivileged-"))
    root = os.geteuid() == 0
    try:
        if root:
            folder.chmod(0o777)
            os.seteuid(_NOBODY)
        yield folder
    finally:
        if root:
            os.seteuid(0)
        for below, _, _ in os.walk(folder):
            Path(below).chmod(0o700)
        shutil.rmtree(folder)
