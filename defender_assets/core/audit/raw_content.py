"""Walks the content of raw, or of the export, in byte order: hashes, counts and compares it chunk by chunk."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

import numpy as np
import polars as pl
from deltalake import DeltaTable

from defender_assets.core.audit.findings import Difference, Kind
from defender_assets.core.errors import ExportError
from defender_assets.core.export.blobs import Blob, BlobChangedError, Export, blob_at, generation
from defender_assets.core.export.directory import NO_MOMENT
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.raw.batches import LONG_LINE_HEAD, Source
from defender_assets.core.raw.range_reader import SLICE
from defender_assets.core.schemas import Table
from defender_assets.core.text import MEBIBYTE

PORTION_BYTES = 32 * MEBIBYTE
"""Content that is read from raw at once."""

_GENERATION = ["tenant_id", "blob", "blob_created_at"]
_ORDER = ["hour", *_GENERATION, "byte_start", "byte_end"]


class Generation(NamedTuple):
    """One generation of a blob of a tenant."""

    tenant_id: str
    blob: str
    created_at: datetime


class ContentChunk(NamedTuple):
    """Bytes of a generation from `start` on: whole lines, or a part of a line above 16 MiB. `end` is what raw says."""

    generation: Generation
    start: int
    end: int
    content: bytes
    line_part: int | None = None


class LongLine(NamedTuple):
    """A line above 16 MiB: where it is, and what quarantine holds of it."""

    generation: Generation
    offset: int
    head: bytes


@dataclass
class BlobContent:
    """What was found in a generation so far: `size` bytes without a gap, their hash and their lines."""

    size: int = 0
    lines: int = 0
    blank: int = 0
    hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)


@dataclass
class ContentWalk:
    """One walk over the content of a table's day. `listed` are the blobs that the export shows, by generation.

    While `sources` is consumed, `blobs`, `long_lines`, `differences`, `problems` and `ranges` are filled. `ranges` has
    the contiguous bytes of each generation as start and end.
    """

    table: Table
    day: date
    chunks: Iterator[ContentChunk]
    export: Export | None = None
    listed: Mapping[Generation, Blob] = field(default_factory=dict)
    blobs: dict[Generation, BlobContent] = field(default_factory=dict)
    long_lines: list[LongLine] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ranges: dict[Generation, list[tuple[int, int]]] = field(default_factory=dict)
    _differing: set[Generation] = field(default_factory=set)

    def sources(self) -> Iterator[tuple[Source, bytes]]:
        """Yield the chunks of whole lines for the parser."""
        for chunk in self.chunks:
            if self._account(chunk) and chunk.line_part is None:
                of = chunk.generation
                yield Source(of.tenant_id, self.day, of.blob, of.created_at, chunk.start, 0), chunk.content

    def _account(self, chunk: ContentChunk) -> bool:
        """Add a chunk to its blob, and note what differs; return whether its bytes are new."""
        blob = self.blobs.setdefault(chunk.generation, BlobContent())
        if len(chunk.content) != chunk.end - chunk.start:
            found = f"{len(chunk.content)} bytes instead of {chunk.end - chunk.start}"
            self._differ(Kind.LENGTH, chunk.generation, chunk.start, found)
        if chunk.start < blob.size:
            self._differ(Kind.OVERLAP, chunk.generation, chunk.start, f"bytes {chunk.start} to {chunk.end}")
            return False
        if chunk.start > blob.size:
            self._differ(Kind.HOLE, chunk.generation, blob.size, f"bytes {blob.size} to {chunk.start}")
        ranges = self.ranges.setdefault(chunk.generation, [])
        if ranges and ranges[-1][1] == chunk.start:
            ranges[-1] = (ranges[-1][0], chunk.end)
        else:
            ranges.append((chunk.start, chunk.end))
        blob.size = chunk.end
        blob.hash.update(chunk.content)
        if chunk.line_part is None:
            blob.lines += chunk.content.count(b"\n")
            lines = chunk.content.split(b"\n")
            blob.blank += sum(not line or line.isspace() for line in lines[:-1])
        elif chunk.line_part == 0:
            blob.lines += 1
            self.long_lines.append(LongLine(chunk.generation, chunk.start, chunk.content[:LONG_LINE_HEAD]))
        self._compare(chunk)
        return True

    def _compare(self, chunk: ContentChunk) -> None:
        """Compare a chunk with the same bytes of the export."""
        blob = self.listed.get(chunk.generation)
        if self.export is None or blob is None or chunk.generation in self._differing:
            return
        try:
            for start in range(0, len(chunk.content), SLICE):
                own = chunk.content[start : start + SLICE]
                at = chunk.start + start
                end = min(at + len(own), blob.size)
                theirs = self.export.read(self.table.container, blob, at, end) if end > at else b""
                if own != theirs:
                    first = at + _first_difference(own, theirs)
                    self._differ(Kind.BYTES, chunk.generation, first, f"from byte {first} on")
                    self._differing.add(chunk.generation)
                    return
        except (BlobChangedError, ExportError) as error:
            reason = str(error) if isinstance(error, ExportError) else "it changed while it was read"
            self.problems.append(f"{self.table.container}/{blob.path} was not compared: {reason}")
            self._differing.add(chunk.generation)

    def _differ(self, kind: Kind, of: Generation, offset: int, detail: str) -> None:
        shown = of in self.listed
        self.differences.append(
            Difference(kind, self.table.raw, self.day, of.tenant_id, of.blob, offset, detail, in_export=shown)
        )


def _first_difference(own: bytes, theirs: bytes) -> int:
    length = min(len(own), len(theirs))
    differs = np.frombuffer(own[:length], np.uint8) != np.frombuffer(theirs[:length], np.uint8)
    return int(differs.argmax()) if differs.any() else length


@dataclass(frozen=True)
class RawDay:
    """The chunks of a day in one snapshot of raw. `index` has a row per chunk without its content, in byte order."""

    raw: DeltaTable
    day: date
    index: pl.DataFrame

    @classmethod
    def read(cls, raw: DeltaTable, day: date) -> "RawDay":
        """Return the day; the content is not read."""
        rows = scan_days(raw, day, day).select(*_ORDER, "line_part")
        return cls(raw, day, rows.collect().sort(_ORDER))

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return int((self.index["byte_end"] - self.index["byte_start"]).sum())

    def matched(self, blobs: list[Blob], *, fixed_creation: bool) -> tuple[dict[Generation, Blob], dict[str, int]]:
        """Return the listed blobs by the generation of theirs that raw has, and the sizes of those that it has not."""
        known: dict[tuple[str, str], dict[datetime, int]] = {}
        ends = self.index.group_by(_GENERATION).agg(pl.col("byte_end").max())
        for tenant_id, path, created_at, end in ends.iter_rows():
            known.setdefault((tenant_id, path), {})[created_at] = end
        found, unread = {}, {}
        for blob in blobs:
            held = known.get((blob.tenant_id, blob.path), {})
            created_at, _ = generation(blob, held, fixed_creation=fixed_creation)
            if created_at in held:
                found[Generation(blob.tenant_id, blob.path, created_at)] = blob
            elif blob.size:
                unread[blob.path] = blob.size
        return found, unread

    def misfiled(self, table: Table) -> Iterator[Difference]:
        """Yield the blobs of which chunks are in a partition that is not theirs."""
        for tenant_id, path, hour in self.index.select("tenant_id", "blob", "hour").unique().sort("blob").iter_rows():
            blob = blob_at(path, 0, NO_MOMENT, None)
            if blob is None or (blob.tenant_id, blob.day, blob.hour) != (tenant_id, self.day, hour):
                where = f"in the partition of {self.day}, hour {hour}, tenant {tenant_id}"
                yield Difference(Kind.MISFILED, table.raw, self.day, tenant_id, path, detail=where)

    def chunks(self) -> Iterator[ContentChunk]:
        """Yield the chunks in the order of `index`, about PORTION_BYTES in memory at once."""
        columns = [*_ORDER, "line_part", "content"]
        rows = scan_days(self.raw, self.day, self.day).select(columns)
        for portion in self._portions():
            first, last = portion["hour"][0], portion["hour"][-1]
            chosen = rows.filter(
                pl.col("hour").is_between(first, last),
                pl.col("blob").is_in(portion["blob"].unique().implode()),
                pl.col("byte_start").is_between(portion["byte_start"].min(), portion["byte_start"].max()),
            )
            keys = portion.select(_ORDER).unique().lazy()
            content = chosen.join(keys, on=_ORDER, how="semi").collect().sort(_ORDER)
            for _, tenant_id, path, created_at, start, end, part, held in content.iter_rows():
                yield ContentChunk(Generation(tenant_id, path, created_at), start, end, held, part)

    def _portions(self) -> Iterator[pl.DataFrame]:
        """Yield consecutive rows of the index: many small generations, or a part of one large one."""
        of = self.index.with_columns(
            bytes=pl.col("byte_end") - pl.col("byte_start"), generation=pl.struct(_GENERATION).rle_id()
        )
        size = of.group_by("generation").agg(total=pl.col("bytes").sum())
        of = of.join(size, on="generation", maintain_order="left")
        # a large generation has portions of its own, so that its offsets select the rows
        large = pl.col("total") > PORTION_BYTES
        part = pl.when(large).then(pl.col("byte_start") // PORTION_BYTES).otherwise(0)
        group = pl.struct(pl.when(large).then(pl.col("generation")).otherwise(-1), part).rle_id()
        for _, rows in of.with_columns(group=group).group_by("group", maintain_order=True):
            if rows["total"][0] > PORTION_BYTES:
                yield rows
                continue
            portions = rows.with_columns(portion=pl.col("bytes").cum_sum() // PORTION_BYTES)
            yield from portions.partition_by("portion", maintain_order=True)
