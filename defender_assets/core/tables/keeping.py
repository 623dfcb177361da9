"""The rows of a day that a rebuild keeps: neither parsed again from raw, nor of bytes that raw holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.errors import LakeError
from defender_assets.core.lake.snapshots import Frame, in_batches, scan_days
from defender_assets.core.schemas import Table
from defender_assets.core.tables.agreement import without_bytes
from defender_assets.core.tables.deduplication import NUMBER

SAMPLES = 10
PLACE = ["tenant_id", "blob", "blob_created_at", "byte_offset"]
_SAME = ["tenant_id", "blob", "byte_offset", "content"]
LINE = [*PLACE, "reason", "detail", "content"]
_CONTENT = pl.col("content").hash().alias("content")


@dataclass(frozen=True)
class KeptRows:
    """Rows of a snapshot, by their keys. They are read only when they are written again."""

    rows: pl.LazyFrame
    keys: pl.DataFrame
    by: tuple[str, ...]

    @property
    def height(self) -> int:
        return self.keys.height

    def sources(self) -> list[tuple[str, int]]:
        """Return blob and byte offset of a few of the rows."""
        return self.keys.select("blob", "byte_offset").sort("blob", "byte_offset").head(SAMPLES).rows()

    def frames(self, schema: pl.Schema) -> Iterator[pl.DataFrame]:
        """Yield the rows, a part at a time, each once.

        Raises:
            LakeError: at the end, when not all of them were read.
        """
        if not self.height:
            return
        kept = self.rows.join(self.keys.lazy(), on=self.by, how="semi", nulls_equal=True).select(schema.names())
        height = 0
        for frame in in_batches(kept.unique(self.by, keep="any"), 50_000):
            height += frame.height
            yield frame
        if height != self.height:
            raise LakeError(f"{height} of {self.height} rows to keep were read; nothing was changed, report it")


def keep_records(typed: DeltaTable, day: date, parsed: pl.DataFrame, ranges: pl.DataFrame) -> KeptRows:
    """Return the records of the day that are not among the parsed ids, and whose bytes raw does not hold."""
    rows = scan_days(typed, day, day)
    others = rows.select("record_id", *PLACE, NUMBER).join(parsed.lazy(), on="number", how="anti").drop("number")
    return KeptRows(rows, without_bytes(others, ranges).unique("record_id").collect(), ("record_id",))


def line_keys(lines: Frame) -> Frame:
    """Return where each bad line is, why it is one, and the hash of its content."""
    return lines.with_columns(_CONTENT).select(LINE)


def lines_of(quarantine: DeltaTable, table: Table, day: date) -> pl.LazyFrame:
    """Return the bad lines of a table's day."""
    return scan_days(quarantine, day, day).filter(pl.col("table_name") == table.name)


def keep_lines(lines: pl.LazyFrame, held: pl.DataFrame, parsed: pl.DataFrame, ranges: pl.DataFrame) -> KeptRows:
    """Return those of a day's bad lines that are not among the parsed ones, and whose bytes raw does not hold.

    `held` and `parsed` have the results of `line_keys`. In a directory, bytes that raw lost and read again may be of
    another generation: an equal line at the same place is the same line.
    """
    others = held.join(parsed, on=PLACE, how="anti", nulls_equal=True).join(
        parsed, on=_SAME, how="anti", nulls_equal=True
    )
    return KeptRows(lines, without_bytes(others.lazy(), ranges).unique(PLACE).collect(), tuple(PLACE))


def unknown_lines(parsed: pl.DataFrame, known: pl.LazyFrame, ranges: pl.DataFrame) -> pl.DataFrame:
    """Return the parsed bad lines except those that are known from a generation that raw no longer holds."""
    if parsed.is_empty() or without_bytes(known.select(PLACE), ranges).head(1).collect().is_empty():
        return parsed
    lost = without_bytes(known.select(*PLACE, _CONTENT), ranges).collect()
    return (
        parsed.with_row_index("row")
        .with_columns(hash=_CONTENT)
        .join(lost.rename({"content": "hash"}), on=[*_SAME[:-1], "hash"], how="anti")
        .sort("row")
        .drop("row", "hash")
    )
