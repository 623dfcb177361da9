"""Parses timestamps such as `2026-11-03T08:15:30.1234567Z` to microseconds since 1970."""

# mypy: disable-error-code="assignment,no-untyped-def,untyped-decorator"
# numba infers types
# ruff: noqa: ANN001, ANN202, ANN201, C901, PLR0911, PLR2004

import numpy as np
from numba import njit

_NULL = -1
_NONE = np.iinfo(np.int64).min
_PARTS = ((5, 0x2D, 1, 12), (8, 0x2D, 1, 31), (11, 0x54, 0, 23), (14, 0x3A, 0, 59), (17, 0x3A, 0, 59))
"""Place, byte before it, smallest and largest value of month, day, hour, minute and second."""
_TENS = 10 ** np.arange(7)


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
def _instant(content, at, parts):
    """Return microseconds since 1970, or _NONE: 0 to 7 fractional digits, cut to 6, then `Z` and the closing quote."""
    year = _digits(content, at, 4)
    if year < 1970:
        return _NONE
    for part, (place, before, least, most) in enumerate(_PARTS):
        if content[at + place - 1] != before:
            return _NONE
        parts[part] = _digits(content, at + place, 2)
        if parts[part] < least or parts[part] > most:
            return _NONE
    month, day, hour, minute, second = parts
    date = _day(year, month, day)
    if day > 28 and date >= _day(year + month // 12, month % 12 + 1, 1):
        return _NONE
    at += 19
    micro = digits = 0
    if content[at] == 0x2E:
        at += 1
        while 0x30 <= content[at] <= 0x39:
            if digits < 6:
                micro = micro * 10 + (np.int64(content[at]) - 0x30)
            digits += 1
            at += 1
        if digits < 1 or digits > 7:
            return _NONE
        micro *= _TENS[max(6 - digits, 0)]
    if content[at] != 0x5A or content[at + 1] != 0x22:
        return _NONE
    return (((date * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micro


@njit(nogil=True, cache=True)
def read(content, columns, begins, lengths, moments, unfit):
    """Fill row n of `moments` with the n-th of the columns; mark records with a rejected timestamp in `unfit`.

    `begins` and `lengths` come from `scanner.scan`.
    """
    parts = np.empty(len(_PARTS), dtype=np.int64)
    for row in range(len(unfit)):
        for number, column in enumerate(columns):
            moments[number, row] = 0
            if lengths[row, column] != _NULL:
                moment = _instant(content, begins[row, column], parts)
                if moment == _NONE:
                    unfit[row] = True
                else:
                    moments[number, row] = moment
