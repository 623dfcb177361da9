"""Reads texts of AdditionalFields that have the shape of an earlier text: they differ only in values that are copied.

A text is split into its values and the rest, its shape. Where a shape comes again, the text is read once with a mark in
place of each value that a reader only copies; the marks show which fields take which values. All other values (types,
roles, references, JSON in texts …) belong to the shape. What cannot be explained in this way is read as every text was.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

Values = dict[str, Any]
Reader = Callable[[str, str | None], list[Values]]

MOST_SHAPES = 5_000
LONGEST = 20_000
"""Shapes that are remembered, and characters of their texts: bounds memory where no shape comes twice."""

# A name, and its value: a text without white space at its ends and with no escapes but those below, or an integer.
# It begins with a plain quote, which `re` finds fastest.
_VALUE = re.compile(
    r'("(?<!\\")\w++":"?+)'
    r'((?<=:")(?!\s)[^"\\\x00-\x1f]*+(?:\\["\\/][^"\\\x00-\x1f]*+)*+(?<=[^\s"])(?=")'
    r"|(?<=:)[1-9][0-9]{0,11}+(?![0-9.eE]))"
)
_UNREADABLE = "\0"
"""Stands between the parts of a shape. JSON never has it, so a text that has it gives nothing, whatever its values."""
_MARK, _NUMBER_MARK = "MarkOf", "7310058"
_RULED_OUT = frozenset({"other", "details"})
"""Fields that depend on which values are equal."""


class _Plan(NamedTuple):
    """Where the fields of an entity come from: its constants, and the places of values among those of the text."""

    constants: Values
    copied: list[tuple[str, int]]
    lowered: list[tuple[str, int]]
    numbers: list[tuple[str, int]]
    joined: list[tuple[str, int, int]]

    def fill(self, values: Sequence[str]) -> Values:
        found = self.constants.copy()
        for name, place in self.copied:
            found[name] = values[place]
        for name, place in self.lowered:
            found[name] = values[place].lower()
        for name, place in self.numbers:
            found[name] = int(values[place])
        for name, first, second in self.joined:
            found[name] = f"{values[first]}@{values[second]}"
        return found


class _Shape(NamedTuple):
    """A shape: how its values that are no copies are picked, and the plans by those. None: seen once; []: no plan."""

    fixed: Callable[[Sequence[str]], Any]
    local_parts: list[int]
    plans: dict[Any, list[_Plan] | None]


class ShapeReader:
    """Reads texts like `read`, and those of a known shape without it.

    `read` has to copy each text and integer or leave it out, whatever it is: as it is, in lower case, an integer also
    as a number, and two texts joined by `@`. Names in lower case of which that is not true are those in `deciding`; of
    texts, those in `numbers`; and of texts with an `@`, those in `local_parts`.
    """

    def __init__(
        self, read: Reader, deciding: frozenset[str], numbers: frozenset[str], local_parts: frozenset[str]
    ) -> None:
        self._read = read
        self._deciding = deciding
        self._numbers = numbers
        self._local_parts = local_parts
        self._shapes: dict[tuple[str | None, str], _Shape] = {}
        self._left = MOST_SHAPES

    def entities(self, text: str, entity_type: str | None) -> list[Values]:
        """Return what `read` returns."""
        if len(text) > LONGEST:
            return self._read(text, entity_type)
        parts = _VALUE.split(text)
        values = parts[2::3]
        if not values:
            return self._read(text, entity_type)
        del parts[2::3]
        key = (entity_type, _UNREADABLE.join(parts))
        shape = self._shapes.get(key)
        if shape is None:
            if self._left:
                self._left -= 1
                self._shapes[key] = self._shape(parts[1::2])
            return self._read(text, entity_type)
        fixed = shape.fixed(values)
        plans = shape.plans.get(fixed)
        if plans is None:
            if fixed not in shape.plans:
                if self._left:
                    self._left -= 1
                    shape.plans[fixed] = None
                return self._read(text, entity_type)
            plans = shape.plans[fixed] = self._plans(parts, values, entity_type)
        if not plans or any("@" in values[place] for place in shape.local_parts):
            return self._read(text, entity_type)
        if "\\" in text:
            values = [_unescaped(value) for value in values]
        return [plan.fill(values) for plan in plans]

    def _shape(self, names: Sequence[str]) -> _Shape:
        fixed = [place for place, name in enumerate(names) if self._is_fixed(name)]
        local_parts = [place for place, name in enumerate(names) if _lower(name) in self._local_parts]
        return _Shape(itemgetter(*fixed) if fixed else _nothing, local_parts, {})

    def _is_fixed(self, written: str) -> bool:
        """Return whether values belong to the shape, from their name as it is written, with quotes and colon."""
        name = _lower(written)
        return name in self._deciding or (name in self._numbers and written.endswith('"'))

    def _plans(self, parts: Sequence[str], values: Sequence[str], entity_type: str | None) -> list[_Plan]:
        """Return the plan of each entity; [] if there is one that no plan explains."""
        marks: dict[str | int, int] = {}
        marked = []
        for place, (name, value) in enumerate(zip(parts[1::2], values, strict=True)):
            if self._is_fixed(name):
                marked.append(value)
                continue
            mark: str | int = f"{_MARK}{place}." if name.endswith('"') else int(f"{_NUMBER_MARK}{place:04}")
            marks[mark] = place
            marked.append(str(mark))
        rest = "".join([*parts, *(value for value, mark in zip(values, marked, strict=True) if value == mark)]).lower()
        if _MARK.lower() in rest or _NUMBER_MARK in rest:
            return []
        text = "".join(chain.from_iterable(zip(parts[::2], parts[1::2], marked, strict=False))) + parts[-1]
        plans = [_plan(entity, marks) for entity in self._read(text, entity_type)]
        return [plan for plan in plans if plan is not None] if None not in plans else []


def _plan(entity: Values, marks: dict[str | int, int]) -> _Plan | None:
    if not _RULED_OUT.isdisjoint(entity):
        return None
    plan = _Plan({}, [], [], [], [])
    lowered = {str(mark).lower(): place for mark, place in marks.items() if isinstance(mark, str)}
    digits = {str(mark): place for mark, place in marks.items() if isinstance(mark, int)}
    for name, value in entity.items():
        plan.constants[name] = None  # keeps the order of the fields
        if isinstance(value, str) and (place := marks.get(value, digits.get(value))) is not None:
            plan.copied.append((name, place))
        elif isinstance(value, str) and value in lowered:
            plan.lowered.append((name, lowered[value]))
        elif isinstance(value, int) and not isinstance(value, bool) and value in marks:
            plan.numbers.append((name, marks[value]))
        elif isinstance(value, str) and (pair := _pair(value, marks)):
            plan.joined.append((name, *pair))
        elif _MARK.lower() in str(value).lower() or _NUMBER_MARK in str(value):
            return None
        else:
            plan.constants[name] = value
    return plan


def _pair(value: str, marks: dict[str | int, int]) -> tuple[int, int] | None:
    first, at, second = value.partition("@")
    return (marks[first], marks[second]) if at and first in marks and second in marks else None


def _unescaped(value: str) -> str:
    return msgspec.json.decode(f'"{value}"', type=str) if "\\" in value else value


def _lower(written: str) -> str:
    return written[1 : written.index('"', 1)].lower()


def _nothing(_values: Iterable[str]) -> tuple[()]:
    return ()
