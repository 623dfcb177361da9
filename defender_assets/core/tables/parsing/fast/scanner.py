"""The compiled scanner: finds the position of each value of a line. It parses numbers, but no texts or timestamps.

Every step forward matches a byte that is not a newline, and the content ends with a newline, so no read goes past the
end of the content.
"""

# mypy: disable-error-code="assignment,no-untyped-def,untyped-decorator"
# numba infers types, and a scanner branches on bytes
# ruff: noqa: ANN001, ANN202, ANN201, C901, FBT003, PLR0911, PLR0912, PLR0913, PLR0917, PLR2004, SIM110

import numpy as np
from numba import njit

NULL = -1
TEXT, INTEGER, FLAG, INSTANT = range(4)
TIME, RECEIVED, CATEGORY, TENANT, PROPERTIES, REST = range(6)
"""The envelope's keys; the values of the rest are skipped."""
LINE, INSIDE, BEHIND = range(3)
"""Columns of `lines`: the start of the line, and the start and end of `properties`."""
_NEEDED = 1 << CATEGORY | 1 << TENANT | 1 << PROPERTIES
_LONGEST = 16 * 1024 * 1024
_TENTH_OF_LARGEST = 922_337_203_685_477_580

_ORDINARY, _QUOTE, _ESCAPE, _CONTROL, _HIGH = range(5)
_KINDS = np.zeros(256, dtype=np.uint8)
_KINDS[:0x20] = _CONTROL
_KINDS[0x22] = _QUOTE
_KINDS[0x5C] = _ESCAPE
_KINDS[0x80:] = _HIGH


@njit
def _string(content, at, high):
    """Return (end, whether there are escapes) of the string after its opening quote; end is 0 if it is rejected.

    Bytes above 0x7F are accepted if `high`. Escapes are not validated.
    """
    escaped = False
    while True:
        kind = _KINDS[content[at]]
        if kind == _ORDINARY or (kind == _HIGH and high):
            at += 1
        elif kind == _QUOTE:
            return at + 1, escaped
        elif kind == _ESCAPE and _KINDS[content[at + 1]] != _CONTROL:
            escaped = True
            at += 2
        else:
            return 0, escaped


@njit
def _matches(content, at, keys, begin, end):
    for step in range(end - begin):
        if content[at + step] != keys[begin + step]:
            return False
    return True


@njit
def _key(content, at, keys, bounds, expected):
    """Return the number of the key at `at`, or NULL; the expected key is tried first."""
    if expected < len(bounds) - 1 and _matches(content, at, keys, bounds[expected], bounds[expected + 1]):
        return expected
    for key in range(len(bounds) - 1):
        if _matches(content, at, keys, bounds[key], bounds[key + 1]):
            return key
    return NULL


@njit
def _null(content, at):
    return content[at] == 0x6E and content[at + 1] == 0x75 and content[at + 2] == 0x6C and content[at + 3] == 0x6C


@njit
def _integer(content, at):
    """Return (end, number); end is 0 if it is not surely an integer of 64 bits."""
    sign = 1
    if content[at] == 0x2D:
        sign = -1
        at += 1
    first = at
    value = 0
    while 0x30 <= content[at] <= 0x39 and (at - first < 18 or value < _TENTH_OF_LARGEST):
        value = value * 10 + (np.int64(content[at]) - 0x30)
        at += 1
    if at == first or (content[first] == 0x30 and (at - first > 1 or sign < 0)):
        return 0, 0
    return at, sign * value


@njit
def _flag(content, at):
    """Return (end, 1 or 0); end is 0 if it is neither `true` nor `false`."""
    if content[at] == 0x74 and content[at + 1] == 0x72 and content[at + 2] == 0x75 and content[at + 3] == 0x65:
        return at + 4, 1
    if content[at] == 0x66 and content[at + 1] == 0x61 and content[at + 2] == 0x6C:
        return (at + 5, 0) if content[at + 3] == 0x73 and content[at + 4] == 0x65 else (0, 0)
    return 0, 0


@njit
def _properties(content, at, high, columns, kinds, row, line, seen, begins, lengths, numbers):
    """Fill the row from the object at `at`; return the end of the object, or 0 if it is rejected."""
    names, edges = columns
    if content[at] != 0x7B or content[at + 1] != 0x22:
        return 0
    at += 1
    column = -1
    taken = 0
    while True:
        column = _key(content, at, names, edges, column + 1)
        if column == NULL or seen[column] == line:
            return 0
        seen[column] = line
        taken += 1
        at += edges[column + 1] - edges[column]
        kind = kinds[column]
        lengths[column, row] = NULL
        if content[at] == 0x22:
            behind, escaped = _string(content, at + 1, high)
            if not behind or not (kind == TEXT or (kind == INSTANT and not escaped)):
                return 0
            if behind - at > 2:
                lengths[column, row] = behind - at - 2
                begins[column, row] = -at - 2 if escaped else at + 1
            at = behind
        elif _null(content, at):
            at += 4
        else:
            if kind == INTEGER:
                at, number = _integer(content, at)
            elif kind == FLAG:
                at, number = _flag(content, at)
            else:
                return 0
            if not at:
                return 0
            lengths[column, row] = 1
            numbers[column, row] = number
        if content[at] == 0x7D:
            break
        if content[at] != 0x2C:
            return 0
        at += 1
    if taken < len(kinds):
        for column in range(len(kinds)):
            if seen[column] != line:
                lengths[column, row] = NULL
    return at + 1


@njit
def _record(content, at, high, envelope, columns, kinds, row, line, seen, lines, begins, lengths, numbers):
    """Fill the row from the record at `at`; return the end of the record, or 0 if it is rejected."""
    keys, bounds = envelope
    lines[row, LINE] = at
    lengths[len(kinds) + TIME, row] = lengths[len(kinds) + RECEIVED, row] = NULL
    if content[at] != 0x7B or content[at + 1] != 0x22:
        return 0
    at += 1
    found = 0
    which = -1
    while True:
        which = _key(content, at, keys, bounds, which + 1)
        if which == NULL or found >> which & 1:
            return 0
        found |= 1 << which
        at += bounds[which + 1] - bounds[which]
        if which == PROPERTIES:
            lines[row, INSIDE] = at
            at = _properties(content, at, high, columns, kinds, row, line, seen, begins, lengths, numbers)
            if not at:
                return 0
            lines[row, BEHIND] = at
        elif which in (CATEGORY, TENANT):
            # the value is part of the key's bytes, so it is this table and tenant
            pass
        elif content[at] == 0x22:
            behind, escaped = _string(content, at + 1, False)
            if not behind or escaped:
                return 0
            if which < CATEGORY:
                lengths[len(kinds) + which, row] = behind - at - 2
                begins[len(kinds) + which, row] = at + 1
            at = behind
        elif _null(content, at):
            at += 4
        else:
            return 0
        if content[at] == 0x7D:
            break
        if content[at] != 0x2C:
            return 0
        at += 1
    return at + 1 if found & _NEEDED == _NEEDED else 0


@njit(nogil=True, cache=True)
def scan(content, high, envelope, columns, kinds, needed, lines, begins, lengths, numbers, left):
    """Scan the lines of `content`, which ends with a newline; bytes above 0x7F are accepted if `high`.

    `envelope` and `columns` are (bytes of all keys with quotes and colon, start of each key). A record needs a value in
    each column of `needed`. Row r of `lines` is record r. For column c, `begins[c, r]` is the start of its text or
    timestamp (as -start - 1 if it has escapes), `lengths[c, r]` its length in bytes as written or NULL, `numbers[c, r]`
    its integer or flag. The envelope's two timestamps follow the columns. Row n of `left` is the begin and end of a run
    of lines that were rejected.

    Returns:
        The numbers of records, of runs of rejected lines, and of blank lines.
    """
    rows, runs, blank = 0, 0, 0
    seen = np.full(len(kinds), -1, dtype=np.int64)
    at = 0
    while at < len(content):
        start = at
        if content[at] == 0x0A or (content[at] == 0x0D and content[at + 1] == 0x0A):
            blank += 1
            at += 1 if content[at] == 0x0A else 2
            continue
        at = _record(content, start, high, envelope, columns, kinds, rows, start, seen, lines, begins, lengths, numbers)
        if at:
            if content[at] == 0x0D:
                at += 1
            if content[at] != 0x0A or at - start > _LONGEST:
                at = 0
        for column in needed:
            if at and lengths[column, rows] == NULL:
                at = 0
        if at:
            at += 1
            rows += 1
            continue
        at = start
        while content[at] != 0x0A:
            at += 1
        at += 1
        if runs and left[runs - 1, 1] == start:
            left[runs - 1, 1] = at
        else:
            left[runs, 0], left[runs, 1] = start, at
            runs += 1
    return rows, runs, blank
