"""Deduplication of records, within one day of a typed table and across days.

A run of several portions caches the day's record ids (16 bytes each) until another run changes the day's files. A run
of one portion only looks up its own records, to save memory.
"""

from datetime import date

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.lake.data_files import files_of_day
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.tables.parsing.coded_rows import CodedRows

_DIGEST = pl.col("record_id").str.decode("hex", strict=False).bin
NUMBER = (
    pl.when(_DIGEST.size() == 16)  # noqa: PLR2004 (128 bits)
    .then(_DIGEST.reinterpret(dtype=pl.UInt128, endianness="big"))
    .alias("number")
)
"""The `record_id` of a typed row as in `CodedRows.ids`; null if another program wrote something else."""


RECORD_ORDER = ("tenant_id", "record_id", "export_date", "exported_at", "blob", "byte_offset")
"""The columns that `distinct_records` reads."""


class SeenRecordIds:
    """The `record_id`s of one day of a typed table."""

    def __init__(self, day: date) -> None:
        self._day = day
        self._files: set[str] | None = None
        self._numbers: list[pl.DataFrame] = []

    def lookup(self, table: DeltaTable, ids: pl.DataFrame, *, keep: bool) -> pl.DataFrame:
        """Return the ids (`CodedRows.ids`) in this snapshot; `keep` caches the day's ids for later portions."""
        if self._files is None or self._files != _files(table, self._day):
            day = scan_days(table, self._day, self._day).select(NUMBER)
            if not keep:
                return day.join(ids.lazy(), on="number", how="semi").collect(engine="streaming")
            self._numbers = [day.collect(engine="streaming")]
            self._files = _files(table, self._day)
        # a join hashes its right side, which should be the smaller one
        return pl.concat(self._numbers, rechunk=False).join(ids, on="number", how="semi")

    def add(self, table: DeltaTable, ids: pl.DataFrame) -> None:
        """Add the ids that this run has committed to the day since `lookup`, on the same table handle."""
        if self._files is not None:
            self._numbers.append(ids)
            self._files = _files(table, self._day)


def distinct_order(rows: CodedRows, known: pl.DataFrame) -> pl.Series:
    """Return the positions of the records that are not `known` (ids), each once, in the order in which leads read."""
    keys = rows.ids.with_columns(rows.plain["Timestamp"], rows.ranks(rows.table.key))
    ordered = keys.with_row_index("row").sort("rank", "Timestamp", "number", maintain_order=True)
    # copies are equal bytes, so their keys and Timestamps are equal too and they are neighbours now
    first = ordered.filter((pl.col("number") != pl.col("number").shift()).fill_null(value=True))
    if known.height:
        first = first.join(known, on="number", how="anti", maintain_order="left")
    return first["row"]


def _files(table: DeltaTable, day: date) -> set[str]:
    return set(files_of_day(table, day)["path"])


def distinct_records(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return each record of a typed table once, from the earliest day, in any order.

    Azure delivers at least once, and copies that arrive on two days stay in both partitions. The earliest `export_date`
    also decides on which day a record is new.
    """
    record, order = RECORD_ORDER[:2], RECORD_ORDER[2:]
    return frame.sort(order).unique(subset=record, keep="first", maintain_order=True)
