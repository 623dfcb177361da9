"""Parses timestamps such as `2026-11-03T08:15:30.1234567Z` to microseconds since 1970."""

# mypy: disable-error-code="assignment,no-untyped-def,untyped-decorator"
# numba infers types
# ruff: noqa: ANN001, ANN202, ANN201, C901, PLR0911, PLR2004

import numpy as np
from numba import njit

_NULL = -1
_NONE = np.iinfo(np.int64).min


@njit
def _digits(content, at, count):
    number = 0
    for step in range(count):
        digit = np.int64(content[at + step]) - 0x30
        if digit < 0 or digit > 9:
            return -1
        number = number * 10 + digit
    return number


@njit
def _day(year, month, day):
    """Return the days since 1970 (Howard Hinnant, chrono-compatible low-level date algorithms)."""
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@njit
def _instant(content, at):
    """Return microseconds since 1970, or _NONE: 0 to 7 fractional digits, cut to 6, then `Z` and the closing quote."""
    year = _digits(content, at, 4)
    if year < 1970 or content[at + 4] != 0x2D:
        return _NONE
    month = _digits(content, at + 5, 2)
    if month < 1 or month > 12 or content[at + 7] != 0x2D:
        return _NONE
    day = _digits(content, at + 8, 2)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 31 if month in (1, 3, 5, 7, 8, 10, 12) else 30 if month != 2 else 29 if leap else 28
    if day < 1 or day > longest or content[at + 10] != 0x54:
        return _NONE
    hour = _digits(content, at + 11, 2)
    if hour < 0 or hour > 23 or content[at + 13] != 0x3A:
        return _NONE
    minute = _digits(content, at + 14, 2)
    if minute < 0 or minute > 59 or content[at + 16] != 0x3A:
        return _NONE
    second = _digits(content, at + 17, 2)
    if second < 0 or second > 59:
        return _NONE
    at += 19
    micro = 0
    if content[at] == 0x2E:
        at += 1
        digits = 0
        while 0x30 <= content[at] <= 0x39:
            if digits < 6:
                micro = micro * 10 + (np.int64(content[at]) - 0x30)
            digits += 1
            at += 1
        if digits < 1 or digits > 7:
            return _NONE
        for _ in range(digits, 6):
            micro *= 10
    if content[at] != 0x5A or content[at + 1] != 0x22:
        return _NONE
    return (((_day(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micro


@njit(nogil=True, cache=True)
def read(content, columns, begins, lengths, moments, unfit):
    """Fill row n of `moments` with the n-th of the columns; mark records with a rejected timestamp in `unfit`.

    `begins` and `lengths` come from `scanner.scan`.
    """
    for row in range(len(unfit)):
        for number, column in enumerate(columns):
            moments[number, row] = 0
            if lengths[column, row] != _NULL:
                moment = _instant(content, begins[column, row])
                if moment == _NONE:
                    unfit[row] = True
                else:
                    moments[number, row] = moment
