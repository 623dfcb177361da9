"""Text that Slack and Teams messages share: hostile text within a length limit, headlines and digest titles."""

from collections.abc import Callable, Sequence

from defender_assets.core.text import escape_control_chars, pluralize
from defender_assets.outputs.notifications.notification import Notification

DIGEST_SHOWN = 20
_NOUNS = {
    "story": ("story", "stories"),
    "run_failed": ("failed run", "failed runs"),
    "check_failed": ("failed check", "failed checks"),
    "silence": ("message about silence", "messages about silence"),
    "lead": ("lead", "leads"),
}


def truncate(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """Return the text with control characters made visible and each character escaped, at most `limit` long.

    >>> truncate("a<b", 4, lambda char: "&lt;" if char == "<" else char)
    'a…'
    """
    pieces = [escape(escape_control_chars(char)) for char in text[: limit + 1]]
    length = sum(map(len, pieces))
    if length <= limit and len(text) <= limit:
        return "".join(pieces)
    while pieces and length > limit - 1:
        length -= len(pieces.pop())
    return "".join(pieces).rstrip() + "…"


def digest_title(notifications: Sequence[Notification]) -> str:
    """Return how many notifications of each kind a digest contains.

    >>> digest_title([])
    'Nothing new'
    """
    kinds = [notification.kind for notification in notifications]
    counts = [pluralize(kinds.count(kind), *_NOUNS[kind]) for kind in dict.fromkeys(kinds)]
    return f"Many at once: {', '.join(counts)}" if counts else "Nothing new"


def headline(notification: Notification) -> str:
    """Return the notification in one line; its text is hostile and not escaped."""
    measure = {"lead": "priority", "story": "score"}.get(notification.kind)
    return f"{notification.heading}: {notification.title}" + (f" ({measure} {notification.weight})" if measure else "")
