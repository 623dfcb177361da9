"""Unescapes JSON strings (RFC 8259, section 7) column by column."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# numba infers types
# ruff: noqa: ANN001, ANN202, ANN201, PLR2004

import numpy as np
from numba import njit

_NULL = -1
_SIMPLE = np.zeros(256, dtype=np.uint8)
for _written, _meant in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _SIMPLE[_written] = _meant
_HEX = np.full(256, 255, dtype=np.uint8)
for _digit, _letter in enumerate(b"0123456789abcdef"):
    _HEX[_letter] = _digit
    _HEX[ord(chr(_letter).upper())] = _digit


@njit
def _unit(content, at):
    """Return the UTF-16 unit of four hex digits, or -1."""
    unit = 0
    for step in range(4):
        digit = _HEX[content[at + step]]
        if digit == 255:
            return -1
        unit = unit * 16 + digit
    return unit


@njit
def _unescaped(content, at, end):
    """Return the length of a text without its escapes, or -1 for an invalid escape or any surrogate."""
    size = 0
    while at < end:
        if content[at] != 0x5C:
            at += 1
            size += 1
        elif content[at + 1] == 0x75:
            unit = _unit(content, at + 2)
            if unit < 0 or 0xD800 <= unit < 0xE000:
                return -1
            size += 1 if unit < 0x80 else 2 if unit < 0x800 else 3
            at += 6
        elif _SIMPLE[content[at + 1]]:
            size += 1
            at += 2
        else:
            return -1
    return size


@njit
def _unescape(content, at, texts, to, end):
    while to < end:
        if content[at] != 0x5C:
            texts[to] = content[at]
            at += 1
            to += 1
            continue
        if content[at + 1] != 0x75:
            texts[to] = _SIMPLE[content[at + 1]]
            at += 2
            to += 1
            continue
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


@njit(nogil=True, cache=True)
def measure(content, columns, begins, lengths, offsets, unfit):
    """Fill in the offsets of the unescaped texts of each column; mark records with a rejected text in `unfit`.

    `begins` and `lengths` come from `scanner.scan`, `columns` are the numbers of its text columns. Row n of `offsets`
    is for the n-th of these and has one more value than there are records. A rejected text has length 0.
    """
    for number, column in enumerate(columns):
        offsets[number, 0] = 0
        for row in range(len(unfit)):
            size = lengths[column, row]
            if size == _NULL:
                size = 0
            elif begins[column, row] < 0:
                begin = -begins[column, row] - 1
                size = _unescaped(content, begin, begin + size)
                if size < 0:
                    unfit[row] = True
                    size = 0
            offsets[number, row + 1] = offsets[number, row] + size


@njit(nogil=True, cache=True)
def copy(content, columns, begins, offsets, starts, texts):
    """Copy the unescaped texts to the offsets from `measure`; those of the n-th column begin at `starts[n]`.

    It goes record by record, so that a record stays in the processor's cache.
    """
    for row in range(offsets.shape[1] - 1):
        for number, column in enumerate(columns):
            to, end = starts[number] + offsets[number, row], starts[number] + offsets[number, row + 1]
            at = begins[column, row] if to < end else 0
            if at >= 0:
                for step in range(end - to):
                    texts[to + step] = content[at + step]
            else:
                _unescape(content, -at - 1, texts, to, end)
