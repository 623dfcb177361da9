"""Lines of the export that a reader may get wrong, mutations of them, and a check that both readers agree on them."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import polars as pl
from polars.testing import assert_frame_equal

from defender_assets.core.raw.batches import Source
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, QUARANTINE_SCHEMA, Table
from defender_assets.core.tables.parsing.coded_rows import concat
from defender_assets.core.tables.parsing.lines import parse
from defender_assets.core.tables.parsing.typed_rows import Parsed, Tally, parse_chunk
from defender_assets.core.tables.parsing.warmup import Warmup
from defender_assets_tests.support.exports import DAY, MOMENT, OTHER_TENANT, TENANT, line, properties

SOURCE = Source(TENANT, DAY, "a blob", datetime(2026, 11, 3, 8, tzinfo=UTC), 1000, 7)
COMPACT = (",", ":")


class Combined(NamedTuple):
    rows: pl.DataFrame
    quarantined: pl.DataFrame
    tally: Tally


def combined(table: Table, pieces: list[Parsed]) -> Combined:
    tally = Tally()
    for piece in pieces:
        tally.add(piece.tally)
    rows = concat(table, (piece.records for piece in pieces)).frame()
    lines = pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *(piece.quarantined for piece in pieces)])
    order = ("blob", "byte_offset")
    return Combined(rows.sort(order, maintain_order=True), lines.sort(order, maintain_order=True), tally)


def both_agree(table: Table, *contents: bytes, tenants: tuple[str, ...] = (TENANT,)) -> None:
    chunks = [
        (replace(SOURCE, tenant_id=tenants[n % len(tenants)], blob=f"blob {n}", byte_start=7 * n), content)
        for n, content in enumerate(contents)
    ]
    fast = combined(table, list(parse(table, chunks, 0, warmup=Warmup(0), fast_path_bytes=0)))
    exact = combined(table, [parse_chunk(table, source, content) for source, content in chunks])
    assert_frame_equal(fast.rows, exact.rows)
    assert_frame_equal(fast.quarantined, exact.quarantined)
    assert fast.tally == exact.tally


def compact(table: Table, **changes: Any) -> bytes:
    return line(table, json.dumps({**json.loads(properties(table)), **changes}, separators=COMPACT))


HOSTILE = [
    compact(DEVICE_INFO, DeviceName='q"\\/\b\f\n\r\t\u00e9\u20ac\x00'),
    compact(DEVICE_INFO, DeviceName="\U0001f600"),
    line(DEVICE_INFO, f'{{"Timestamp":"{MOMENT}","DeviceId":"é€😀"}}'),
    *(
        line(DEVICE_INFO, f'{{"Timestamp":"{MOMENT}","DeviceId":"d",{more}}}')
        for more in (
            r'"DeviceName":"\ud800"', r'"DeviceName":"\uDC00\ud800"', r'"DeviceName":"\u00E9\u20aC\u0041"',
            r'"DeviceName":"\u00g0"', r'"DeviceName":"\x"', r'"DeviceName":"\\\""', '"DeviceName":"tab\there"',
            '"DeviceId":"e"', '"DeviceName":"a","DeviceName":"b"', '"New":1', '"deviceName":"x"', '"DeviceName" :"x"',
            '"DeviceName": "x"', '"DeviceName":"x",', '"OSBuild":1e3', '"OSBuild":1.5', '"OSBuild":-0', '"OSBuild":00',
            '"OSBuild":-', '"OSBuild":-7', '"OSBuild":999999999999999999', '"OSBuild":9223372036854775807',
            '"OSBuild":9223372036854775808', '"OSBuild":' + "9" * 4000, '"OSBuild":"4096"', '"OSBuild":true',
            '"IsExcluded":true', '"IsExcluded":false', '"IsExcluded":"true"', '"IsExcluded":tru', '"IsExcluded":nul',
            '"IsExcluded":1', '"LoggedOnUsers":"[{\\"UserName\\":\\"a\\"}]"', '"LoggedOnUsers":"[{\\"X\\":1}]"',
            '"LoggedOnUsers":""', '"DeviceManualTags":"[\\"a\\",null]"', '"DeviceManualTags":"no"',
            '"MergedDeviceIds":"a, b"', '"AdditionalFields":{"a":1}', '"AdditionalFields":' + "[" * 3000 + "]" * 3000,
            '"DeviceName":null', '"DeviceName":""', '"DeviceName":[]',
        )
    ),
    *(
        line(DEVICE_INFO, f'{{"Timestamp":"{moment}","DeviceId":"d"}}', time=moment)
        for moment in (
            "2024-02-29T23:59:59Z", "2026-02-29T00:00:00Z", "2000-02-29T00:00:00.1Z", "2100-02-29T00:00:00Z",
            "1969-12-31T23:59:59.9999999Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z",
            "0000-01-01T00:00:00Z",
            "2026-11-03T24:00:00Z", "2026-11-03T23:59:60Z", "2026-11-03T08:15:30.Z", "2026-11-03T08:15:30.123456789Z",
            "2026-11-03T08:15:30.12345678901Z", "2026-11-03T08:15:30", "2026-11-03T08:15:30+01:00",
            "2026-1-3T08:15:30Z",
            "2026-11-03 08:15:30Z", "", "never",
        )
    ),
    line(DEVICE_INFO, "{}"),
    line(DEVICE_INFO, "null"),
    line(DEVICE_INFO, f'{{"Timestamp":"{MOMENT}"}}'),
    line(DEVICE_INFO, f'{{"Timestamp":"{MOMENT}","DeviceId":""}}'),
    line(DEVICE_INFO, f'{{"Timestamp":"{MOMENT}","DeviceId":null}}'),
    line(DEVICE_INFO, json.dumps(properties(DEVICE_INFO))),
    line(ALERT_INFO, properties(ALERT_INFO)),
    compact(DEVICE_INFO).replace(TENANT.encode(), OTHER_TENANT.encode()),
    compact(DEVICE_INFO).replace(b"AdvancedHunting", b"advancedhunting"),
    compact(DEVICE_INFO).replace(b'"Tenant":"DefaultTenant"', b'"Tenant":null,"New":1'),
    compact(DEVICE_INFO).replace(b'"Tenant":"DefaultTenant"', b'"time":null'),
    compact(DEVICE_INFO).replace(b'"operationName":"Publish",', b""),
    b"\xef\xbb\xbf" + compact(DEVICE_INFO),
    b'{"records":[' + compact(DEVICE_INFO).strip() + b"," + compact(DEVICE_INFO, New=1).strip() + b"]}\r\n",
    compact(DEVICE_INFO).strip() * 2 + b"\n",
    compact(DEVICE_INFO).strip() + b" \n",
    compact(DEVICE_INFO).strip() + b"\r\r\n",
    compact(DEVICE_INFO).replace(b"host0", b"\xff\xfe"),
    b"\n", b"\r\n", b"  \r\n", b"{\n", b'{"\n', b"\x00\n", b"[" * 20_000 + b"\n",
]  # fmt: skip

_TELLING = [
    b'"',
    b"\\",
    b"\\u",
    b"\n",
    b"\r",
    b"{",
    b"}",
    b",",
    b":",
    b"\x00",
    b"\x1f",
    b"\x80",
    b"\xff",
    b"null",
    b"-",
    b"0",
]


def mutated(lines: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield `count` lines, each with one to three random changes: bytes replaced, inserted, removed or repeated."""
    rng = random.Random(seed)
    for _ in range(count):
        content = rng.choice(lines)
        for _ in range(rng.choice((1, 1, 2, 3))):
            at = rng.randrange(len(content) + 1)
            end = at + rng.choice((0, 0, 1, 1, 2, 8, 9, 40))
            new = rng.choice(
                (rng.choice(_TELLING), rng.randbytes(1), b"", content[at:end] * 2, content[end : end + 16])
            )
            content = content[:at] + new + content[end:]
        yield content + b"\n"
