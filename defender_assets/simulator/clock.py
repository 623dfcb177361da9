"""Instants as whole 100-nanosecond ticks since 1970 (UTC), and how Microsoft writes them."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

SECOND = 10_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_IN_DOTNET_TICKS = 621_355_968_000_000_000


def first_tick(day: date) -> int:
    """Ticks at midnight (UTC) at the start of `day`."""
    return (day - _EPOCH.date()).days * DAY


def moment(ticks: int) -> datetime:
    """The instant as an aware datetime, truncated to microseconds."""
    return _EPOCH + timedelta(microseconds=ticks // 10)


def dotnet_ticks(ticks: int) -> int:
    """.NET's ticks since the year 1: the 18 digits in an AlertId of Defender for Endpoint."""
    return ticks + _EPOCH_IN_DOTNET_TICKS


@lru_cache(maxsize=64)
def _day_text(day: int) -> str:
    return (_EPOCH.date() + timedelta(days=day)).isoformat()


def stamp(ticks: int, digits: int = 7) -> str:
    """ISO 8601 with `digits` (0 to 7) fractional digits and a `Z`: `2026-01-02T03:04:05.1234567Z`."""
    seconds, fraction = divmod(ticks, SECOND)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    text = f"{_day_text(day)}T{hour:02}:{minute:02}:{second:02}"
    return f"{text}.{f'{fraction:07}'[:digits]}Z" if digits else f"{text}Z"
