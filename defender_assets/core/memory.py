"""Settings of the C library's memory allocator."""

import ctypes
import os
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
