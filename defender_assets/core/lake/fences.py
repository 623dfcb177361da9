"""What the writers of all days recorded in a snapshot of a table, from one read of its log.

A fence is `table/day`, and its number is the version of the day; a table without days has one fence, `table`. Derived
partitions set three more numbers in the same commit, of which the latest counts: `/inputs` identifies what the
partition was built from, `/rows` is its number of rows, and `/commit` is a random number of the commit that wrote it.
A table that can be built from what was added also has `/files`, which identifies the upstream files that were read.
Typed and quarantine partitions that were rebuilt also have `/kept`, the number of rows whose bytes raw did not hold.
Delta's `restore()` keeps all of these while the rows go back.

delta-rs reads the log again for each `transaction_version`: the sixty lookups that leads and the sensor need are a
thousand requests to a remote lake. This module reads the last checkpoint and the later commits once. If the checkpoint
is in parts or newer than the snapshot, each lookup falls back to delta-rs.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import DeltaTable
from polars.exceptions import PolarsError

from defender_assets.core.errors import is_panic
from defender_assets.core.text import pluralize

logger = logging.getLogger(__name__)

_TRANSACTION = pl.Struct({"appId": pl.String(), "version": pl.Int64()})
_HINT = pl.Schema({"version": pl.Int64(), "parts": pl.Int64(), "v2Checkpoint": pl.Struct({"path": pl.String()})})


@dataclass(frozen=True)
class Versions:
    """The numbers recorded in one snapshot of a table; `find` returns the latest number of an `app_id`, or None."""

    find: Callable[[str], int | None]

    def __call__(self, name: str, day: date) -> int:
        """Return the version of (fence's table, day); 0 if it was never written."""
        return self.find(fence_of(name, day)) or 0

    def inputs(self, name: str, day: date) -> int | None:
        """Return what identifies the inputs of a derived partition; None if an older version wrote it."""
        return self.find(f"{fence_of(name, day)}/inputs")

    def rows(self, name: str, day: date) -> int | None:
        """Return the number of rows that a derived partition had when it was written; None if never recorded."""
        return self.find(f"{fence_of(name, day)}/rows")

    def lost_rows(self, name: str, day: date, held: int) -> str | None:
        """Return that a derived partition has other rows than were written, if the log counts `held` of them."""
        rows = self.rows(name, day)
        return None if rows in {None, held} else f"with {held} of {pluralize(rows or 0, 'written row')}"

    def commit(self, name: str, day: date) -> int:
        """Return the random number of the commit that wrote a derived partition; 0 if never recorded."""
        return self.find(f"{fence_of(name, day)}/commit") or 0

    def files(self, name: str, day: date) -> int | None:
        """Return what identifies the upstream files that a derived partition was built from; None if never recorded."""
        return self.find(f"{fence_of(name, day)}/files")

    def kept(self, name: str, day: date) -> int:
        """Return the number of rows of the partition whose bytes raw did not hold when it was last rebuilt."""
        return self.find(f"{fence_of(name, day)}/kept") or 0


NOTHING = Versions(lambda _app: None)
"""The versions of a table that does not exist."""


def hash_inputs(inputs: Iterable[tuple[object, ...]]) -> int:
    """Return 63 bits that identify the inputs of a partition, in their order."""
    text = repr([tuple(map(str, each)) for each in inputs])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def fence_of(name: str, day: date | None) -> str:
    """Return the `app_id` of a table's day, or that of a table without days."""
    return name if day is None else f"{name}/{day.isoformat()}"


def version_of(table: DeltaTable, name: str, day: date | None) -> int:
    """Return the version of a day in this snapshot of a table; 0 if it was never written."""
    return table.transaction_version(fence_of(name, day)) or 0


def versions_of(table: DeltaTable, options: Mapping[str, str]) -> Versions:
    """Return the versions of all days in exactly this snapshot of a table; `options` are its storage options."""
    versions = read_versions(table, options)
    if versions is None:
        return Versions(table.transaction_version)
    return Versions(versions.get)


def read_versions(table: DeltaTable, options: Mapping[str, str]) -> dict[str, int] | None:
    """Return the latest number of each `app_id`; None if the log cannot be read at once."""
    log = f"{table.table_uri.rstrip('/')}/_delta_log"
    storage = dict(options)
    try:
        after, found = _checkpoint(log, table.version(), storage)
        commits = [f"{log}/{version:020}.json" for version in range(after + 1, table.version() + 1)]
        if commits:
            lines = pl.scan_ndjson(
                commits, schema={"txn": _TRANSACTION}, storage_options=storage, include_file_paths="file"
            )
            found.append(_transactions(lines, pl.col("file")))
    except BaseException as error:
        if not (isinstance(error, PolarsError | OSError | _UnusualLogError) or is_panic(error)):
            raise
        logger.debug("%s: looking up each version with delta-rs (%s)", log, type(error).__name__)
        return None
    # commits in order, after the checkpoint: later entries replace earlier ones
    return dict(pl.concat(found).iter_rows()) if found else {}


class _UnusualLogError(Exception):
    """The log has a form that only delta-rs reads."""


def _checkpoint(log: str, upto: int, storage: dict[str, str]) -> tuple[int, list[pl.DataFrame]]:
    """Return the version of the last checkpoint (-1 if there is none) and its transactions."""
    try:
        hint = pl.scan_ndjson(f"{log}/_last_checkpoint", schema=_HINT, storage_options=storage).collect().row(0)
    except FileNotFoundError:
        return -1, []
    version, parts, v2 = hint
    if version > upto or parts is not None or v2 is not None:
        raise _UnusualLogError
    file = f"{log}/{version:020}.checkpoint.parquet"
    return version, [_transactions(pl.scan_parquet(file, storage_options=storage, glob=False), pl.lit(""))]


def _transactions(actions: pl.LazyFrame, file: pl.Expr) -> pl.DataFrame:
    transaction = pl.col("txn").struct
    return (
        actions.select(app=transaction.field("appId"), version=transaction.field("version"), file=file)
        .filter(pl.col("app").is_not_null())
        .collect()
        .sort("file", maintain_order=True)
        .drop("file")
    )
