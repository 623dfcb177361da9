"""Payload for a Teams workflow: an Adaptive Card 1.4 in an attachment.

Text from alerts goes into text runs (adaptivecards.io/explorer/TextRun.html), which support no Markdown. A `TextBlock`
or `FactSet` would interpret links and formatting, so only our own text is in a `TextBlock`.
"""

import json
from collections.abc import Sequence
from typing import Any

from defender_assets.outputs.notifications.formatting import DIGEST_SHOWN, digest_title, headline, truncate
from defender_assets.outputs.notifications.notification import Link, Notification

Element = dict[str, Any]

VERSION = "1.4"
CONTENT_TYPE = "application/vnd.microsoft.card.adaptive"
# Teams accepts messages of 28 KB
MAX_BYTES = 26_000
_TITLE, _VALUE, _LINE, _ACTIONS, _URL = 500, 300, 140, 6, 2000


def message(notifications: Sequence[Notification]) -> dict[str, Any]:
    """Return the payload of one notification, or of a digest of several."""
    is_digest = len(notifications) > 1
    body = _digest(notifications) if is_digest else _details(notifications[0])
    links = () if is_digest else notifications[0].links
    payload = _payload(body, links)
    while len(json.dumps(payload).encode()) > MAX_BYTES and len(body) > 1:
        body.pop()
        payload = _payload(body, links)
    return payload


def _details(notification: Notification) -> list[Element]:
    return [
        {"type": "TextBlock", "text": notification.heading, "weight": "Bolder", "color": "Attention", "wrap": True},
        _runs(_run(notification.title, _TITLE, weight="Bolder", size="Large", **_select_action(notification.links))),
        *(
            _runs(_run(f"{label}: ", _VALUE, weight="Bolder"), _run(value, _VALUE))
            for label, value in notification.facts
        ),
        *(_runs(_run(reason, _VALUE)) for reason in notification.reasons),
    ]


def _digest(notifications: Sequence[Notification]) -> list[Element]:
    lines = [
        _runs(_run(headline(notification), _LINE, **_select_action(notification.links)))
        for notification in notifications[:DIGEST_SHOWN]
    ]
    more = len(notifications) - DIGEST_SHOWN
    return [
        {"type": "TextBlock", "text": digest_title(notifications), "weight": "Bolder", "wrap": True},
        *lines,
        *([_runs(_run(f"… and {more} more.", _LINE))] if more > 0 else []),
    ]


def _payload(body: list[Element], links: Sequence[Link]) -> dict[str, Any]:
    actions = [_open(link) for link in links[:_ACTIONS] if len(link.url) <= _URL]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "body": list(body),
        "msteams": {"width": "Full"},
    }
    if actions:
        card["actions"] = actions
    return {"type": "message", "attachments": [{"contentType": CONTENT_TYPE, "contentUrl": None, "content": card}]}


def _runs(*runs: Element) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, limit: int, **style: Any) -> Element:
    return {"type": "TextRun", "text": truncate(text, limit) or "–", **style}


def _select_action(links: Sequence[Link]) -> dict[str, Any]:
    usable = [link for link in links if len(link.url) <= _URL]
    return {"selectAction": _open(usable[0])} if usable else {}


def _open(link: Link) -> Element:
    return {"type": "Action.OpenUrl", "title": link.label, "url": link.url}
