"""How the brief words and shortens what tables hold: severities, products, categories, moments, long text.

Nothing is made harmless here: the page does that to every text that it shows.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime

from defender_assets.core.enums import LEVELS

OTHER = "other"
KINDS = (*LEVELS, OTHER)
"""Severities, highest first, as the page names their colours; a word that Microsoft may add one day is `other`."""

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
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def kind_of(severity: str | None) -> str:
    """Return which of KINDS a severity is.

    >>> kind_of("High"), kind_of("Critical"), kind_of(None)
    ('high', 'other', 'other')
    """
    lowered = (severity or "").lower()
    return lowered if lowered in KINDS else OTHER


def product_name(product: str | None) -> str:
    """Return a product as people write it."""
    return _PRODUCTS.get(product or OTHER, product or "")


def category_name(category: str) -> str:
    """Return a category in words.

    >>> category_name("CommandAndControl")
    'Command and control'
    """
    words = _HUMP.split(category)
    return " ".join([*words[:1], *(word.lower() for word in words[1:])])


def moment_words(moment: datetime, day: date) -> str:
    """Return the time of a moment (UTC), with its day where that is another one.

    >>> moment_words(datetime(2026, 11, 3, 8, 5, tzinfo=UTC), date(2026, 11, 3))
    '08:05'
    >>> moment_words(datetime(2026, 11, 2, 8, 5, tzinfo=UTC), date(2026, 11, 3))
    '2 Nov 08:05'
    """
    moment = moment.astimezone(UTC)
    return f"{moment:%H:%M}" if moment.date() == day else f"{day_words(moment.date(), short=True)} {moment:%H:%M}"


def day_words(day: date, *, short: bool = False) -> str:
    """Return a day in words, in English whatever the machine's language.

    >>> day_words(date(2026, 11, 3)), day_words(date(2026, 11, 3), short=True)
    ('Tuesday 3 November 2026', '3 Nov')
    """
    month = _MONTHS[day.month - 1]
    return f"{day.day} {month[:3]}" if short else f"{_WEEKDAYS[day.weekday()]} {day.day} {month} {day.year}"


def span_words(seconds: float) -> str:
    """Return a length of time in its two largest units.

    >>> span_words(45), span_words(750), span_words(101_000)
    ('45 s', '12 min', '1 d 4 h')
    """
    sign, whole = ("-" if seconds < 0 else ""), abs(round(seconds))
    if whole < _MINUTE:
        return f"{sign}{whole} s"
    if whole < _HOUR:
        return f"{sign}{whole // _MINUTE} min"
    if whole < _DAY:
        hours, rest = divmod(whole, _HOUR)
        return f"{sign}{hours} h" + (f" {rest // _MINUTE} min" if rest >= _MINUTE else "")
    days, rest = divmod(whole, _DAY)
    return f"{sign}{days} d" + (f" {rest // _HOUR} h" if rest >= _HOUR else "")


def listed(texts: Sequence[str], most: int) -> str:
    """Return the first of the texts and how many more there are.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more:,} more" if more > 0 else "")


def clipped(text: str, most: int) -> str:
    """Return the text, cut where it is longer than so many characters.

    >>> clipped("a long command", 7)
    'a long…'
    """
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
