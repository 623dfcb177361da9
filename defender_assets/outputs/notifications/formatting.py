"""Hostile text cut to what a receiver takes, and the words of a digest. The formats stand in `slack` and `teams`."""

from collections.abc import Callable, Sequence

from defender_assets.core.text import escape_control_chars, pluralize
from defender_assets.outputs.notifications.notification import Notification

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
        piece = escape(escape_control_chars(mark))
        pieces.append(piece)
        length += len(piece)
    if length <= most and len(text) <= most:
        return "".join(pieces)
    while pieces and length > most - 1:
        length -= len(pieces.pop())
    return "".join(pieces).rstrip() + "…"


def digest_title(notifications: Sequence[Notification]) -> str:
    """Return what a digest holds, in numbers.

    >>> digest_title([])
    'Nothing new'
    """
    kinds = [notification.kind for notification in notifications]
    counts = [pluralize(kinds.count(kind), _SINGULAR[kind], _PLURAL[kind]) for kind in dict.fromkeys(kinds)]
    return f"Many at once: {', '.join(counts)}" if counts else "Nothing new"


def headline(notification: Notification) -> str:
    """Return a notice on a line, its text as it came."""
    measure = {"lead": "risk", "story": "score"}.get(notification.kind)
    return f"{notification.what}: {notification.title}" + (f" ({measure} {notification.weight})" if measure else "")
