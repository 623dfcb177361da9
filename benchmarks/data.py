"""Exports for benchmarks: copies of a simulated chunk with other ids, since the simulator writes only some 30 MB/s."""

import json
from datetime import date
from pathlib import Path

import polars as pl

from defender_assets.core.schemas import Table

DAY = date(2026, 11, 3)
_COPY = "~copy~"
_MARK = {"DeviceInfo": b'"ReportId":', "AlertEvidence": b'"AlertId":"'}


def chunk(table: Table, size: int) -> tuple[str, bytes]:
    """Return the folder of a tenant and about `size` bytes of its lines, without faults."""
    from defender_assets.simulator import Scenario, simulate  # a measured process does not write data

    alerts = 4000 if table.hunting_name == "AlertEvidence" else 8
    scenario = Scenario(DAY, 1, devices=1500, tenants=1, alerts_per_day=alerts, faults=False, bad_lines=0)
    lines: list[bytes] = []
    taken, folder = 0, ""
    for append in simulate(scenario):
        if append.container == table.container and append.data:
            lines.append(append.data)
            folder = append.blob.split("/")[0]
            taken += len(append.data)
            if taken >= size:
                break
    return folder, b"".join(lines)


def unique(table: Table, content: bytes) -> bytes:
    """Return the lines with other texts in each record and each copy, and with 2.5 KB a record."""
    texts = {column.name for column in table.columns if column.dtype == pl.String()} - {"AdditionalFields"}
    lines = []
    for number, line in enumerate(content.splitlines()):
        record = json.loads(line)
        fields = record["properties"]
        own = f" {number} {_COPY}"
        fields |= {name: fields[name] + own for name in fields.keys() & texts if fields[name]}
        length = len(json.dumps(record, separators=(",", ":")))
        fields["AdditionalFields"] = json.dumps(
            {"own": own, "rest": "x" * max(0, 2450 - length)}, separators=(",", ":")
        )
        lines.append(json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode() + b"\r\n")
    return b"".join(lines)


def write(root: Path, table: Table, megabytes: int, *, bad_every: int = 0, unique_texts: bool = False) -> int:
    """Write a day of about `megabytes` over its hours; return its size in bytes.

    With `bad_every`, one line in that many is not JSON. With `unique_texts`, no text is in two records (`unique`).
    """
    folder, content = chunk(table, min(32, megabytes) * 1_000_000)
    if unique_texts:
        content = unique(table, content)
    mark = _MARK[table.hunting_name]
    lines = content.count(b"\n")
    copies = max(1, round(megabytes * 1e6 / len(content)))
    for copy in range(copies):
        hour = copy * 24 // copies
        path = f"{folder}/y={DAY:%Y}/m={DAY:%m}/d={DAY:%d}/h={hour:02}/m=00/PT1H.json"
        file = root / table.container / path
        file.parent.mkdir(parents=True, exist_ok=True)
        bad = (copy + 1) * lines // bad_every - copy * lines // bad_every if bad_every else 0
        with file.open("ab") as opened:
            opened.write(
                content.replace(mark, mark + f"{copy + 1}".encode()).replace(_COPY.encode(), f"{copy:04}".encode())
            )
            opened.write(b'{"time": torn\r\n' * bad)
    return sum(file.stat().st_size for file in root.rglob("*.json"))
