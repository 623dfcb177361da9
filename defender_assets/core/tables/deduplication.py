"""Each record once: within one day of a typed table, and over a span of days.

A run of several shares keeps the day's record ids between them, 16 bytes each, while the day's files are those that it
knows. A run of a single share only looks up its own records, so that memory holds little more than those.
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

    def held(self, table: DeltaTable, ids: pl.DataFrame, *, keep: bool) -> pl.DataFrame:
        """Return which `record_id`s of `ids` exactly this opening of the table holds; `keep` when more comes."""
        if self._files is None or self._files != _files(table, self._day):
            day = scan_days(table, self._day, self._day).select("record_id")
            if not keep:
                return day.join(ids.lazy(), on="record_id", how="semi").collect(engine="streaming")
            self._numbers = [day.select(_NUMBER).collect(engine="streaming")]
            self._files = _files(table, self._day)
        own = ids.select("record_id", _NUMBER)
        # the smaller side is the one that is hashed
        met = pl.concat(self._numbers, rechunk=False).join(own, on="number", how="semi")
        return own.join(met, on="number", how="semi").select("record_id")

    def add(self, table: DeltaTable, ids: pl.DataFrame) -> None:
        """Add what was committed on this handle, behind the day's fence, since `held` was asked of it."""
        if self._files is not None:
            self._numbers.append(ids.select(_NUMBER))
            self._files = _files(table, self._day)


def _files(table: DeltaTable, day: date) -> set[str]:
    return set(files_of_day(table, day)["path"])


def distinct_records(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return each record of a typed table once: of its copies the one on the earliest day.

    Azure delivers at least once, and copies that fall on two days stay in both partitions. The earliest `export_date`
    is also what tells whether a record is new on a day. The schema is the one given; the order is of no meaning.
    """
    return frame.sort("export_date", "exported_at", "blob", "byte_offset").unique(
        subset=["tenant_id", "record_id"], keep="first", maintain_order=True
    )
