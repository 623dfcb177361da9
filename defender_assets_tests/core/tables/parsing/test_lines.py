"""The fast path and the exact path give equal rows, quarantine and tally for any input."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets.core.tables.parsing.fast import reader
from defender_assets.core.tables.parsing.fast.reader import parse_fast
from defender_assets_tests.faults.mutated_lines import check_with_bounds
from defender_assets_tests.support.exports import MOMENT, OTHER_TENANT, TENANT, line
from defender_assets_tests.support.odd_lines import HOSTILE, SOURCE, both_agree, compact

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.hunting_name)
def test_lines_as_microsoft_writes_them_take_the_fast_path(table: Table) -> None:
    parsed = parse_fast(table, TENANT, compact(table, **{table.key: "x"}) * 3 + b"\r\n")
    assert (len(parsed.at), parsed.left, parsed.lines, parsed.blank) == (3, [], 4, 1)


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


ESCAPES = st.sampled_from(
    [
        r"\\",
        r"\"",
        r"\/",
        r"\n",
        r"\u0000",
        r"\u00e9",
        r"\u20AC",
        r"\ud83d\ude00",
        r"\ud83d",
        r"\uDE00",
        r"\u00g0",
        r"\x",
    ]
)


@settings(max_examples=100)
@given(st.lists(st.lists(ESCAPES | st.text(max_size=9), max_size=6), min_size=1, max_size=5))
def test_both_paths_agree_on_any_escapes_at_any_place_of_a_text(texts: list[list[str]]) -> None:
    # with a text on each side, so that escapes are at any place of a word of eight bytes
    fields = (f'{{"Timestamp":"{MOMENT}","DeviceId":"d","DeviceName":"{"".join(text)}"}}' for text in texts)
    both_agree(DEVICE_INFO, b"".join(line(DEVICE_INFO, field).replace(b"\n", b"") + b"\n" for field in fields))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from((TENANT, OTHER_TENANT)), st.integers(0, 30)), max_size=60), st.data())
def test_both_paths_agree_if_texts_are_forgotten(rows: list[tuple[str, int]], data: st.DataObject) -> None:
    contents = {
        tenant: b"".join(
            compact(DEVICE_INFO, DeviceId=f"d{number}", DeviceName=f"{number}\n").replace(
                TENANT.encode(), tenant.encode()
            )
            for of, number in rows
            if of == tenant
        )
        for tenant in (TENANT, OTHER_TENANT)
    }
    with pytest.MonkeyPatch.context() as patch:
        # more distinct texts than the reader remembers, so texts replace each other
        patch.setattr(reader, "_RECENT_TEXTS", data.draw(st.sampled_from((1, 2, 8))))
        both_agree(DEVICE_INFO, contents[TENANT], contents[OTHER_TENANT], tenants=(TENANT, OTHER_TENANT))


def test_mutated_lines_never_leave_an_array() -> None:
    # kept, because compiling it takes ten times as long as the check
    compiled = Path(sys.prefix, "numba-boundscheck")
    assert check_with_bounds(600, 1, compiled).splitlines() == [
        "bounds are checked",
        "600 mutated lines: both readers agree",
    ]


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
