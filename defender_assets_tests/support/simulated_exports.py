"""Simulated exports for tests: blobs, lines and records, parsed with `json` alone.

This module uses neither the package's reader nor the simulator's own formatting.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any

from defender_assets.simulator import Append, Scenario, simulate

START = date(2026, 1, 1)
SCENARIO = Scenario(START, days=4, heartbeat_minutes=120)
CLEAN = replace(SCENARIO, faults=False, bad_lines=0)


@dataclass(frozen=True)
class Line:
    """One line of a blob."""

    container: str
    blob: str
    text: bytes

    @property
    def table(self) -> str:
        return self.container.rpartition("-")[2]

    @property
    def day(self) -> str:
        return self.blob[self.blob.index("/y=") + 3 :][:14].replace("/m=", "-").replace("/d=", "-")


@dataclass(frozen=True)
class Record:
    """A line that is a record of its container's table."""

    line: Line
    envelope: dict[str, Any]
    properties: dict[str, Any]
    raw: bytes
    """The bytes of `properties`."""

    @property
    def table(self) -> str:
        return self.line.table


@cache
def appends(scenario: Scenario) -> tuple[Append, ...]:
    return tuple(simulate(scenario))


def blobs(all_appends: Iterable[Append]) -> dict[tuple[str, str], bytes]:
    """The blobs that result from the appends."""
    made: dict[tuple[str, str], bytearray] = {}
    for append in all_appends:
        made.setdefault((append.container, append.blob), bytearray()).extend(append.data)
    return {key: bytes(data) for key, data in made.items()}


@cache
def lines(scenario: Scenario) -> tuple[Line, ...]:
    """The lines without their line ends, blank lines included."""
    return tuple(
        Line(container, blob, text)
        for (container, blob), data in blobs(appends(scenario)).items()
        for text in data.split(b"\r\n")[:-1]
    )


@cache
def records(scenario: Scenario, table: str = "") -> tuple[Record, ...]:
    """The records of a scenario without malformed lines, or only those of one table."""
    found = []
    for line in lines(scenario):
        if line.text and table in ("", line.table):
            envelope = json.loads(line.text)
            found.append(Record(line, envelope, envelope["properties"], _properties(line.text)))
    return tuple(found)


def _properties(text: bytes) -> bytes:
    start = text.index(b'"properties":') + len(b'"properties":')
    decoded = text[start:].decode()
    return decoded[: json.JSONDecoder().raw_decode(decoded)[1]].encode()


def distinct_records(truth: Mapping[str, Any]) -> dict[tuple[str, str, date], int]:
    """The number of distinct records of a ground truth by table (Microsoft's name), tenant and day."""
    return {
        (total["table"], total["tenant_id"], date.fromisoformat(total["day"])): total["distinct"]
        for total in truth["totals"]
        if total["distinct"]
    }
