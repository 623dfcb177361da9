"""What raw holds of one hour and tenant: readable chunks, and byte ranges of damaged files, as the log names them."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.lake.damage import UnreadableFileError, rows_of_file
from defender_assets.core.lake.data_files import files_of_day
from defender_assets.core.lake.files import TableFiles
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import schema_of

Generation = tuple[str, datetime]
"""Blob path and creation time."""


@dataclass(frozen=True, order=True)
class LostRange:
    """Bytes `[byte_start, byte_end)` of a blob that raw had in a damaged file and the account no longer has.

    `exact` is False if the damaged file had several blobs or generations: then the bytes are some of `blob` to
    `last_blob`, between the offsets.
    """

    blob: str
    byte_start: int
    byte_end: int
    last_blob: str

    @property
    def exact(self) -> bool:
        return self.blob == self.last_blob

    def describe(self) -> str:
        to = "" if self.exact else f" to {self.last_blob}"
        return f"{self.blob}{to}, bytes {self.byte_start} to {self.byte_end}"


@dataclass
class Hour:
    """The files of an hour and tenant in one snapshot of raw. `cursors` include those of damaged files."""

    files: list[dict[str, Any]]
    stored: TableFiles
    columns: pl.Schema
    damaged: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, dict[datetime, int]] = field(default_factory=lambda: defaultdict(dict))

    def kept(self, replaced: Collection[Generation]) -> Iterator[pl.DataFrame]:
        """Yield the readable chunks of all other generations than `replaced`."""
        other = pl.lit(value=True)
        for blob, created in replaced:
            other &= (pl.col("blob") != blob) | (pl.col("blob_created_at") != created)
        for file in self.files:
            if file["path"] in self.damaged or _generation_of(file) in replaced:
                continue
            for frame in rows_of_file(self.stored, file, self.columns):
                yield frame.filter(other)

    def lost(self, replaced: Collection[Generation]) -> list[LostRange]:
        """Return the ranges of damaged files that are not of a replaced generation."""
        return sorted(
            LostRange(file["min.blob"] or "?", file["min.byte_start"] or 0, file["max.byte_end"] or 0, last)
            for file in self.files
            for last in [file["max.blob"] or "?"]
            if file["path"] in self.damaged and _generation_of(file) not in replaced
        )


def read_hour(lake: Lake, raw: DeltaTable, name: str, day: date, tenant_id: str, hour: int) -> Hour:
    """Return an hour of raw; files of one generation are not opened, because the log tells their ranges."""
    of_hour = files_of_day(raw, day).filter(pl.col("tenant_id") == tenant_id, pl.col("hour") == hour)
    found = Hour(
        list(of_hour.sort("min.byte_start", "path").iter_rows(named=True)),
        lake.files(name),
        schema_of(raw),
    )
    for file in found.files:
        generation = _generation_of(file)
        if generation is not None:
            _advance(found.cursors, *generation, file["max.byte_end"])
            continue
        try:
            for rows in rows_of_file(found.stored, file, found.columns):
                for blob, created, end in rows.select("blob", "blob_created_at", "byte_end").iter_rows():
                    _advance(found.cursors, blob, created, end)
        except UnreadableFileError as error:
            found.damaged[file["path"]] = str(error)
    return found


def find_damage_in_hour(found: Hour, replaced: Collection[Generation]) -> None:
    """Decode the files whose chunks are not replaced, and add the damaged ones to `found.damaged`."""
    for file in found.files:
        if _generation_of(file) in replaced or file["path"] in found.damaged:
            continue
        try:
            for _ in rows_of_file(found.stored, file, found.columns):
                pass
        except UnreadableFileError as error:
            found.damaged[file["path"]] = str(error)


def _advance(cursors: dict[str, dict[datetime, int]], blob: str, created: datetime, end: int) -> None:
    cursors[blob][created] = max(cursors[blob].get(created, 0), end)


def _generation_of(file: dict[str, Any]) -> Generation | None:
    """Return the generation of a file that has one only, from the log's statistics."""
    blob, created = file["min.blob"], file["min.blob_created_at"]
    if blob is None or created is None or file["max.byte_end"] is None:
        return None
    return (blob, created) if (blob, created) == (file["max.blob"], file["max.blob_created_at"]) else None
