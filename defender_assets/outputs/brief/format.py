"""Wording and limits of the brief alone: kinds of severity, days and lengths of time in words, long text."""

from collections.abc import Sequence
from datetime import date

from defender_assets.core.enums import LEVELS
from defender_assets.outputs.labels import LONG, MONTHS, Row, clipped, whole_title

OTHER = "other"
KINDS = (*LEVELS, OTHER)
"""Severities, highest first, as the page names their colours; `other` is any that Microsoft may add."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def kind_of(severity: str | None) -> str:
    """Return which of KINDS a severity is.

    >>> kind_of("High"), kind_of("Critical"), kind_of(None)
    ('high', 'other', 'other')
    """
    lowered = (severity or "").lower()
    return lowered if lowered in KINDS else OTHER


def day_words(day: date) -> str:
    """Return a day in words, in English in any locale.

    >>> day_words(date(2026, 11, 3))
    'Tuesday 3 November 2026'
    """
    return f"{_WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"


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


def title_of(lead: Row) -> str:
    """Return the lead's title, cut to LONG."""
    return clipped(whole_title(lead), LONG)


def reasons_of(reasons: Sequence[Row] | None) -> list[tuple[int, str]]:
    """Return (points, reason) pairs."""
    return [(reason["points"], clipped(reason["reason"] or "", LONG)) for reason in reasons or []]
