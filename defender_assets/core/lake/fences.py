"""The versions of all days in a snapshot of a table, from one read of its log. Writers use `FencedTable.version`.

delta-rs reads the log again for each `transaction_version`: the sixty lookups that leads and the sensor need are a
thousand requests to a remote lake. This module reads the last checkpoint and the later commits once. If the checkpoint
is in parts or newer than the snapshot, each lookup falls back to delta-rs.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import date

import polars as pl
from deltalake import DeltaTable
from polars.exceptions import PolarsError

from defender_assets.core.errors import is_panic

Versions = Callable[[str, date], int]
"""Version of (fence's table, day); 0 if it was never written."""

logger = logging.getLogger(__name__)

_TRANSACTION = pl.Struct({"appId": pl.String(), "version": pl.Int64()})
_HINT = pl.Schema({"version": pl.Int64(), "parts": pl.Int64(), "v2Checkpoint": pl.Struct({"path": pl.String()})})


def fence_of(name: str, day: date) -> str:
    """Return the `app_id` of a table's day."""
    return f"{name}/{day.isoformat()}"


def version_of(table: DeltaTable, name: str, day: date) -> int:
    """Return the version of a day in this snapshot of a table; 0 if it was never written."""
    return table.transaction_version(fence_of(name, day)) or 0


def versions_of(table: DeltaTable, options: Mapping[str, str]) -> Versions:
    """Return the versions of all days in exactly this snapshot of a table; `options` are its storage options."""
    versions = read_versions(table, options)
    if versions is None:
        return lambda name, day: version_of(table, name, day)
    return lambda name, day: versions.get(fence_of(name, day), 0)


def read_versions(table: DeltaTable, options: Mapping[str, str]) -> dict[str, int] | None:
    """Return the version of each `app_id`; None if the log cannot be read at once."""
    log = f"{table.table_uri.rstrip('/')}/_delta_log"
    storage = dict(options)
    try:
        after, found = _checkpoint(log, table.version(), storage)
        commits = [f"{log}/{version:020}.json" for version in range(after + 1, table.version() + 1)]
        if commits:
            lines = pl.scan_ndjson(commits, schema={"txn": _TRANSACTION}, storage_options=storage)
            found.append(_transactions(lines))
    except BaseException as error:
        if not (isinstance(error, PolarsError | OSError | _UnusualLogError) or is_panic(error)):
            raise
        logger.debug("%s: looking up each version with delta-rs (%s)", log, type(error).__name__)
        return None
    # a fence's version never decreases
    highest = pl.concat(found).group_by("app").agg(pl.col("version").max()) if found else pl.DataFrame()
    return dict(highest.iter_rows())


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
    return version, [_transactions(pl.scan_parquet(file, storage_options=storage, glob=False))]


def _transactions(actions: pl.LazyFrame) -> pl.DataFrame:
    transaction = pl.col("txn").struct
    return (
        actions.select(app=transaction.field("appId"), version=transaction.field("version"))
        .filter(pl.col("app").is_not_null())
        .collect()
    )
