"""Writing a text file as a whole: it keeps its old content or gets all of the new one, and an error names it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def open_whole(path: Path) -> Iterator[IO[str]]:
    """Open a file for UTF-8; it is replaced when the block ends, and unchanged if the block raises.

    A link is followed, and the permissions stay. What is no regular file, such as a pipe, is written directly.

    Raises:
        OSError: when it cannot be written; its `filename` is the path, also on a full disk.
    """
    target = path.resolve()
    direct = target.exists() and not target.is_file()
    new = target if direct else target.with_name(f"{target.name}.{os.getpid()}")
    try:
        with new.open("w", encoding="utf-8", newline="") as file:
            yield file
        if direct:
            return
        if target.exists():
            shutil.copymode(target, new)
        new.replace(target)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if not direct:
            new.unlink(missing_ok=True)
