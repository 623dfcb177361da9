"""Raw chunks into typed rows and quarantined lines: plain lines many at once, all others one by one.

The two ways give the same rows; how a line is read stands in `plain` and in `records`. Nothing is committed here.
"""

import logging
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

import polars as pl

from defender_assets.core.raw.batches import Source
from defender_assets.core.schemas import QUARANTINE_SCHEMA, TABLES, Table
from defender_assets.core.tables.parsing.records import Gathered, parse_lines
from defender_assets.core.tables.parsing.typed_rows import Parsed, Tally, parsed_rows
from defender_assets.core.tables.parsing.warmup import Warmup
from defender_assets.core.text import MEBIBYTE

if TYPE_CHECKING:
    from defender_assets.core.tables.parsing.fast.reader import Plain

logger = logging.getLogger(__name__)

GROUP_BYTES = 16 * MEBIBYTE
PATIENCE = Warmup(48 * MEBIBYTE)
"""So many bytes are read line by line in the processor seconds that loading the compiled reader saves on more."""
PLAIN_PART = MEBIBYTE // 4
"""What a tenant has to have in such a group: a call of the reader costs some milliseconds."""
WORKERS = min(4, os.cpu_count() or 1)

Chunks = list[tuple[Source, bytes]]
Reader = Callable[[Table, str, bytes], "Plain"]


def parse(
    table: Table,
    chunks: Iterable[tuple[Source, bytes]],
    size: int,
    *,
    patience: Warmup = PATIENCE,
    plain_part: int = PLAIN_PART,
) -> Iterator[Parsed]:
    """Yield what chunks of whole lines, `size` bytes in all, hold: 16 MiB at a time, a few of these on all cores."""
    compiled = patience.reached(size)
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="parse") as pool:
        ahead: deque[Future[list[Parsed]]] = deque()
        for group in _groups(chunks):
            ahead.append(pool.submit(_parse_group, table, group, plain_part, compiled=compiled))
            if len(ahead) > WORKERS:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()


def _groups(chunks: Iterable[tuple[Source, bytes]]) -> Iterator[Chunks]:
    group: Chunks = []
    size = 0
    for source, content in chunks:
        group.append((source, content))
        size += len(content)
        if size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _parse_group(table: Table, group: Chunks, plain_part: int, *, compiled: bool) -> list[Parsed]:
    """Return what a group holds; the chunks of tenants that have little in it are read together, line by line."""
    ordered = sorted(group, key=lambda chunk: chunk[0].tenant_id)
    reader = _compiled_reader() if compiled else None
    found = []
    rest = Gathered()
    for _, of_tenant in groupby(ordered, key=lambda chunk: chunk[0].tenant_id):
        chunks = list(of_tenant)
        whole = all(content.endswith(b"\n") for _, content in chunks)
        if reader and whole and sum(len(content) for _, content in chunks) >= plain_part:
            found += _parse_plain(reader, table, chunks)
        else:
            for source, content in chunks:
                parse_lines(table, source, content, rest)
    if rest.counted or rest.lines:
        found.append(parsed_rows(table, rest))
    return found


@cache
def _compiled_reader() -> Reader | None:
    """Return the reader of plain lines, or None where it cannot be compiled and kept: then no line is plain."""
    try:
        from defender_assets.core.tables.parsing.fast.reader import read_plain  # noqa: PLC0415 (a small share does without)

        read_plain(TABLES[0], "", b"\n")
    except Exception as error:  # noqa: BLE001 (nowhere to write, a torn file, an unknown machine: it is only faster)
        logger.warning(
            "lines are read one by one, because the reader of plain ones could not be compiled (%s: %s); "
            "let NUMBA_CACHE_DIR name an empty folder that can be written",
            type(error).__name__,
            str(error)[:200],
        )
        return None
    return read_plain


def _parse_plain(read_plain: Reader, table: Table, chunks: Chunks) -> list[Parsed]:
    content = b"".join(content for _, content in chunks)
    starts = list(accumulate((len(content) for _, content in chunks), initial=0))
    sources = [source for source, _ in chunks]
    plain = read_plain(table, sources[0].tenant_id, content)
    places = pl.DataFrame(
        {
            "at": starts[:-1],
            "tenant_id": [source.tenant_id for source in sources],
            "export_date": [source.day for source in sources],
            "blob": [source.blob for source in sources],
            "shift": [source.byte_start - start for source, start in zip(sources, starts, strict=False)],
        },
        schema_overrides={"at": pl.Int64, "shift": pl.Int64},
    )
    # both sides are in the order of the bytes
    rows = (
        plain.rows.set_sorted("at")
        .join_asof(places.set_sorted("at"), on="at")
        .with_columns(byte_offset=pl.col("at") + pl.col("shift"), unmapped=pl.lit(None, pl.String))
        .select(table.schema.names())
    )
    left = Gathered()
    lines = content.count(b"\n")
    for begin, end in plain.left:
        number = bisect_right(starts, begin) - 1
        while begin < end:
            upto = min(end, starts[number + 1])
            source = replace(sources[number], byte_start=sources[number].byte_start + begin - starts[number])
            parse_lines(table, source, content[begin:upto], left)
            begin, number = upto, number + 1  # noqa: PLW2901 (a run may go on in the next chunk)
    # counted apart from what became of them, so that a line that neither way took would be missed
    tally = Tally(lines=lines - left.counted, blank=plain.blank, good=rows.height, records=rows.height)
    found = [Parsed(rows, pl.DataFrame(schema=QUARANTINE_SCHEMA), tally)]
    if left.counted:
        found.append(parsed_rows(table, left))
    return found
