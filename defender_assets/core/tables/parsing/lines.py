"""Parses raw chunks into typed rows and quarantined lines, on all cores.

Lines in the usual form take the fast path, many at once by compiled code. Others are parsed one by one. Both paths give
the same rows.
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

from defender_assets.core.memory import collector_paused
from defender_assets.core.raw.batches import Source
from defender_assets.core.schemas import INSTANT, QUARANTINE_SCHEMA, TABLES, Table
from defender_assets.core.tables.parsing.coded_rows import Coded, CodedRows
from defender_assets.core.tables.parsing.records import RecordBuffer, parse_lines
from defender_assets.core.tables.parsing.typed_rows import Parsed, Tally, parsed_rows
from defender_assets.core.tables.parsing.warmup import Warmup
from defender_assets.core.text import MEBIBYTE

if TYPE_CHECKING:
    from defender_assets.core.tables.parsing.fast.reader import FastParsed

logger = logging.getLogger(__name__)

GROUP_BYTES = 32 * MEBIBYTE
PIECE_BYTES = 8 * MEBIBYTE
"""About as many bytes of a tenant are parsed at once: a chunk of raw, as a rule, so nothing has to be joined."""
WARMUP = Warmup(48 * MEBIBYTE)
"""Reading this many bytes line by line takes as long as loading the compiled reader."""
FAST_PATH_BYTES = MEBIBYTE // 4
"""The least that a tenant must have in a group for the fast path, because a call costs some milliseconds."""
WORKERS = min(4, os.cpu_count() or 1)

Content = bytes | memoryview
Chunks = list[tuple[Source, Content]]
Reader = Callable[[Table, str, Content], "FastParsed"]


def parse(
    table: Table,
    chunks: Iterable[tuple[Source, Content]],
    size: int,
    *,
    warmup: Warmup = WARMUP,
    fast_path_bytes: int = FAST_PATH_BYTES,
) -> Iterator[Parsed]:
    """Yield the rows of chunks of whole lines, `size` bytes in total, in groups of 32 MiB."""
    reader = _compiled_reader() if warmup.is_over(size) else None
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="parse") as pool:
        pending: deque[Future[list[Parsed]]] = deque()
        for group in _groups(chunks):
            pending.append(pool.submit(_parse_group, table, group, fast_path_bytes, reader))
            if len(pending) > WORKERS:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()


def _groups(chunks: Iterable[tuple[Source, Content]]) -> Iterator[Chunks]:
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


def _parse_group(table: Table, group: Chunks, fast_path_bytes: int, reader: Reader | None) -> list[Parsed]:
    """Return the rows of a group. Tenants with few bytes in it are parsed together, line by line."""
    ordered = sorted(group, key=lambda chunk: chunk[0].tenant_id)
    parsed = []
    rest = RecordBuffer()
    for _, of_tenant in groupby(ordered, key=lambda chunk: chunk[0].tenant_id):
        chunks = list(of_tenant)
        whole = all(content[-1:] == b"\n" for _, content in chunks)
        if reader and whole and sum(len(content) for _, content in chunks) >= fast_path_bytes:
            for piece in _pieces(chunks):
                parsed += parse_fast_chunks(reader, table, piece)
        else:
            for source, content in chunks:
                parse_lines(table, source, bytes(content), rest)
    if rest.counted or rest.lines:
        parsed.append(parsed_rows(table, rest))
    return parsed


def _pieces(chunks: Chunks) -> Iterator[Chunks]:
    """Yield the chunks of a tenant in pieces, each with as many as fit into `PIECE_BYTES`, but at least one."""
    piece: Chunks = []
    size = 0
    for chunk in chunks:
        if piece and size + len(chunk[1]) > PIECE_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(chunk)
        size += len(chunk[1])
    yield piece


@cache
def _compiled_reader() -> Reader | None:
    """Return the compiled reader, or None if it cannot be compiled and cached."""
    try:
        with collector_paused():
            from defender_assets.core.tables.parsing.fast.reader import parse_fast  # noqa: PLC0415 (a small share does not need it)

            parse_fast(TABLES[0], "", b"\n")
    except Exception as error:  # noqa: BLE001 (no cache folder, a torn file, an unknown machine: slow is correct too)
        logger.warning(
            "parsing is slower, because the fast reader could not be compiled (%s: %s): set NUMBA_CACHE_DIR to an "
            "empty folder that can be written",
            type(error).__name__,
            str(error)[:200],
        )
        return None
    return parse_fast


def parse_fast_chunks(parse_fast: Reader, table: Table, chunks: Chunks) -> list[Parsed]:
    """Return the rows of chunks of one tenant: those that the compiled reader parsed, then the others."""
    content = chunks[0][1] if len(chunks) == 1 else b"".join(content for _, content in chunks)
    starts = list(accumulate((len(content) for _, content in chunks), initial=0))
    sources = [source for source, _ in chunks]
    fast = parse_fast(table, sources[0].tenant_id, content)
    rows = _with_sources(table, fast, sources, starts[:-1])
    left = RecordBuffer()
    for begin, end in fast.left:
        number = bisect_right(starts, begin) - 1
        while begin < end:
            upto = min(end, starts[number + 1])
            source = replace(sources[number], byte_start=sources[number].byte_start + begin - starts[number])
            parse_lines(table, source, bytes(content[begin:upto]), left)
            begin, number = upto, number + 1  # noqa: PLW2901 (a run of lines may continue in the next chunk)
    # counted separately, so that a line that both paths missed breaks the line balance
    tally = Tally(lines=fast.lines - left.counted, blank=fast.blank, good=rows.height, records=rows.height)
    parsed = [Parsed(rows, pl.DataFrame(schema=QUARANTINE_SCHEMA), tally)]
    if left.counted:
        parsed.append(parsed_rows(table, left))
    return parsed


def _with_sources(table: Table, fast: "FastParsed", sources: list[Source], starts: list[int]) -> CodedRows:
    """Return the records with the provenance of the chunks that begin at `starts`."""
    of_chunks = pl.DataFrame(
        {
            "at": starts,
            "tenant_id": [source.tenant_id for source in sources],
            "export_date": [source.day for source in sources],
            "blob": [source.blob for source in sources],
            "blob_created_at": [source.blob_created_at for source in sources],
            "byte_start": [source.byte_start for source in sources],
        },
        schema_overrides={"at": pl.Int64, "byte_start": pl.Int64, "blob_created_at": INSTANT},
    )
    codes = of_chunks["at"].search_sorted(fast.at, side="right").cast(pl.UInt32) - 1
    nothing = Coded(pl.Series([None], dtype=pl.String), codes.clear().extend_constant(0, len(codes)))
    coded = {name: Coded(of_chunks[name], codes) for name in ("tenant_id", "blob")} | {"unmapped": nothing}
    plain = fast.plain.with_columns(
        *(of_chunks[name][codes] for name in ("export_date", "blob_created_at")),
        (fast.at + (of_chunks["byte_start"] - of_chunks["at"])[codes]).alias("byte_offset"),
    )
    return CodedRows(table, fast.coded | coded, plain)
