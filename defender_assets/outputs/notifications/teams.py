"""A notice or a digest as a message for a Teams workflow: an Adaptive Card 1.4 in an attachment.

Text out of alerts stands in text runs (`RichTextBlock`), which know no Markdown; a `TextBlock` or `FactSet` would read
links and formatting out of it. Only our own words stand in a `TextBlock`. adaptivecards.io/explorer/TextRun.html
"""

import json
from collections.abc import Sequence
from typing import Any

from defender_assets.outputs.notifications.formatting import DIGEST_SHOWN, digest_title, fitted, headline
from defender_assets.outputs.notifications.notification import Link, Notification

Element = dict[str, Any]

VERSION = "1.4"
CONTENT_TYPE = "application/vnd.microsoft.card.adaptive"
# Teams takes messages of 28 KB
MOST_BYTES = 26_000
_TITLE, _VALUE, _LINE, _ACTIONS, _LONGEST_URL = 500, 300, 140, 6, 2000


def message(notifications: Sequence[Notification]) -> dict[str, Any]:
    """Return the payload of one notice, or of several as a digest."""
    body = _digest(notifications) if len(notifications) > 1 else _one(notifications[0])
    links = [] if len(notifications) > 1 else list(notifications[0].links)
    payload = _posted(body, links)
    while len(json.dumps(payload).encode()) > MOST_BYTES and len(body) > 1:
        body.pop()
        payload = _posted(body, links)
    return payload


def _one(notification: Notification) -> list[Element]:
    return [
        {"type": "TextBlock", "text": notification.what, "weight": "Bolder", "color": "Attention", "wrap": True},
        _runs(_run(notification.title, _TITLE, weight="Bolder", size="Large")),
        *(
            _runs(_run(f"{label}: ", _VALUE, weight="Bolder"), _run(value, _VALUE))
            for label, value in notification.facts
        ),
        *(_runs(_run(reason, _VALUE)) for reason in notification.reasons),
    ]


def _digest(notifications: Sequence[Notification]) -> list[Element]:
    lines = [
        _runs(_run(headline(notification), _LINE, **_selected(notification.links)))
        for notification in notifications[:DIGEST_SHOWN]
    ]
    more = len(notifications) - DIGEST_SHOWN
    return [
        {"type": "TextBlock", "text": digest_title(notifications), "weight": "Bolder", "wrap": True},
        *lines,
        *([_runs(_run(f"… and {more} more.", _LINE))] if more > 0 else []),
    ]


def _posted(body: list[Element], links: Sequence[Link]) -> dict[str, Any]:
    actions = [_open(link) for link in links[:_ACTIONS] if len(link.url) <= _LONGEST_URL]
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


def _run(text: str, most: int, **style: Any) -> Element:
    return {"type": "TextRun", "text": fitted(text, most) or "–", **style}


def _selected(links: Sequence[Link]) -> dict[str, Any]:
    usable = [link for link in links if len(link.url) <= _LONGEST_URL]
    return {"selectAction": _open(usable[0])} if usable else {}


def _open(link: Link) -> Element:
    return {"type": "Action.OpenUrl", "title": link.label, "url": link.url}
