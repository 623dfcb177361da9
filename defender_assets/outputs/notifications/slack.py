"""A notice or a digest as a message of Slack's incoming webhooks: blocks (docs.slack.dev/reference/block-kit/blocks).

Text out of alerts stands in `plain_text` objects, which know neither formatting nor mentions, and is escaped as Slack
asks for all text; only links are `mrkdwn`, and these are ours.
"""

from collections.abc import Sequence
from typing import Any

from defender_assets.outputs.notifications.formatting import DIGEST_SHOWN, digest_title, fitted, headline
from defender_assets.outputs.notifications.notification import Link, Notification

Block = dict[str, Any]

# Slack's limits: characters of a header, a section, and fields of a section
HEADER, SECTION, FIELDS = 150, 3000, 10
_LINE, _FALLBACK = 140, 300
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def message(notifications: Sequence[Notification]) -> dict[str, Any]:
    """Return the payload of one notice, or of several as a digest."""
    if len(notifications) > 1:
        return _digest(notifications)
    (notification,) = notifications
    header = f"{notification.what}: {notification.title}"
    fields = [_plain(f"{label}: {value}", 300) for label, value in notification.facts[:FIELDS]]
    blocks: list[Block] = [{"type": "header", "text": _plain(header, HEADER)}]
    if len(notification.title) + len(notification.what) > HEADER - 2:
        # the header is short: the whole title follows
        blocks.append({"type": "section", "text": _plain(notification.title, SECTION)})
    if fields:
        blocks.append({"type": "section", "fields": fields})
    blocks += [{"type": "section", "text": _plain(reason, 400)} for reason in notification.reasons]
    return _posted(header, [*blocks, *_links(notification.links)])


def _digest(notifications: Sequence[Notification]) -> dict[str, Any]:
    title = digest_title(notifications)
    blocks: list[Block] = [{"type": "header", "text": _plain(title, HEADER)}]
    for notification in notifications[:DIGEST_SHOWN]:
        blocks.append({"type": "section", "text": _plain(headline(notification), _LINE)})
        blocks += _links(notification.links[:1])
    if len(notifications) > DIGEST_SHOWN:
        blocks.append({"type": "section", "text": _plain(f"… and {len(notifications) - DIGEST_SHOWN} more.", _LINE)})
    return _posted(title, blocks)


def _posted(fallback: str, blocks: list[Block]) -> dict[str, Any]:
    # `text` is what a notification on a telephone shows
    return {"text": fitted(fallback, _FALLBACK, _escaped), "mrkdwn": False, "blocks": blocks, "unfurl_links": False}


def _plain(text: str, most: int) -> Block:
    return {"type": "plain_text", "text": fitted(text, most, _escaped) or "–", "emoji": False}


def _links(links: Sequence[Link]) -> list[Block]:
    if not links:
        return []
    text = " · ".join(f"<{_escaped(link.url)}|{link.label}>" for link in links)
    if len(text) > SECTION:
        return []
    return [{"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}]


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(mark, mark) for mark in text)
