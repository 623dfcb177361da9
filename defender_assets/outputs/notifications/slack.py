"""Payload for Slack's incoming webhooks, made of blocks (docs.slack.dev/reference/block-kit/blocks).

Text from alerts goes into `plain_text` objects, which support neither formatting nor mentions, and is escaped as Slack
asks for all text. Only links are `mrkdwn`; their text and addresses are ours.
"""

from collections.abc import Sequence
from typing import Any

from defender_assets.outputs.notifications.formatting import DIGEST_SHOWN, digest_title, headline, truncate
from defender_assets.outputs.notifications.notification import Link, Notification

Block = dict[str, Any]

# Slack's limits: characters of a header and of a section, fields of a section
HEADER, SECTION, FIELDS = 150, 3000, 10
_LINE, _FALLBACK = 140, 300
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def message(notifications: Sequence[Notification]) -> dict[str, Any]:
    """Return the payload of one notification, or of a digest of several."""
    if len(notifications) > 1:
        return _digest(notifications)
    (notification,) = notifications
    header = f"{notification.heading}: {notification.title}"
    fields = [_plain_text(f"{label}: {value}", 300) for label, value in notification.facts[:FIELDS]]
    blocks: list[Block] = [{"type": "header", "text": _plain_text(header, HEADER)}]
    if len(notification.title) + len(notification.heading) > HEADER - 2:
        # the header is cut: repeat the whole title
        blocks.append({"type": "section", "text": _plain_text(notification.title, SECTION)})
    blocks += _links(notification.links)
    if fields:
        blocks.append({"type": "section", "fields": fields})
    blocks += [{"type": "section", "text": _plain_text(reason, 400)} for reason in notification.reasons]
    return _payload(header, blocks)


def _digest(notifications: Sequence[Notification]) -> dict[str, Any]:
    title = digest_title(notifications)
    blocks: list[Block] = [{"type": "header", "text": _plain_text(title, HEADER)}]
    for notification in notifications[:DIGEST_SHOWN]:
        blocks.append({"type": "section", "text": _plain_text(headline(notification), _LINE)})
        blocks += _links(notification.links[:1])
    if len(notifications) > DIGEST_SHOWN:
        blocks.append(
            {"type": "section", "text": _plain_text(f"… and {len(notifications) - DIGEST_SHOWN} more.", _LINE)}
        )
    return _payload(title, blocks)


def _payload(fallback: str, blocks: list[Block]) -> dict[str, Any]:
    # `text` is shown in a push notification
    return {"text": truncate(fallback, _FALLBACK, _escaped), "mrkdwn": False, "blocks": blocks, "unfurl_links": False}


def _plain_text(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": truncate(text, limit, _escaped) or "–", "emoji": False}


def _links(links: Sequence[Link]) -> list[Block]:
    text = " · ".join(f"<{_escaped(link.url)}|{link.label}>" for link in links)
    if not 0 < len(text) <= SECTION:
        return []
    return [{"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}]


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(char, char) for char in text)
