"""Deduplication of records, within one day of a typed table and across days.

A run of several portions caches the day's record ids (16 bytes each) until another run changes the day's files. A run
of one portion only looks up its own records, to save memory.
"""

from datetime import date

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.lake.data_files import files_of_day
from defender_assets.core.lake.snapshots import scan_days

_NUMBER = pl.col("record_id").str.decode("hex").bin.reinterpret(dtype=pl.UInt128, endianness="big").alias("number")


class SeenRecordIds:
    """The `record_id`s of one day of a typed table."""

    def __init__(self, day: date) -> None:
        self._day = day
        self._files: set[str] | None = None
        self._numbers: list[pl.DataFrame] = []

    def lookup(self, table: DeltaTable, ids: pl.DataFrame, *, keep: bool) -> pl.DataFrame:
        """Return the `record_id`s of `ids` in this snapshot; `keep` caches the day's ids for later portions."""
        if self._files is None or self._files != _files(table, self._day):
            day = scan_days(table, self._day, self._day).select("record_id")
            if not keep:
                return day.join(ids.lazy(), on="record_id", how="semi").collect(engine="streaming")
            self._numbers = [day.select(_NUMBER).collect(engine="streaming")]
            self._files = _files(table, self._day)
        own = ids.select("record_id", _NUMBER)
        # two joins, because a join hashes its right side, which should be the smaller one
        seen = pl.concat(self._numbers, rechunk=False).join(own, on="number", how="semi")
        return own.join(seen, on="number", how="semi").select("record_id")

    def add(self, table: DeltaTable, ids: pl.DataFrame) -> None:
        """Add the ids that this run has committed to the day since `lookup`, on the same table handle."""
        if self._files is not None:
            self._numbers.append(ids.select(_NUMBER))
            self._files = _files(table, self._day)


def _files(table: DeltaTable, day: date) -> set[str]:
    return set(files_of_day(table, day)["path"])


def distinct_records(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return each record of a typed table once, from the earliest day, in any order.

    Azure delivers at least once, and copies that arrive on two days stay in both partitions. The earliest `export_date`
    also decides on which day a record is new.
    """
    return frame.sort("export_date", "exported_at", "blob", "byte_offset").unique(
        subset=["tenant_id", "record_id"], keep="first", maintain_order=True
    )
