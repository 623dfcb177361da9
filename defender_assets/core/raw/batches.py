"""The batches of a day in a raw table, read with bounded memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from operator import add

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.lake.arrow import binary_values
from defender_assets.core.lake.snapshots import in_batches, scan

LONG_LINE_HEAD = 64 * 1024
_WHOLE = pl.col("line_part").is_null()
_GENERATION = ("tenant_id", "blob", "blob_created_at")


@dataclass(frozen=True)
class Source:
    """The location of a chunk or a long line in the export, which becomes the provenance of its rows."""

    tenant_id: str
    day: date
    blob: str
    blob_created_at: datetime
    byte_start: int
    batch: int


@dataclass(frozen=True)
class RawBatches:
    """The batches `after` < batch ≤ `upto` of a day, in one snapshot of the raw table.

    From `split` they also have `size`, their bytes of whole lines, the number of chunks of these (`whole`), and
    that of the `parts` of long lines.
    """

    raw: DeltaTable
    day: date
    after: int
    upto: int
    size: int = 0
    whole: int | None = None
    parts: int | None = None

    def _rows(self) -> pl.LazyFrame:
        return scan(self.raw).filter(
            pl.col("export_date") == self.day, pl.col("batch") > self.after, pl.col("batch") <= self.upto
        )

    def split(self, limit: int) -> list["RawBatches"]:
        """Return the batches in portions of about `limit` bytes of whole lines, each with at least one batch."""
        sizes = (
            self._rows()
            .group_by("batch")
            .agg(
                size=(pl.col("byte_end") - pl.col("byte_start")).filter(_WHOLE).sum(),
                whole=_WHOLE.sum(),
                parts=(~_WHOLE).sum(),
            )
            .sort("batch")
            .collect()
        )
        portions: list[RawBatches] = []
        after, taken = self.after, [0, 0, 0]
        for batch, *counts in sizes.iter_rows():
            if taken[0] and taken[0] + counts[0] > limit:
                portions.append(RawBatches(self.raw, self.day, after, batch - 1, *taken))
                after, taken = batch - 1, [0, 0, 0]
            taken = list(map(add, taken, counts))
        portions.append(RawBatches(self.raw, self.day, after, self.upto, *taken))
        return portions

    def chunks(self) -> Iterator[tuple[Source, memoryview]]:
        """Yield the chunks of whole lines, in any order, a few at a time in memory."""
        rows = self._rows().filter(_WHOLE).select(*_GENERATION, "byte_start", "batch", "content")
        for frame in in_batches(rows, 8, self.whole):
            contents = binary_values(frame["content"])
            for (tenant_id, blob, created_at, start, batch), content in zip(
                frame.drop("content").iter_rows(), contents, strict=True
            ):
                yield Source(tenant_id, self.day, blob, created_at, start, batch), content

    def long_lines(self) -> list[tuple[Source, bytes, int]]:
        """Return each line above 16 MiB: its source, its first 64 KiB and its length without the line end."""
        if self.parts == 0:
            return []
        content, first = pl.col("content").bin, pl.col("line_part") == 0
        columns = (*_GENERATION, "byte_start", "byte_end", "batch", "line_part")
        head = pl.when(first).then(content.head(LONG_LINE_HEAD))
        parts = self._rows().filter(~_WHOLE).select(*columns, head=head, tail=content.tail(2)).collect()
        lines = (
            parts.sort(*_GENERATION, "batch", "byte_start")
            .with_columns(line=first.cum_sum())
            .group_by("line", maintain_order=True)
            .agg(pl.col(*_GENERATION, "byte_start", "batch", "head").first(), pl.col("byte_end", "tail").last())
            .drop("line")
        )
        found = []
        for tenant_id, blob, created_at, start, batch, head_bytes, end, tail in lines.iter_rows():
            source = Source(tenant_id, self.day, blob, created_at, start, batch)
            found.append((source, head_bytes, end - start - (2 if tail.endswith(b"\r\n") else 1)))
        return found
