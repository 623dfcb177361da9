"""Wording that the brief and the notifications share: products, categories, times, a lead's title, story, device.

Text is shortened here and never escaped: each output escapes all text that it shows.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from defender_assets.core.attack import tactic_of
from defender_assets.core.text import format_duration

Row = Mapping[str, Any]

SHORT = 110
"""Longest name of an account or a device, in characters."""

LONG = 220
"""Longest title, reason, change or indicator, in characters."""

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

_PRODUCTS = {
    "endpoint": "Endpoint",
    "identity": "Identity",
    "office365": "Office 365",
    "cloud_apps": "Cloud Apps",
    "entra_id": "Entra ID",
    "xdr": "XDR",
    "cloud": "Cloud",
    "dlp": "DLP",
    "app_governance": "App Governance",
    "sentinel": "Sentinel",
    "other": "Other",
}
_WORD_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])")
# well-known SIDs: the system, the local service, the network service
_SYSTEM_SIDS = frozenset({"S-1-5-18", "S-1-5-19", "S-1-5-20"})


def product_name(product: str | None) -> str:
    """Return a product as people write it; an unknown one unchanged."""
    return _PRODUCTS.get(product or "other", product or "")


def category_name(category: str) -> str:
    """Return a category in words, a tactic by ATT&CK's name.

    >>> category_name("CommandAndControl"), category_name("SuspiciousActivity")
    ('Command and Control', 'Suspicious activity')
    """
    if tactic := tactic_of(category):
        return tactic.name
    first, *rest = _WORD_BOUNDARY.split(category)
    return " ".join([first, *map(str.lower, rest)])


def short_day(day: date) -> str:
    """Return a day without its year, in English in any locale.

    >>> short_day(date(2026, 11, 3))
    '3 Nov'
    """
    return f"{day.day} {MONTHS[day.month - 1][:3]}"


def moment_words(moment: datetime, day: date) -> str:
    """Return the time of a moment (UTC), with its date unless that is `day`.

    >>> moment_words(datetime(2026, 11, 3, 8, 5, tzinfo=UTC), date(2026, 11, 3))
    '08:05'
    >>> moment_words(datetime(2026, 11, 2, 8, 5, tzinfo=UTC), date(2026, 11, 3))
    '2 Nov 08:05'
    """
    moment = moment.astimezone(UTC)
    return f"{moment:%H:%M}" if moment.date() == day else f"{short_day(moment.date())} {moment:%H:%M}"


def words_of(word: str) -> str:
    """Return a state or a verdict in words.

    >>> words_of("false_positive")
    'false positive'
    """
    return word.replace("_", " ")


def state_words(lead: Row) -> str:
    """Return the state of a lead in triage in words; `lead` has `triage.STATE_COLUMNS`.

    >>> said = {"assignee": "bo", "analyst_verdict": "false_positive", "reopened": True, "changed": ["Severity raised"]}
    >>> state_words({"state": "new", **said})
    'open again, closed as false positive before, bo. Severity raised'
    """
    words, verdict = words_of(lead["state"]), words_of(lead["analyst_verdict"] or "")
    if lead["reopened"]:
        words = f"open again, closed as {verdict} before"
    elif verdict:
        words = f"{words} as {verdict}"
    changed = listed([clipped(sentence, LONG) for sentence in lead["changed"]], 4)
    return f"{', '.join(filter(None, [words, lead['assignee']]))}{f'. {changed}' if changed else ''}"


def precision_words(counts: Row) -> str | None:
    """Return how often a detection was right; `counts` is a row of `triage.precision`. None without verdicts.

    >>> said = {"true_positive": 3, "benign_positive": 8, "false_positive": 30}
    >>> precision_words({**said, "precision_low": 0.025, "precision_high": 0.194})
    '3 of 41 were true, 3 to 19 %'
    """
    judged = sum(counts[name] for name in ("true_positive", "benign_positive", "false_positive"))
    if not judged:
        return None
    low, high = (math.floor(counts[f"precision_{end}"] * 100 + 0.5) for end in ("low", "high"))
    return f"{counts['true_positive']:,} of {judged:,} were true, {low} to {high} %"


def whole_title(lead: Row) -> str:
    """Return the lead's title, or a substitute: no record of the alert may have one, or one that is text.

    >>> whole_title({"title": None, "alert_id": "da1"})
    'Untitled alert, da1'
    """
    return lead["title"] or f"Untitled alert, {lead['alert_id']}"


def accounts_of(lead: Row) -> list[str]:
    """Return the names of the people among the lead's accounts; if there are none, those of machines and the system."""
    impersonal = {}
    for account in lead["accounts"] or []:
        if name := (account["upn"] or "").lower() or account["name"] or account["sid"]:
            impersonal[name] = (account["name"] or "").endswith("$") or account["sid"] in _SYSTEM_SIDS
    people = [name for name in impersonal if not impersonal[name]]
    return [clipped(name, SHORT) for name in people or impersonal]


def before_alert(seconds: int) -> str:
    """Return how long before or after the alert something was, from the seconds before it.

    >>> before_alert(2199), before_alert(-3600), before_alert(0)
    ('36 minutes before the alert', '1 hour after the alert', 'at the time of the alert')
    """
    if not seconds:
        return "at the time of the alert"
    return f"{format_duration(abs(seconds))} {'before' if seconds > 0 else 'after'} the alert"


def device_state_words(lead: Row) -> str | None:
    """Return when the device had the state that the lead shows; None if no heartbeat is known."""
    return None if lead["device_age_seconds"] is None else before_alert(lead["device_age_seconds"])


def story_words(lead: Row) -> str | None:
    """Return score and title of the story in the lead's entry of the queue; None if it is in none."""
    if lead["story_id"] is None:
        return None
    score = "no score" if lead["story_score"] is None else f"score {lead['story_score']} of 100"
    return f"{clipped(lead['story_title'] or 'untitled', LONG)} ({score})"


def device_words(lead: Row) -> str | None:
    """Return the lead's device, the number of further ones and any doubt about the match; None without a device."""
    name = lead["device_name"] or (lead["device_id"] or "")[:12]
    if not name:
        return None
    others = len(lead["devices"] or []) - 1
    notes = [f"+{others}"] if others > 0 else []
    later = f"first seen {device_state_words(lead) or 'later'}"
    notes += {"after": [later], "unknown": ["not seen"]}.get(lead["device_match"], [])
    return clipped(name, SHORT) + (f" ({', '.join(notes)})" if notes else "")


def listed(texts: Sequence[str], most: int) -> str:
    """Return the first `most` texts and how many more there are.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more:,} more" if more > 0 else "")


def clipped(text: str, most: int) -> str:
    """Return the text, cut to at most `most` characters.

    >>> clipped("a long command", 7)
    'a long…'
    """
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
