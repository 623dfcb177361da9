"""How the C library holds memory that threads have freed. Knows no data."""

import ctypes
import os
from functools import cache

_M_ARENA_MAX = -8
_ARENAS = 2


@cache
def share_arenas() -> None:
    """Let all threads of this process free into few arenas (glibc), for the rest of its life.

    Otherwise glibc keeps an arena for each thread, and what one has freed serves no other: memory grows from share to
    share. Other C libraries have no such call and need none.
    """
    if os.name != "posix":
        # Windows knows no library without a name
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
