"""Settings of the C library's memory allocator, and of Python's garbage collector."""

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_M_ARENA_MAX = -8
_ARENAS = 2


@cache
def share_arenas() -> None:
    """Limit glibc to two memory arenas for all threads of this process.

    By default each thread has an arena, whose freed memory other threads do not reuse: memory grows with every portion.
    Other C libraries do not have this setting.
    """
    # on Windows CDLL(None) is an error
    if os.name != "posix":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector, for imports: they create many objects that stay, and no garbage worth collecting.

    Afterwards, no collection looks at the objects that exist now: modules stay as long as the process does.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
