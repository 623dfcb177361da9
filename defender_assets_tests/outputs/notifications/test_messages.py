"""Payloads have the shape and stay within the limits that Slack and Teams document, whatever the text."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from defender_assets.outputs.notifications import slack, teams
from defender_assets.outputs.notifications.incidents import CHECK_FAILED, Incident
from defender_assets.outputs.notifications.notification import (
    Notification,
    incident_notification,
    lead_notification,
    story_notification,
)
from defender_assets_tests.support.alert_rows import DAY, at, lead_row
from defender_assets_tests.support.hostile_text import HOSTILE_HTML, HOSTILE_TITLE, dangerous_in

MENTIONS = (
    "<!channel> <@U024BE7LH> @channel <at>everyone</at> *bold* [click](https://evil.example) https://evil.example"
)
HOSTILE = f"{HOSTILE_TITLE}{HOSTILE_HTML}{MENTIONS}\n# head"
UI = "https://dagster.example.org"
OURS = ("https://security.microsoft.com/alerts/", f"{UI}/")


def entry(story_title: str, priority: int) -> dict[str, Any]:
    """What the queue adds to a lead."""
    story = {"story_id": "s", "story_title": story_title, "story_score": 77}
    return {"priority": priority, "priority_points": priority + 30, **story}


def lead(text: str) -> Notification:
    return lead_notification(
        {
            **lead_row("1", when=at()),
            "title": text,
            "category": text,
            "device_name": text,
            "product": text,
            "alert_id": text,
            "severity": text,
            "attack_techniques": [text] * 9,
            "accounts": [{"upn": text, "name": text, "sid": text}] * 5,
            "risk_score": 91,
            "risk_reasons": [{"points": 91, "reason": text}] * 20,
            "device_match": "as_of",
            "device_age_seconds": 2199,
            **entry(text, 100),
            "portal_url": "https://evil.example",
        },
        UI,
    )


def story(text: str) -> Notification:
    row = {
        "tenant_id": "t",
        "export_date": DAY,
        "story_id": "s",
        "title": text,
        "lead_ids": [f"{number}" for number in range(300)],
        "severity": text,
        "score": 77,
        "points": 120,
        "score_reasons": [{"points": 7, "reason": text}] * 20,
        "tactics": [text] * 20,
        "products": [text] * 20,
        "device_names": [text] * 200,
        "accounts": [text] * 200,
    }
    return story_notification(row, [{"tenant_id": "t", "alert_id": text, "title": text}] * 300, frozenset(), UI)


def failure(text: str) -> Notification:
    return incident_notification(Incident(CHECK_FAILED, text, text, text, "0123456789abcdef"), UI)


MESSAGES = [
    pytest.param([make(text)] * count, id=f"{make.__name__}-{name}-{count}")
    for name, text in (("hostile", HOSTILE), ("long", "&<\u202e\U0001f600x" * 9000), ("empty", ""))
    for make in (lead, story, failure)
    for count in (1, 300)
]


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


@pytest.mark.parametrize("notifications", MESSAGES)
def test_slack_accepts_the_payload(notifications: list[Notification]) -> None:
    payload = slack.message(notifications)
    assert 1 <= len(payload["blocks"]) <= 50
    assert 0 < len(payload["text"]) <= 4000
    for block in payload["blocks"]:
        if block["type"] == "header":
            check_plain_text(block["text"], 150)
        elif block["type"] == "context":
            (element,) = block["elements"]
            assert (element["type"], element["verbatim"]) == ("mrkdwn", True)
            assert len(element["text"]) <= 3000
            for link in element["text"].split(" · "):
                address, _, label = link.removeprefix("<").removesuffix(">").partition("|")
                assert address.startswith(OURS)
                assert not set(address + label) & set("<>|")
        else:
            assert block["type"] == "section"
            if "text" in block:
                check_plain_text(block["text"], 3000)
            assert len(block.get("fields", [])) <= 10
            for field in block.get("fields", []):
                check_plain_text(field, 2000)
    assert not set().union(*map(dangerous_in, texts(payload)))


def check_plain_text(shown: Mapping[str, Any], limit: int) -> None:
    assert (shown["type"], shown["emoji"]) == ("plain_text", False)
    assert 1 <= len(shown["text"]) <= limit
    assert "<" not in shown["text"]
    assert ">" not in shown["text"]
    assert shown["text"].count("&") == sum(shown["text"].count(escape) for escape in ("&amp;", "&lt;", "&gt;"))


@pytest.mark.parametrize("notifications", MESSAGES)
def test_teams_accepts_the_payload(notifications: list[Notification]) -> None:
    payload = teams.message(notifications)
    assert len(json.dumps(payload).encode()) < 28 * 1024
    (attachment,) = payload["attachments"]
    assert (payload["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert len(card["body"]) > 1
    opened = list(card.get("actions", []))
    for element in card["body"]:
        if element["type"] == "TextBlock":
            assert element["text"].split()[0] in {"New", "Story", "Data", "Many"}
            assert "evil" not in element["text"]
            continue
        assert element["type"] == "RichTextBlock"
        for run in element["inlines"]:
            assert run["type"] == "TextRun"
            assert run["text"]
            opened += [run["selectAction"]] if "selectAction" in run else []
    assert len(card.get("actions", [])) <= 6
    for action in opened:
        assert action["type"] == "Action.OpenUrl"
        assert action["url"].startswith(OURS)
    assert not set().union(*map(dangerous_in, texts(payload)))


def test_a_message_contains_what_an_analyst_needs() -> None:
    row = {
        **lead_row("1", when=at()),
        "title": "Ransomware & co",
        "category": "CommandAndControl",
        "device_name": "pc1",
        "device_match": "as_of",
        "device_age_seconds": 2199,
        **entry("2 alerts & a step", 97),
        "accounts": [{"upn": "eve@x.example", "name": "eve", "sid": None}],
        "alert_id": "da1",
        "risk_score": 91,
        "severity": "High",
        "attack_techniques": ["T1486"],
        "risk_reasons": [{"points": 60, "reason": "high severity"}, {"points": 31, "reason": "valuable device"}],
    }
    notification = lead_notification(row, UI)
    for payload in (slack.message([notification]), teams.message([notification])):
        text = "\n".join(texts(payload)).replace("&amp;", "&")
        for part in (
            "Ransomware & co",
            "97 of 100, risk 91, severity High",
            "2 alerts & a step (score 77 of 100)",
            "36 minutes before the alert",
            "pc1",
            "eve@x.example",
            "Command and Control",
            "T1486",
            "+60 high severity",
            "+31 valuable device",
            f"https://security.microsoft.com/alerts/da1?tid={row['tenant_id']}",
            f"{UI}/assets/device_enriched_leads?view=partitions",
        ):
            assert part in text
    unlinked = lead_notification(row, None)
    assert "dagster" not in json.dumps([slack.message([unlinked]), teams.message([unlinked])])
    elsewhere = json.dumps(teams.message([lead_notification(row, None, "https://security.microsoft.us")]))
    assert "https://security.microsoft.us/alerts/da1" in elsewhere
    assert "security.microsoft.com" not in elsewhere


def test_the_portal_is_linked_before_the_facts() -> None:
    (slack_message, teams_message) = (make.message([lead("a")]) for make in (slack, teams))
    kinds = [next(iter(block.keys() & {"elements", "fields"}), block["type"]) for block in slack_message["blocks"]]
    assert kinds.index("elements") < kinds.index("fields")
    title = teams_message["attachments"][0]["content"]["body"][1]["inlines"][0]
    assert title["selectAction"]["url"].startswith(OURS[0])
