"""The compiled reader of plain lines: where each value lies in the bytes. Knows JSON, no Polars and no tables.

Every step forward matches a byte that is no newline, and the content ends with one: so no read leaves the content,
whatever stands in it.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator,assignment"
# numba infers types, and a reader of bytes branches on bytes
# ruff: noqa: ANN001, ANN201, ANN202, C901, FBT003, PLR0911, PLR0912, PLR0913, PLR0915, PLR0917, PLR2004, SIM110

import numpy as np
from numba import njit

NULL = -1
NO_INSTANT = np.iinfo(np.int64).min
TEXT, INTEGER, FLAG, INSTANT = range(4)
TIME, RECEIVED, CATEGORY, TENANT, PROPERTIES, REST = range(6)
_LONGEST = 16 * 1024 * 1024
_TENTH_OF_LARGEST = 922_337_203_685_477_580

_ORDINARY, _QUOTE, _ESCAPE, _CONTROL, _HIGH = range(5)
_KINDS = np.zeros(256, dtype=np.uint8)
_KINDS[:0x20] = _CONTROL
_KINDS[0x22] = _QUOTE
_KINDS[0x5C] = _ESCAPE
_KINDS[0x80:] = _HIGH
_SIMPLE = np.zeros(256, dtype=np.uint8)
for _written, _meant in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _SIMPLE[_written] = _meant
_HEX = np.full(256, 255, dtype=np.uint8)
for _digit, _letter in enumerate(b"0123456789abcdef"):
    _HEX[_letter] = _digit
    _HEX[ord(chr(_letter).upper())] = _digit


def _compiled(function):
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        # no folder for compiled code can be written: each process compiles for itself
        return njit(nogil=True)(function)


@njit(inline="always")
def _unit(content, at):
    """Return the UTF-16 unit of four hex digits, or -1."""
    unit = 0
    for place in range(4):
        digit = _HEX[content[at + place]]
        if digit == 255:
            return -1
        unit = unit * 16 + digit
    return unit


@njit(inline="always")
def _text(content, at, high):
    """Return (behind the closing quote, length when unescaped, whether it holds escapes); 0 where it is not plain."""
    begin = at
    lost = 0
    escaped = False
    while True:
        kind = _KINDS[content[at]]
        if kind == _ORDINARY:
            at += 1
        elif kind == _QUOTE:
            return at + 1, at - begin - lost, escaped
        elif kind == _ESCAPE:
            escaped = True
            if content[at + 1] == 0x75:
                unit = _unit(content, at + 2)
                if unit < 0 or 0xD800 <= unit < 0xE000:
                    return 0, 0, escaped
                at += 6
                lost += 6 - (1 if unit < 0x80 else 2 if unit < 0x800 else 3)
            elif _SIMPLE[content[at + 1]]:
                at += 2
                lost += 1
            else:
                return 0, 0, escaped
        elif kind == _HIGH and high:
            at += 1
        else:
            return 0, 0, escaped


@njit(inline="always")
def _matches(content, at, words, begin, end):
    for place in range(end - begin):
        if content[at + place] != words[begin + place]:
            return False
    return True


@njit(inline="always")
def _key(content, at, words, bounds, expected):
    """Return which key stands at `at`; the expected one is tried first. NULL for none of them."""
    if expected < len(bounds) - 1 and _matches(content, at, words, bounds[expected], bounds[expected + 1]):
        return expected
    for key in range(len(bounds) - 1):
        if _matches(content, at, words, bounds[key], bounds[key + 1]):
            return key
    return NULL


@njit(inline="always")
def _null(content, at):
    return content[at] == 0x6E and content[at + 1] == 0x75 and content[at + 2] == 0x6C and content[at + 3] == 0x6C


@njit(inline="always")
def _digits(content, at, count):
    number = 0
    for place in range(count):
        digit = np.int64(content[at + place]) - 48
        if digit < 0 or digit > 9:
            return NULL
        number = number * 10 + digit
    return number


@njit(inline="always")
def _instant(content, at):
    """Return (behind the closing quote, microseconds since 1970) of `2026-11-03T08:15:30.1234567Z"`; 0 if not that."""
    year = _digits(content, at, 4)
    if year < 1970 or content[at + 4] != 0x2D:
        return 0, 0
    month = _digits(content, at + 5, 2)
    if month < 1 or month > 12 or content[at + 7] != 0x2D:
        return 0, 0
    day = _digits(content, at + 8, 2)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 31 if month in (1, 3, 5, 7, 8, 10, 12) else 30 if month != 2 else 29 if leap else 28
    if day < 1 or day > longest or content[at + 10] != 0x54:
        return 0, 0
    hour = _digits(content, at + 11, 2)
    if hour < 0 or hour > 23 or content[at + 13] != 0x3A:
        return 0, 0
    minute = _digits(content, at + 14, 2)
    if minute < 0 or minute > 59 or content[at + 16] != 0x3A:
        return 0, 0
    second = _digits(content, at + 17, 2)
    if second < 0 or second > 59:
        return 0, 0
    at += 19
    micro = 0
    if content[at] == 0x2E:
        at += 1
        places = 0
        while 48 <= content[at] <= 57:
            if places < 6:
                micro = micro * 10 + (np.int64(content[at]) - 48)
            places += 1
            at += 1
        if places < 1 or places > 7:
            return 0, 0
        for _ in range(places, 6):
            micro *= 10
    if content[at] != 0x5A or content[at + 1] != 0x22:
        return 0, 0
    # days from civil (Howard Hinnant, chrono-compatible low-level date algorithms)
    shifted = year - (month <= 2)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return at + 2, (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micro


@_compiled
def scan(content, high, envelope, columns, kinds, key, lines, begins, lengths, numbers, left):
    """Read the lines of `content`, which ends with a newline.

    `envelope` and `columns` are (bytes of the keys as they stand before a value, where each begins). Row r of `lines`
    gets offset, begin and end of properties, exported and received of record r; `begins[c, r]` where the text of
    column c begins (negative, less one, where it holds escapes), `lengths[c, r]` its length or NULL; `numbers[c, r]`
    the value of an integer, a flag or an instant. Row n of `left` gets begin and end of a run of lines that were not
    read.

    Returns:
        How many records, runs of lines left, and blank lines there are.
    """
    words, bounds = envelope
    names, edges = columns
    rows, runs, blank = 0, 0, 0
    seen = np.full(len(kinds), -1, dtype=np.int64)
    at = 0
    number = -1
    while at < len(content):
        number += 1
        start = at
        exported, received = NO_INSTANT, NO_INSTANT
        found, taken = 0, 0
        good = False
        inside_begin, inside_end = 0, 0
        if content[at] == 0x0A or (content[at] == 0x0D and content[at + 1] == 0x0A):
            blank += 1
            at += 1 if content[at] == 0x0A else 2
            continue
        if content[at] == 0x7B and content[at + 1] == 0x22:
            at += 1
            expected = 0
            while True:
                which = _key(content, at, words, bounds, expected)
                if which == NULL or found >> which & 1:
                    break
                found |= 1 << which
                at += bounds[which + 1] - bounds[which]
                if which == PROPERTIES:
                    inside_begin = at
                    if content[at] != 0x7B or content[at + 1] != 0x22:
                        break
                    at += 1
                    column = -1
                    inside = False
                    while True:
                        column = _key(content, at, names, edges, column + 1)
                        if column == NULL or seen[column] == number:
                            break
                        seen[column] = number
                        taken += 1
                        at += edges[column + 1] - edges[column]
                        kind = kinds[column]
                        lengths[column, rows] = NULL
                        if content[at] == 0x22:
                            if kind == TEXT:
                                behind, length, escaped = _text(content, at + 1, high)
                                if not behind:
                                    break
                                if length:
                                    lengths[column, rows] = length
                                    begins[column, rows] = -at - 2 if escaped else at + 1
                                at = behind
                            elif kind == INSTANT:
                                behind, moment = _instant(content, at + 1)
                                if not behind:
                                    break
                                lengths[column, rows] = 1
                                numbers[column, rows] = moment
                                at = behind
                            else:
                                break
                        elif _null(content, at):
                            at += 4
                        elif kind == INTEGER:
                            sign = 1
                            if content[at] == 0x2D:
                                sign = -1
                                at += 1
                            first = at
                            value = 0
                            while 48 <= content[at] <= 57 and (at - first < 18 or value < _TENTH_OF_LARGEST):
                                value = value * 10 + (np.int64(content[at]) - 48)
                                at += 1
                            if at == first or (content[first] == 48 and (at - first > 1 or sign < 0)):
                                break
                            lengths[column, rows] = 1
                            numbers[column, rows] = sign * value
                        elif kind == FLAG:
                            if content[at] == 0x74 and content[at + 1] == 0x72 and content[at + 2] == 0x75:
                                numbers[column, rows] = 1
                                at += 3
                            elif (
                                content[at] == 0x66
                                and content[at + 1] == 0x61
                                and content[at + 2] == 0x6C
                                and content[at + 3] == 0x73
                            ):
                                numbers[column, rows] = 0
                                at += 4
                            else:
                                break
                            if content[at] != 0x65:
                                break
                            at += 1
                            lengths[column, rows] = 1
                        else:
                            break
                        if content[at] == 0x2C:
                            at += 1
                        else:
                            inside = content[at] == 0x7D
                            break
                    if not inside:
                        break
                    at += 1
                    inside_end = at
                elif which in (CATEGORY, TENANT):
                    # the value is part of the key's bytes: it has to be this table and tenant
                    pass
                elif content[at] == 0x22:
                    if which == REST or which > REST:
                        behind, length, escaped = _text(content, at + 1, False)
                        if not behind or escaped:
                            break
                        at = behind
                    else:
                        behind, moment = _instant(content, at + 1)
                        if not behind:
                            break
                        if which == TIME:
                            exported = moment
                        else:
                            received = moment
                        at = behind
                elif _null(content, at):
                    at += 4
                else:
                    break
                expected = which + 1
                if content[at] == 0x2C:
                    at += 1
                elif content[at] == 0x7D:
                    at += 1
                    good = True
                    break
                else:
                    break
            needed = 1 << CATEGORY | 1 << TENANT | 1 << PROPERTIES
            good = good and found & needed == needed
            if good and content[at] == 0x0D:
                at += 1
            good = good and content[at] == 0x0A and at - start <= _LONGEST
            # a record needs its moment and its key
            good = good and seen[0] == number and lengths[0, rows] != NULL
            good = good and seen[key] == number and lengths[key, rows] != NULL
        if good:
            at += 1
            if taken < len(kinds):
                for column in range(len(kinds)):
                    if seen[column] != number:
                        lengths[column, rows] = NULL
            lines[rows, 0], lines[rows, 1], lines[rows, 2] = start, inside_begin, inside_end
            lines[rows, 3], lines[rows, 4] = exported, received
            rows += 1
            continue
        while content[at] != 0x0A:
            at += 1
        at += 1
        if runs and left[runs - 1, 1] == start:
            left[runs - 1, 1] = at
        else:
            left[runs, 0], left[runs, 1] = start, at
            runs += 1
    return rows, runs, blank


@_compiled
def copy_texts(content, begins, lengths, offsets, texts):
    """Copy the texts of a column one behind the other, unescaped; text r ends before `offsets[r + 1]`."""
    for row in range(len(lengths)):
        if lengths[row] == NULL:
            continue
        at, to, end = begins[row], offsets[row], offsets[row + 1]
        if at >= 0:
            texts[to:end] = content[at : at + end - to]
            continue
        at = -at - 1
        while to < end:
            byte = content[at]
            if byte != 0x5C:
                texts[to] = byte
                at += 1
                to += 1
            elif content[at + 1] != 0x75:
                texts[to] = _SIMPLE[content[at + 1]]
                at += 2
                to += 1
            else:
                unit = _unit(content, at + 2)
                at += 6
                if unit < 0x80:
                    texts[to] = unit
                    to += 1
                elif unit < 0x800:
                    texts[to] = 0xC0 | unit >> 6
                    texts[to + 1] = 0x80 | unit & 0x3F
                    to += 2
                else:
                    texts[to] = 0xE0 | unit >> 12
                    texts[to + 1] = 0x80 | unit >> 6 & 0x3F
                    texts[to + 2] = 0x80 | unit & 0x3F
                    to += 3
