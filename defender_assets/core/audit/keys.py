"""Records, rows and bad lines reduced to numbers, so that a day of them fits in memory: 60 bytes each."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from defender_assets.core.schemas import Table

ID = ["high", "low"]
"""The two halves of a `record_id`; null if it is not one."""

KEYS = pl.Schema(
    {
        "high": pl.UInt64(),
        "low": pl.UInt64(),
        "place": pl.UInt64(),
        "created": pl.Int64(),
        "offset": pl.Int64(),
        "alert": pl.UInt64(),
        "row": pl.UInt64(),
    }
)
"""A record. `place` is the hash of tenant and blob, `created` the generation in microseconds, `alert` the hash of the
table's key, `row` the hash of all values that are no provenance."""

LINES = pl.Schema({"place": pl.UInt64(), "created": pl.Int64(), "offset": pl.Int64(), "content": pl.UInt64()})
"""Bad lines, with the hash of their bytes."""

PLACE = pl.concat_str("tenant_id", "blob", separator="\0").hash().alias("place")
CREATED = pl.col("blob_created_at").dt.epoch("us").alias("created")
OFFSET = pl.col("byte_offset").alias("offset")
CONTENT = pl.col("content").hash().alias("content")

_ID_BYTES = 16
_OF_PLACE = ("tenant_id", "export_date", "blob", "byte_offset", "blob_created_at", "record_id")


@dataclass
class Places:
    """Tenant and blob by their hash in `place`."""

    names: dict[int, tuple[str, str]] = field(default_factory=dict)

    def add(self, rows: pl.DataFrame) -> None:
        """Remember the places of rows that have `tenant_id` and `blob`."""
        for tenant_id, blob, place in rows.select("tenant_id", "blob", PLACE).unique().iter_rows():
            self.names[place] = tenant_id, blob

    def of(self, place: int) -> tuple[str, str]:
        """Return tenant and blob."""
        return self.names[place]


def row_keys(table: Table, frames: Iterable[pl.DataFrame], places: Places) -> pl.DataFrame:
    """Return KEYS of typed rows, which have the table's schema."""
    values = [name for name in table.schema.names() if name not in _OF_PLACE]
    number = pl.col("record_id").str.decode("hex", strict=False)
    halves = [
        pl.when(number.bin.size() == _ID_BYTES)
        .then(part.bin.reinterpret(dtype=pl.UInt64, endianness="big"))
        .alias(name)
        for name, part in zip(ID, (number.bin.head(8), number.bin.tail(8)), strict=True)
    ]

    def reduced() -> Iterator[pl.DataFrame]:
        for rows in frames:
            places.add(rows)
            hashed = rows.select(values).hash_rows(seed=0).alias("row")
            alert = pl.col(table.key).hash().alias("alert")
            yield rows.select(*halves, PLACE, CREATED, OFFSET, alert).with_columns(hashed).select(KEYS.names())

    return pl.concat([KEYS.to_frame(), *reduced()])


def line_keys(lines: pl.DataFrame, places: Places) -> pl.DataFrame:
    """Return LINES of rows of quarantine."""
    places.add(lines)
    return lines.select(PLACE, CREATED, OFFSET, CONTENT)


def set_hash(ids: pl.DataFrame) -> str:
    """Return the SHA-256 of the sorted distinct record ids, as hexadecimal digits."""
    ordered = ids.select(ID).unique().sort(ID).to_numpy().astype(">u8")
    return hashlib.sha256(np.ascontiguousarray(ordered).tobytes()).hexdigest()
