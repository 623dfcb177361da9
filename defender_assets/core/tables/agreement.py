"""Whether quarantine and a typed table agree with raw: what they were parsed from, and whether their rows are there.

They disagree when a table was restored, emptied or damaged. Incremental parsing would then miss bytes, so the partition
is rebuilt from raw; rows whose bytes raw does not hold stay.
"""

from datetime import date

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.lake.data_files import HeldPartition
from defender_assets.core.lake.fences import Versions, hash_inputs
from defender_assets.core.raw.cursors import digest_bytes, read_ranges
from defender_assets.core.schemas import Table


def parsed_inputs(table: Table, day: date, version: int, digest: str) -> int:
    """Return what identifies the bytes that a partition was parsed from: raw's batches up to `version`."""
    return hash_inputs([(table.raw, day, version, digest)])


def digest_upto(raw: DeltaTable, day: date, batch: int, files: pl.DataFrame) -> str:
    """Return the digest of the bytes that raw holds in the batches up to `batch`; empty if there are none.

    `files` are those of the day in this snapshot of raw.
    """
    return digest_bytes(read_ranges(raw, [day], batch, files)).get(day, "")


def disagreement(
    table: Table, day: date, versions: Versions, held: HeldPartition, raw_version: int, digest: str | None
) -> str | None:
    """Return how a partition of quarantine or a typed table disagrees with raw; None if it is right or only behind.

    The fence has the table's name. `versions` and `held` are what the partition's snapshot has recorded and the rows
    that it has, `raw_version` is the newest batch of raw, and `digest` that of the bytes in raw up to the partition's
    version, None if there are none, as after a full refresh.
    """
    version = versions(table.name, day)
    if version > raw_version:
        return f"at version {version}, above version {raw_version} of {table.raw}"
    if problem := versions.lost_rows(table.name, day, held.rows):
        return problem
    inputs = versions.inputs(table.name, day)
    if digest is not None and inputs is not None and inputs != parsed_inputs(table, day, version, digest):
        return f"parsed from other bytes than {table.raw} holds"
    return None


def without_bytes(rows: pl.LazyFrame, ranges: pl.DataFrame) -> pl.LazyFrame:
    """Return the rows whose bytes are in none of raw's ranges (`read_ranges`): other blobs, generations or offsets.

    A row of an older version has no generation, so nothing shows that raw holds its bytes.
    """
    generation = ["blob", "blob_created_at"]
    held = ranges.lazy().select(*generation, "byte_start", "byte_end").sort("byte_start")
    return (
        rows.sort("byte_offset")
        .join_asof(held, left_on="byte_offset", right_on="byte_start", by=generation, check_sortedness=False)
        .filter((pl.col("byte_offset") >= pl.col("byte_end")).fill_null(value=True))
        .drop("byte_start", "byte_end")
    )
