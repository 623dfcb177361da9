"""Numbers the texts of all columns and unescapes each numbered one (RFC 8259, section 7).

Most texts repeat, so a row gets the number of its text instead of a copy.
"""

# mypy: disable-error-code="assignment,no-untyped-def,untyped-decorator"
# numba infers types
# ruff: noqa: ANN001, ANN202, ANN201, PLR0913, PLR0917, PLR2004

import numpy as np
from numba import njit

_NULL = -1
_SLOTS_TRIED = 4
_SIMPLE = np.zeros(256, dtype=np.uint8)
for _written, _meant in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _SIMPLE[_written] = _meant
_HEX = np.full(256, 255, dtype=np.uint8)
for _digit, _letter in enumerate(b"0123456789abcdef"):
    _HEX[_letter] = _digit
    _HEX[ord(chr(_letter).upper())] = _digit


@njit
def _begin(begin):
    """Return the start of a text; the scanner negates that of a text with escapes."""
    return begin if begin >= 0 else -begin - 1


@njit
def _equal(content, one, other, size):
    # no early end and no check for negative indices, so that LLVM compares many bytes at once
    different = np.uint8(0)
    for step in range(size):
        different |= content[np.uint64(one + step)] ^ content[np.uint64(other + step)]
    return different == 0


@njit(nogil=True, cache=True)
def number(content, columns, begins, lengths, hashes, recent, firsts, sizes, codes):
    """Give each text a number from 1 on and fill `codes` with the numbers; return the highest one plus 1.

    Equal texts have equal numbers while `recent` (pairs of number and hash, as many as a power of two, zero at first)
    remembers them. A text that it forgot gets another number, so hostile or unique texts cost memory but stay correct.

    `begins`, `lengths` and `hashes` come from `scanner.scan`, `columns` are the numbers of its text columns. Row n of
    `codes` is the n-th of these, with 0 for a null. `firsts` and `sizes` are begin and length of each numbered text.
    """
    count = 1
    for row in range(len(begins)):
        for nth, column in enumerate(columns):
            size, begin, mixed = lengths[row, column], begins[row, column], hashes[row, column]
            codes[nth, row] = 0
            if size == _NULL:
                continue
            code, slot = 0, 0
            for tried in range(_SLOTS_TRIED):
                slot = (np.int64(mixed) + tried) & (len(recent) - 1)
                code = np.int64(recent[slot, 0])
                if code == 0:
                    break
                alike = recent[slot, 1] == mixed and sizes[code] == size
                if alike and _equal(content, _begin(firsts[code]), _begin(begin), size):
                    break
                code = 0
            if code == 0:
                code = count
                firsts[code], sizes[code] = begin, size
                recent[slot, 0], recent[slot, 1] = code, mixed
                count += 1
            codes[nth, row] = code
    return count


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
def _unescape(content, at, end, texts, to):
    """Write a text without its escapes to `to`; return its end, or -1 for an invalid escape or any surrogate."""
    while at < end:
        if content[np.uint64(at)] != 0x5C:
            texts[np.uint64(to)] = content[np.uint64(at)]
            at, to = at + 1, to + 1
        elif content[at + 1] != 0x75:
            texts[to] = _SIMPLE[content[at + 1]]
            if texts[to] == 0:
                return -1
            at, to = at + 2, to + 1
        else:
            unit = _unit(content, at + 2)
            if unit < 0 or 0xD800 <= unit < 0xE000:
                return -1
            if unit < 0x80:
                texts[to] = unit
                to += 1
            elif unit < 0x800:
                texts[to], texts[to + 1] = 0xC0 | unit >> 6, 0x80 | unit & 0x3F
                to += 2
            else:
                texts[to], texts[to + 1], texts[to + 2] = 0xE0 | unit >> 12, 0x80 | unit >> 6 & 0x3F, 0x80 | unit & 0x3F
                to += 3
            at += 6
    return to


@njit(nogil=True, cache=True)
def unescape(content, firsts, sizes, offsets, texts, rejected):
    """Write the numbered texts one after the other to `texts`, which has room for them as written.

    Text n ends up between `offsets[n]` and the next one; a rejected text is marked and becomes empty.
    """
    offsets[0] = 0
    for text in range(len(rejected)):
        to, at, size = offsets[text], _begin(firsts[text]), sizes[text]
        if firsts[text] < 0:
            end = _unescape(content, at, at + size, texts, to)
            rejected[text] = end < 0
            offsets[text + 1] = to if end < 0 else end
        else:
            for step in range(size):
                texts[np.uint64(to + step)] = content[np.uint64(at + step)]
            offsets[text + 1] = to + size
