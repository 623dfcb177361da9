"""Damaged data files: missing, empty, cut or unreadable ones. Finding them, and leaving them out of a day by the log.

A file is damaged only if its content shows it. A storage that cannot be reached or refuses is another error.
"""

import logging
import random
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from polars.exceptions import PolarsError

from defender_assets.core.errors import DefenderAssetsError, LakeError, is_panic, redact
from defender_assets.core.lake.data_files import data_files, files_of_day
from defender_assets.core.lake.files import TableFiles
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.snapshots import conformed, schema_of
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.retries import retry_on_conflict
from defender_assets.core.text import MEBIBYTE, first_few, pluralize

logger = logging.getLogger(__name__)

SAMPLE_FILES = 5
SAMPLE_BYTES = 64 * MEBIBYTE
NAMED = 5
"""Damaged files that an error names; it counts the others."""

_PARTITIONS = ("export_date", "tenant_id", "hour")
_ROWS_AT_ONCE = 20_000
_LARGE_ROWS_AT_ONCE = 8


@dataclass(frozen=True)
class DamagedFile:
    """A data file that the log names and that cannot be read; `day` is None in a table without days."""

    table: str
    day: date | None
    path: str
    rows: int
    problem: str
    remedy: str

    def describe(self) -> str:
        return f"{self.table}/{self.path} {self.problem}"


class DamagedFilesError(LakeError):
    """Data files of the lake are damaged; the text names them and the remedy."""

    def __init__(self, damaged: Collection[DamagedFile]) -> None:
        self.damaged = tuple(damaged)
        super().__init__(describe_damage(self.damaged))


class UnreadableFileError(Exception):
    """The content of a data file is not what the log says. `damage` turns it into a `DamagedFile`."""


def describe_damage(damaged: Collection[DamagedFile]) -> str:
    """Return one line that names damaged files and the remedy for their tables."""
    shown = "; ".join(first_few([file.describe() for file in damaged], NAMED))
    remedies = dict.fromkeys(file.remedy for file in damaged)
    return (
        f"{pluralize(len(damaged), 'damaged file')} in the lake: {shown}. Put back intact copies from a backup, "
        f"or {'; '.join(remedies)}"
    )


def _remedy(spec: TableSpec, day: date | None) -> str:
    if "hour" in spec.partition_by:
        return (
            f"run the job refresh_day for {day}: it reads again what the account still has, and names the bytes that "
            "are lost"
        )
    if spec.daily:
        return f"run the job rebuild_day for {day}"
    return f"run `defender-assets repair {spec.name}`: the rows of these files are lost"


def damaged_files(
    lake: Lake, table: DeltaTable, name: str, day: date | None = None, *, opened: int | None = None
) -> list[DamagedFile]:
    """Return the damaged files of a snapshot, of one day or of all.

    Every file is listed and its size compared with the log's. `opened` files, at most 64 MiB of them, chosen at random,
    are decoded as well; None decodes all.

    Raises:
        LakeError: when the storage cannot be reached.
    """
    files = data_files(table) if day is None else files_of_day(table, day)
    stored = lake.files(name)
    sizes = stored.sizes("" if day is None else f"export_date={day}")
    found = {
        row["path"]: problem
        for row in files.iter_rows(named=True)
        if (problem := _size_problem(row["size_bytes"], sizes.get(row["path"])))
    }
    columns, spec = schema_of(table), lake.spec(name)
    for row in _sample(files.filter(~pl.col("path").is_in(list(found))), opened):
        try:
            for _ in rows_of_file(stored, row, columns):
                pass
        except UnreadableFileError as error:
            found[row["path"]] = str(error)
    return [
        DamagedFile(
            name,
            row["export_date"],
            row["path"],
            row["num_records"] or 0,
            found[row["path"]],
            _remedy(spec, row["export_date"]),
        )
        for row in files.iter_rows(named=True)
        if row["path"] in found
    ]


def rows_of_file(stored: TableFiles, file: Mapping[str, Any], columns: pl.Schema) -> Iterator[pl.DataFrame]:
    """Yield all rows of a data file, a row of `data_files`, a few at a time, in the columns that the table stores.

    Raises:
        UnreadableFileError: when the file is missing, cannot be decoded, or has another size or number of rows.
        LakeError: when the storage cannot be reached.
    """
    content = stored.read(file["path"])
    if problem := _size_problem(file["size_bytes"], None if content is None else len(content)):
        raise UnreadableFileError(problem)
    height, frames = 0, _decoded(content or b"", file, columns)
    while True:
        try:
            frame = next(frames, None)
        except UnreadableFileError:
            raise
        except BaseException as error:
            if isinstance(error, MemoryError) or not (isinstance(error, Exception) or is_panic(error)):
                raise
            reason = redact(str(error), stored.secrets)[:100]
            raise UnreadableFileError(f"cannot be decoded ({reason})") from None
        if frame is None:
            break
        height += frame.height
        yield frame
    # Polars ends without an error when a thread of it has failed
    if file["num_records"] is not None and height != file["num_records"]:
        raise UnreadableFileError(f"has {height} instead of {file['num_records']} rows")


def drop_damaged(lake: Lake, name: str, day: date | None, fence: str | None = None) -> list[DamagedFile]:
    """Leave the damaged files of a day out of a table, in one commit that opens none of them; return them.

    `day` is None for a table without days.

    The other rows of the day stay, and the fence keeps its version. What the caller builds next brings the rows back.
    The files themselves stay for a week, until maintenance deletes them.

    Raises:
        LakeError: when the storage cannot be reached.
    """
    dropped = retry_on_conflict(_drop, lake, name, day, fence)
    if dropped:
        logger.warning("%s %s: left out %s", name, day or "", "; ".join(file.describe() for file in dropped))
    return dropped


def drop_all_damaged(lake: Lake, name: str, *, dry_run: bool = False) -> list[DamagedFile]:
    """Leave all damaged files out of a table that nothing builds again, day by day if it has days; return them.

    Raises:
        LakeError: when the table is built from others, so that a job brings its rows back.
    """
    spec = lake.spec(name)
    if spec.daily:
        raise LakeError(
            f"{name} is built from other data: run the job rebuild_day for its damaged days, or refresh_day"
        )
    damaged = damaged_files(lake, lake.open(name), name)
    if not dry_run:
        for day in dict.fromkeys(file.day for file in damaged):
            # such a table has one fence
            drop_damaged(lake, name, day, name)
    return damaged


def _drop(lake: Lake, name: str, day: date | None, fence: str | None) -> list[DamagedFile]:
    target = lake.fenced(name, day, fence)
    damaged = damaged_files(lake, target.table, name, day)
    if damaged:
        files = data_files(target.table) if day is None else files_of_day(target.table, day)
        files = files.filter(~pl.col("path").is_in([file.path for file in damaged]))
        stored, columns = lake.files(name), schema_of(target.table)
        rows = (frame for file in files.iter_rows(named=True) for frame in rows_of_file(stored, file, columns))
        # all of a partition, or of a table without days, is replaced: delta-rs opens none of the files that it removes
        lake.commit(target, Commit(rows, target.version, replaces="", schema=columns))
    return damaged


@contextmanager
def naming_damage(lake: Lake, reads: Mapping[str, tuple[date, date]]) -> Iterator[None]:
    """Turn an error in reading tables into one that names the damaged files and the remedy.

    `reads` maps the tables to the first and last day that are read. The files are looked at only after an error. An
    error without a damaged file stays as it is, but a panic of a library becomes a `LakeError`.

    Raises:
        DamagedFilesError: when files of these days are damaged.
    """
    try:
        yield
    except DefenderAssetsError:
        raise
    except BaseException as error:
        if not (isinstance(error, PolarsError | OSError | DeltaError | UnreadableFileError) or is_panic(error)):
            raise
        damaged = [file for name, days in reads.items() for file in _damaged_between(lake, name, *days)]
        if damaged:
            raise DamagedFilesError(damaged) from None
        if is_panic(error):
            reason = redact(str(error), lake.secrets)[:200]
            raise LakeError(f"reading {', '.join(reads)} failed: {reason}; report this") from None
        raise


def _damaged_between(lake: Lake, name: str, first: date, last: date) -> list[DamagedFile]:
    if not lake.exists(name):
        return []
    table = lake.snapshot(name)
    days = data_files(table)["export_date"].unique().sort()
    # a table without days has one null
    days = days.filter(days.is_between(first, last) | days.is_null())
    return [file for day in days for file in damaged_files(lake, table, name, day)]


def _size_problem(expected: int, found: int | None) -> str | None:
    if found is None:
        return "is missing"
    return None if found == expected else f"has {found} of {expected} bytes"


def _sample(files: pl.DataFrame, opened: int | None) -> Iterator[dict[str, Any]]:
    rows = list(files.iter_rows(named=True))
    if opened is None:
        yield from rows
        return
    taken = 0
    for row in random.sample(rows, min(opened, len(rows))):
        taken += row["size_bytes"]
        if taken > SAMPLE_BYTES:
            return
        yield row


def _decoded(content: bytes, file: Mapping[str, Any], columns: pl.Schema) -> Iterator[pl.DataFrame]:
    rows = pl.scan_parquet(BytesIO(content), hive_partitioning=False)
    own = dict(rows.collect_schema())
    partitions = {name: columns[name] for name in _PARTITIONS if name in columns and name not in own}
    rows = rows.with_columns(pl.lit(file[name], dtype).alias(name) for name, dtype in partitions.items())
    rows = conformed(rows, own | partitions, columns).select(columns.names())
    large = any(dtype == pl.Binary for dtype in columns.values())
    for frame in rows.collect_batches(chunk_size=_LARGE_ROWS_AT_ONCE if large else _ROWS_AT_ONCE, maintain_order=True):
        if {"byte_start", "byte_end", "content"} <= set(frame.columns):
            lengths = frame["content"].bin.size()
            if not (lengths == frame["byte_end"] - frame["byte_start"]).all():
                raise UnreadableFileError("has chunks of another length")
        yield frame
