"""The fast path and the exact path give equal rows, quarantine and tally for any input."""

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from defender_assets.core.raw.batches import Source
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, QUARANTINE_SCHEMA, TABLES, Table
from defender_assets.core.tables.parsing.fast.reader import parse_fast
from defender_assets.core.tables.parsing.lines import parse
from defender_assets.core.tables.parsing.typed_rows import Parsed, Tally, parse_chunk
from defender_assets.core.tables.parsing.warmup import Warmup
from defender_assets_tests.support.exports import DAY, MOMENT, OTHER_TENANT, TENANT, line, properties

SOURCE = Source(TENANT, DAY, "a blob", datetime(2026, 11, 3, 8, tzinfo=UTC), 1000, 7)
COMPACT = (",", ":")


def combined(table: Table, pieces: list[Parsed]) -> Parsed:
    tally = Tally()
    for piece in pieces:
        tally.add(piece.tally)
    rows = pl.concat([pl.DataFrame(schema=table.schema), *(piece.rows for piece in pieces)])
    lines = pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *(piece.quarantined for piece in pieces)])
    order = ("blob", "byte_offset")
    return Parsed(rows.sort(order, maintain_order=True), lines.sort(order, maintain_order=True), tally)


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


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.hunting_name)
def test_lines_as_microsoft_writes_them_take_the_fast_path(table: Table) -> None:
    parsed = parse_fast(table, TENANT, compact(table, **{table.key: "x"}) * 3 + b"\r\n")
    assert (parsed.rows.height, parsed.left, parsed.blank) == (3, [], 1)


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


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_both_paths_agree_on_a_hostile_line_between_usual_ones(number: int) -> None:
    both_agree(DEVICE_INFO, compact(DEVICE_INFO) + HOSTILE[number] + compact(DEVICE_INFO, DeviceId="e"))


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_both_paths_agree_on_a_line_cut_anywhere(number: int) -> None:
    whole = HOSTILE[number][:600]
    both_agree(DEVICE_INFO, b"".join(whole[:end] + b"\n" for end in range(0, len(whole), 7)))


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from(HOSTILE), max_size=8), min_size=1, max_size=4))
def test_both_paths_agree_on_any_mixture_in_any_chunks(chunks: list[list[bytes]]) -> None:
    both_agree(DEVICE_INFO, *(b"".join(lines) for lines in chunks if lines))


def test_alternating_chunks_of_several_tenants_are_kept_apart() -> None:
    ours = compact(DEVICE_INFO) + HOSTILE[0]
    theirs = ours.replace(TENANT.encode(), OTHER_TENANT.encode())
    both_agree(DEVICE_INFO, ours, theirs, ours + theirs, theirs + b"?\n", tenants=(TENANT, OTHER_TENANT))


names = st.sampled_from([column.name for column in ALERT_EVIDENCE.columns]) | st.text(max_size=6)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.lists(st.tuples(names, values), max_size=6), st.booleans()), max_size=6))
def test_both_paths_agree_on_any_fields_in_any_order_even_duplicates(
    lines: list[tuple[list[tuple[str, Any]], bool]],
) -> None:
    content = b""
    for fields, escaped in lines:
        usual = [("Timestamp", MOMENT), ("AlertId", "a")]
        members = [
            f"{json.dumps(name, ensure_ascii=escaped)}:{json.dumps(value, ensure_ascii=escaped)}"
            for name, value in [*fields, *usual]
        ]
        with_halves = "{" + ",".join(members) + "}"
        envelope = line(ALERT_EVIDENCE, "?").split(b"?")
        content += envelope[0] + with_halves.encode(errors="surrogatepass") + envelope[1]
    both_agree(ALERT_EVIDENCE, content)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=3))
def test_both_paths_agree_on_random_bytes_anywhere(position: int, noise: bytes) -> None:
    content = compact(ALERT_INFO) * 3
    at = position % len(content)
    both_agree(ALERT_INFO, content[:at] + noise + content[at + len(noise) :] + b"\n")


def test_both_paths_agree_on_the_limit_of_16_mib() -> None:
    line_of = compact(DEVICE_INFO, AdditionalFields="?")
    for more in (0, 1):
        size = 16 * 1024 * 1024 - len(line_of.removesuffix(b"\n")) + 1 + more
        both_agree(DEVICE_INFO, line_of.replace(b"?", b"x" * size) + compact(DEVICE_INFO))


NO_CACHE_FOLDER = """
import pickle, sys
from defender_assets.core.tables.parsing.lines import parse
from defender_assets.core.tables.parsing.warmup import Warmup
pieces = parse(*pickle.load(sys.stdin.buffer), 0, warmup=Warmup(0), fast_path_bytes=0)
print(sum(piece.rows.height for piece in pieces))
"""


def test_without_a_cache_folder_lines_are_parsed_one_by_one_and_the_log_says_so() -> None:
    # the only cache that numba may use then works in IPython only
    environment = {**os.environ, "NUMBA_CACHE_LOCATOR_CLASSES": "IPythonCacheLocator"}
    given = pickle.dumps((ALERT_INFO, [(SOURCE, compact(ALERT_INFO) * 3)]))
    command = [sys.executable, "-c", NO_CACHE_FOLDER]
    done = subprocess.run(command, env=environment, input=given, capture_output=True, check=True)
    assert done.stdout == b"3\n"
    assert b"NUMBA_CACHE_DIR" in done.stderr
