"""Hostile text cut to what a receiver takes, and the words of a digest. The formats stand in `slack` and `teams`."""

from collections.abc import Callable, Sequence

from defender_assets.core.hostile import visible
from defender_assets.core.text import counted
from defender_assets.outputs.notifications.notification import Notice

DIGEST_SHOWN = 20
_PLURAL = {"story": "stories", "run_failed": "failed runs", "check_failed": "failed checks", "lead": "leads"}
_SINGULAR = {"story": "story", "run_failed": "failed run", "check_failed": "failed check", "lead": "lead"}


def fitted(text: str, most: int, escape: Callable[[str], str] = str) -> str:
    """Return the text with every character visible and escaped, cut so that no escape is torn and it is not longer.

    >>> fitted("a<b", 4, lambda mark: "&lt;" if mark == "<" else mark)
    'a…'
    """
    pieces, length = [], 0
    for mark in text[: most + 1]:
        piece = escape(visible(mark))
        pieces.append(piece)
        length += len(piece)
    if length <= most and len(text) <= most:
        return "".join(pieces)
    while pieces and length > most - 1:
        length -= len(pieces.pop())
    return "".join(pieces).rstrip() + "…"


def digest_title(notices: Sequence[Notice]) -> str:
    """Return what a digest holds, in numbers.

    >>> digest_title([])
    'Nothing new'
    """
    kinds = [notice.kind for notice in notices]
    counts = [counted(kinds.count(kind), _SINGULAR[kind], _PLURAL[kind]) for kind in dict.fromkeys(kinds)]
    return f"Many at once: {', '.join(counts)}" if counts else "Nothing new"


def headline(notice: Notice) -> str:
    """Return a notice on a line, its text as it came."""
    measure = {"lead": "risk", "story": "score"}.get(notice.kind)
    return f"{notice.what}: {notice.title}" + (f" ({measure} {notice.weight})" if measure else "")
