"""How the export delivers: copies of records, and the cutting of an hour's lines into appends, with the faults of both.

Which records there are does not belong here, nor does the order between blobs.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from defender_assets.simulator.clock import DAY, HOUR, MINUTE, SECOND, moment
from defender_assets.simulator.format import DEVICE_INFO, END_OF_LINE, Record, blob_path, container
from defender_assets.simulator.scenario import Append, Scenario, seeded_rng

# About 3.5 % of lines are copies, as many as three of one record.
_REPEATED = 0.03
_COPIES = ((1, 2, 3), (85, 10, 5))

_SLOT = 5 * MINUTE
_LONGEST_DELAY = 3 * MINUTE

_BLANK = 0.003
_SPLIT = 0.01
_HELD_MINUTES = 0.03
_HELD_HOURS = 0.015
_EMPTY_BLOB = 0.2


class Line(NamedTuple):
    """A line on its way into the blob of the hour in which it is exported."""

    exported: int
    data: bytes


class Delivery(NamedTuple):
    """An append, and what the service writes right after it when it ended inside a record."""

    append: Append
    rest: bytes = b""


def copies(chance: Random, record: Record) -> Iterator[Record]:
    """The re-deliveries of a record: the same `properties`, a later `time`, and now and then a later hour or day."""
    if chance.random() >= _REPEATED:
        return
    exported = record.exported
    for _ in range(chance.choices(*_COPIES)[0]):
        match chance.randrange(20):
            case 0 | 1:
                exported += chance.randrange(HOUR, 12 * HOUR)
            case 2 | 3 | 4 | 5 | 6:
                exported += chance.randrange(30 * MINUTE, 80 * MINUTE)
            case _:
                exported += chance.randrange(SECOND, 20 * MINUTE)
        yield record._replace(exported=exported)


def deliveries(scenario: Scenario, tenant_id: str, table: str, hour: int, lines: list[Line]) -> Iterator[Delivery]:
    """The appends to one blob: what was exported in each five minutes of the hour, cut at whole lines.

    Appends are due up to three minutes after their five, so a blob freezes within minutes of its hour's end, unless the
    service holds an append back: for minutes, for hours, or (one of DeviceInfo a day) into the next day.

    Nothing may come between the two parts of a record: appends in time fall on whole milliseconds, those held back
    half-way between, and the rest of a broken record one microsecond after its beginning.
    """
    chance = seeded_rng(scenario.seed, "delivery", tenant_id, table, hour // HOUR)
    target = container(table), blob_path(tenant_id, hour)
    if not lines:
        if scenario.faults and chance.random() < _EMPTY_BLOB:
            yield Delivery(Append(moment(hour + _SLOT), *target, b""))
        return
    overdue = scenario.faults and table == DEVICE_INFO and hour // HOUR % 24 == _overdue_hour(scenario, tenant_id, hour)
    chunks = list(_chunks(scenario, chance, hour, lines))
    for place, (due, data) in enumerate(chunks):
        at = due
        if scenario.faults:
            if overdue and place == len(chunks) - 1:
                at = _held(hour + HOUR + chance.randrange(20 * HOUR, 30 * HOUR))
            else:
                at = _perhaps_held(chance, due, hour)
            if chance.random() < _SPLIT and at == due:
                cut = chance.randrange(1, len(data) - 1)
                yield Delivery(Append(at, *target, data[:cut]), data[cut:])
                continue
        yield Delivery(Append(at, *target, data))


def after(first: Delivery) -> Delivery:
    """The append that ends the record which `first` broke off."""
    at, held_in, blob, _ = first.append
    return Delivery(Append(at + timedelta(microseconds=1), held_in, blob, first.rest))


def _overdue_hour(scenario: Scenario, tenant_id: str, hour: int) -> int:
    return seeded_rng(scenario.seed, "overdue", tenant_id, hour // DAY).randrange(24)


def _chunks(scenario: Scenario, chance: Random, hour: int, lines: list[Line]) -> Iterator[tuple[datetime, bytes]]:
    """(when it is due, bytes) of each append, in order."""
    lines.sort()
    slots: dict[int, list[bytes]] = {}
    for exported, data in lines:
        blank = scenario.faults and chance.random() < _BLANK
        slots.setdefault((exported - hour) // _SLOT, []).append(data + END_OF_LINE if blank else data)
    for slot, ready in slots.items():
        due = moment(hour + (slot + 1) * _SLOT + chance.randrange(_LONGEST_DELAY))
        due = due.replace(microsecond=due.microsecond // 1_000 * 1_000)
        for place, data in enumerate(_packed(ready, scenario.append_bytes)):
            yield due + timedelta(milliseconds=place), data


def _packed(ready: list[bytes], most: int) -> Iterator[bytes]:
    pack: list[bytes] = []
    size = 0
    for data in ready:
        if pack and size + len(data) > most:
            yield b"".join(pack)
            pack, size = [], 0
        pack.append(data)
        size += len(data)
    yield b"".join(pack)


def _perhaps_held(chance: Random, due: datetime, hour: int) -> datetime:
    held = chance.random()
    if held < _HELD_HOURS:
        return _held(hour + HOUR + chance.randrange(2 * HOUR, 13 * HOUR))
    if held < _HELD_HOURS + _HELD_MINUTES:
        return _held(hour + HOUR + chance.randrange(10 * MINUTE, 50 * MINUTE))
    return due


def _held(at: int) -> datetime:
    late = moment(at)
    return late.replace(microsecond=late.microsecond // 1_000 * 1_000 + 500)
