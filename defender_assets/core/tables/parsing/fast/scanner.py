"""The compiled scanner: finds the position of each value of a line. It parses numbers, but no texts or timestamps.

Every step forward matches a byte that is not a newline, and the content ends with a newline, so no read goes past the
end of the content.
"""

# mypy: disable-error-code="assignment,no-untyped-def,untyped-decorator"
# numba infers types, and a scanner branches on bytes
# ruff: noqa: ANN001, ANN202, ANN201, C901, FBT003, PLR0911, PLR0912, PLR0913, PLR0917, PLR2004

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

_ONE = np.uint64(1)
_EACH = np.uint64(0x0101010101010101)
"""Times a byte: a word of eight of it."""
_TOPS = _EACH * np.uint64(0x80)
_QUOTES, _ESCAPES, _BLANKS = (_EACH * np.uint64(byte) for byte in b'"\\ ')
_PLACES = np.uint64(0x0001020304050607)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""Odd, with its bits spread evenly: 2^64 divided by the golden ratio."""
_NULL_WORD, _TRUE_WORD, _FALS_WORD = (np.uint64(int.from_bytes(text, "little")) for text in (b"null", b"true", b"fals"))


@njit
def _byte(content, at, place):
    # with an unsigned index there is no check for a negative one
    return np.uint64(content[np.uint64(at) + np.uint64(place)]) << np.uint64(8 * place)


@njit
def _last_word(content, at):
    word = np.uint64(0)
    for place in range(len(content) - at):
        word |= _byte(content, at, place)
    return word


@njit(inline="always")
def _word(content, at):
    """Return the next eight bytes as one number, the first byte lowest, 0 after the end. LLVM reads them at once."""
    if at + 8 > len(content):
        return _last_word(content, at)
    word = _byte(content, at, 0) | _byte(content, at, 1) | _byte(content, at, 2) | _byte(content, at, 3)
    word |= _byte(content, at, 4) | _byte(content, at, 5) | _byte(content, at, 6) | _byte(content, at, 7)
    return word


@njit
def _part(word, size):
    """Return the first `size` bytes of a word, all of them if it has fewer."""
    return word if size >= 8 else word & ((_ONE << np.uint64(8 * size)) - _ONE)


@njit
def _zeros(word):
    """Return a word whose lowest bit set is the top bit of the first zero byte; bits above it mean nothing."""
    return (word - _EACH) & ~word & _TOPS


@njit
def _string(content, at, high, key):
    """Return (end, whether there are escapes, hash) of the string after its opening quote; end is 0 if it is rejected.

    Bytes above 0x7F are accepted if `high`. Escapes are not validated. Whoever writes texts does not know the hash's
    key, so cannot choose texts of equal hash.
    """
    escaped, mixed = False, key
    refused = np.uint64(0) if high else _TOPS
    while True:
        word = _word(content, at)
        # the last one finds control characters: below a blank
        found = _zeros(word ^ _QUOTES) | _zeros(word ^ _ESCAPES) | ((word - _BLANKS) & ~word & _TOPS) | (word & refused)
        # the lowest bit, shifted to bit 8 n, moves the n-th place to the top
        place = np.int64((((found & (~found + _ONE)) >> np.uint64(7)) * _PLACES) >> np.uint64(56)) if found else 8
        mixed = (mixed ^ _part(word, place)) * _MULTIPLIER
        mixed ^= mixed >> np.uint64(32)
        at += place
        if found == 0:
            continue
        if content[at] == 0x22:
            return at + 1, escaped, np.uint32(mixed)
        if content[at] != 0x5C or content[at + 1] < 0x20:
            return 0, escaped, np.uint32(mixed)
        escaped = True
        at += 2


@njit
def _matches(content, at, keys, begin, end):
    for step in range(0, end - begin, 8):
        if _part(_word(content, at + step) ^ _word(keys, begin + step), end - begin - step):
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
def _unquoted(content, at, kind):
    """Return (end, number, length or NULL) of a value; end is 0 if it is neither null nor surely of the kind."""
    word = _part(_word(content, at), 4)
    if word == _NULL_WORD:
        return at + 4, 0, NULL
    if kind == FLAG and word == _TRUE_WORD:
        return at + 4, 1, 1
    if kind == FLAG and word == _FALS_WORD and content[at + 4] == 0x65:
        return at + 5, 0, 1
    sign = -1 if content[at] == 0x2D else 1
    first = at + (sign < 0)
    at = first
    value = 0
    while 0x30 <= content[at] <= 0x39 and (at - first < 18 or value < _TENTH_OF_LARGEST):
        value = value * 10 + (np.int64(content[at]) - 0x30)
        at += 1
    if kind != INTEGER or at == first or (content[first] == 0x30 and (at - first > 1 or sign < 0)):
        return 0, 0, NULL
    return at, sign * value, 1


@njit
def _properties(content, at, high, key, columns, kinds, row, line, seen, begins, lengths, hashes, numbers):
    """Fill the row from the object at `at`; return the end of the object, or 0 if it is rejected."""
    names, edges = columns
    if content[at] != 0x7B or content[at + 1] != 0x22:
        return 0
    at += 1
    column = -1
    while True:
        column = _key(content, at, names, edges, column + 1)
        if column == NULL or seen[column] == line:
            return 0
        seen[column] = line
        at += edges[column + 1] - edges[column]
        kind = kinds[column]
        if content[at] == 0x22:
            behind, escaped, mixed = _string(content, at + 1, high, key)
            if not behind or not (kind == TEXT or (kind == INSTANT and not escaped)):
                return 0
            if behind - at > 2:
                lengths[row, column] = behind - at - 2
                begins[row, column] = -at - 2 if escaped else at + 1
                hashes[row, column] = mixed
            at = behind
        else:
            at, numbers[column, row], lengths[row, column] = _unquoted(content, at, kind)
            if not at:
                return 0
        if content[at] == 0x7D:
            break
        if content[at] != 0x2C:
            return 0
        at += 1
    return at + 1


@njit
def _record(content, at, high, key, envelope, columns, kinds, row, line, seen, lines, begins, lengths, hashes, numbers):
    """Fill the row from the record at `at`; return the end of the record, or 0 if it is rejected."""
    keys, bounds = envelope
    lines[row, LINE] = at
    lengths[row] = NULL
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
            at = _properties(content, at, high, key, columns, kinds, row, line, seen, begins, lengths, hashes, numbers)
            if not at:
                return 0
            lines[row, BEHIND] = at
        elif which in (CATEGORY, TENANT):
            # the value is part of the key's bytes, so it is this table and tenant
            pass
        elif content[at] == 0x22:
            behind, escaped, _ = _string(content, at + 1, False, key)
            if not behind or escaped:
                return 0
            if which < CATEGORY:
                lengths[row, len(kinds) + which] = behind - at - 2
                begins[row, len(kinds) + which] = at + 1
            at = behind
        else:
            at, _, _ = _unquoted(content, at, TEXT)
            if not at:
                return 0
        if content[at] == 0x7D:
            break
        if content[at] != 0x2C:
            return 0
        at += 1
    return at + 1 if found & _NEEDED == _NEEDED else 0


@njit(nogil=True, cache=True)
def scan(content, high, key, envelope, columns, kinds, needed, lines, begins, lengths, hashes, numbers, left):
    """Scan the lines of `content`, which ends with a newline; bytes above 0x7F are accepted if `high`.

    `envelope` and `columns` are (bytes of all keys with quotes and colon, start of each key). A record needs a value in
    each column of `needed`. Row r of `lines` is record r. For column c, `begins[r, c]` is the start of its text or
    timestamp (as -start - 1 if it has escapes), `lengths[r, c]` its length in bytes as written or NULL, `hashes[r, c]`
    its hash by `key`, `numbers[c, r]` its integer or flag. The envelope's two timestamps follow the columns. Row n of
    `left` is the begin and end of a run of lines that were rejected.

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
        at = _record(
            content,
            start,
            high,
            key,
            envelope,
            columns,
            kinds,
            rows,
            start,
            seen,
            lines,
            begins,
            lengths,
            hashes,
            numbers,
        )
        if at:
            if content[at] == 0x0D:
                at += 1
            if content[at] != 0x0A or at - start > _LONGEST:
                at = 0
        for column in needed:
            if at and lengths[rows, column] == NULL:
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
