"""How the export delivers: copies of records, and the lines of an hour split into appends, with the faults of both."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from defender_assets.simulator.clock import DAY, HOUR, MINUTE, SECOND, moment
from defender_assets.simulator.format import DEVICE_INFO, END_OF_LINE, Record, blob_path, container
from defender_assets.simulator.scenario import Append, Scenario, seeded_rng

# About 3.5 % of the lines are copies; a record has at most three.
_REPEATED = 0.03
_COPIES = ((1, 2, 3), (85, 10, 5))

_SLOT = 5 * MINUTE
_LONGEST_DELAY = 3 * MINUTE

# Probabilities.
_BLANK = 0.003
_SPLIT = 0.01
_DELAYED_MINUTES = 0.03
_DELAYED_HOURS = 0.015
_EMPTY_BLOB = 0.2


class Line(NamedTuple):
    """A line for the blob of the hour in which it is exported."""

    exported: int
    data: bytes


class Delivery(NamedTuple):
    """An append and, if it ends inside a record, the rest of the record, which the service writes right after it."""

    append: Append
    rest: bytes = b""


def copies(rng: Random, record: Record) -> Iterator[Record]:
    """The re-deliveries of a record: the same `properties`, a later `time`, and sometimes a later hour or day."""
    if rng.random() >= _REPEATED:
        return
    exported = record.exported
    for _ in range(rng.choices(*_COPIES)[0]):
        match rng.randrange(20):
            case 0 | 1:
                exported += rng.randrange(HOUR, 12 * HOUR)
            case 2 | 3 | 4 | 5 | 6:
                exported += rng.randrange(30 * MINUTE, 80 * MINUTE)
            case _:
                exported += rng.randrange(SECOND, 20 * MINUTE)
        yield record._replace(exported=exported)


def deliveries(scenario: Scenario, tenant_id: str, table: str, hour: int, lines: list[Line]) -> Iterator[Delivery]:
    """The appends to one blob: the lines of each five minutes of the hour, split between lines.

    An append is due up to three minutes after its five minutes, so a blob stops growing within minutes of the end of
    its hour. The service delays some appends by minutes, by hours, or (one of DeviceInfo a day) into the next day.

    No append may come between the two parts of a record: punctual appends fall on whole milliseconds, delayed ones
    half-way between, and the rest of a split record one microsecond after its first part.
    """
    rng = seeded_rng(scenario.seed, "delivery", tenant_id, table, hour // HOUR)
    target = container(table), blob_path(tenant_id, hour)
    if not lines:
        if scenario.faults and rng.random() < _EMPTY_BLOB:
            yield Delivery(Append(moment(hour + _SLOT), *target, b""))
        return
    overdue_hour = seeded_rng(scenario.seed, "overdue", tenant_id, hour // DAY).randrange(24)
    overdue = scenario.faults and table == DEVICE_INFO and hour // HOUR % 24 == overdue_hour
    chunks = list(_chunks(scenario, rng, hour, lines))
    for position, (due, data) in enumerate(chunks):
        at = due
        if scenario.faults:
            if overdue and position == len(chunks) - 1:
                at = _delayed(hour + HOUR + rng.randrange(20 * HOUR, 30 * HOUR))
            else:
                at = _perhaps_delayed(rng, due, hour)
            if rng.random() < _SPLIT and at == due:
                cut = rng.randrange(1, len(data) - 1)
                yield Delivery(Append(at, *target, data[:cut]), data[cut:])
                continue
        yield Delivery(Append(at, *target, data))


def after(first: Delivery) -> Delivery:
    """The append of the rest of the record that `first` split."""
    at = first.append.at + timedelta(microseconds=1)
    return Delivery(first.append._replace(at=at, data=first.rest))


def _chunks(scenario: Scenario, rng: Random, hour: int, lines: list[Line]) -> Iterator[tuple[datetime, bytes]]:
    """(due time, bytes) of each append, in order."""
    lines.sort()
    slots: dict[int, list[bytes]] = {}
    for exported, data in lines:
        blank = scenario.faults and rng.random() < _BLANK
        slots.setdefault((exported - hour) // _SLOT, []).append(data + END_OF_LINE if blank else data)
    for slot, ready in slots.items():
        due = moment(hour + (slot + 1) * _SLOT + rng.randrange(_LONGEST_DELAY))
        due = due.replace(microsecond=due.microsecond // 1_000 * 1_000)
        for position, data in enumerate(_packed(ready, scenario.append_bytes)):
            yield due + timedelta(milliseconds=position), data


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


def _perhaps_delayed(rng: Random, due: datetime, hour: int) -> datetime:
    draw = rng.random()
    if draw < _DELAYED_HOURS:
        return _delayed(hour + HOUR + rng.randrange(2 * HOUR, 13 * HOUR))
    if draw < _DELAYED_HOURS + _DELAYED_MINUTES:
        return _delayed(hour + HOUR + rng.randrange(10 * MINUTE, 50 * MINUTE))
    return due


def _delayed(at: int) -> datetime:
    late = moment(at)
    return late.replace(microsecond=late.microsecond // 1_000 * 1_000 + 500)
