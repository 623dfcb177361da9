"""The original lines behind a lead, from raw: the bytes as Microsoft wrote them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from defender_assets.core.export.blobs import blob_at
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import in_batches
from defender_assets.core.schemas import TABLES

_RAW = {table.name: table.raw for table in TABLES}
_NO_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, order=True)
class SourceLine:
    """A line of a blob, without its line end. Each generation of a blob may have one at the same offset."""

    table: str
    blob: str
    byte_offset: int
    blob_created_at: datetime
    content: bytes


def fetch_source_lines(lake: Lake, sources: Iterable[Mapping[str, Any]]) -> list[SourceLine]:
    """Return the lines at `sources` (structs of table, blob, byte_offset), sorted by these.

    Typed rows do not name a generation, so the result has the line of each generation with a line at that offset.
    Lines that are no longer in raw are omitted.
    """
    wanted: dict[str, dict[str, set[int]]] = {}
    for source in sources:
        if source["table"] in _RAW:
            wanted.setdefault(source["table"], {}).setdefault(source["blob"], set()).add(source["byte_offset"])
    return sorted(line for table, blobs in wanted.items() for line in _lines(lake, table, blobs))


def _lines(lake: Lake, table: str, blobs: Mapping[str, set[int]]) -> Iterator[SourceLine]:
    raw = lake.read(_RAW[table])
    for path, offsets in blobs.items():
        blob = blob_at(path, 0, _NO_TIME, _NO_TIME)
        if blob is None:
            continue
        chunks = raw.filter(
            pl.col("export_date") == blob.day,
            pl.col("tenant_id") == blob.tenant_id,
            pl.col("hour") == blob.hour,
            pl.col("blob") == path,
            pl.col("byte_start") <= max(offsets),
            pl.col("byte_end") > min(offsets),
            pl.col("line_part").is_null(),
        ).select("blob_created_at", "byte_start", "content")
        # a few at a time: a chunk may have eight megabytes
        for frame in in_batches(chunks, 8):
            for created_at, start, content in frame.iter_rows():
                for offset in offsets:
                    line = _line(content, offset - start)
                    if line is not None:
                        yield SourceLine(table, path, offset, created_at, line)


def _line(content: bytes, at: int) -> bytes | None:
    """Return the line that starts at the offset in a chunk of whole lines; None if none starts there."""
    if not 0 <= at < len(content) or (at and content[at - 1 : at] != b"\n"):
        return None
    end = content.find(b"\n", at)
    return content[at : len(content) if end < 0 else end].removesuffix(b"\r")
