"""Days of many small files, rewritten into few: the same rows, sorted for the reads of leads, behind the day's fence.

A compaction is a replacement of rows by themselves: it carries the fence's version as it is, and a writer that got in
between makes it start again. OPTIMIZE is not used: in delta-rs two of them at once both commit and every row is there
twice, and they take no application transaction that could tell them apart (docs/decisions.md, measured).

When it happens is `maintenance`'s question.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import DeltaTable

from defender_assets.core.chunks import MEBIBYTE
from defender_assets.core.failures import LakeConflictError, LakeError
from defender_assets.core.lake import Commit, Lake, fence_of, in_rounds, scan
from defender_assets.core.layouts import schema_of
from defender_assets.core.tables import TABLES
from defender_assets.core.typed import QUARANTINE

logger = logging.getLogger(__name__)

MANY_FILES = 100
# Each commit makes appends to the table start again, and they have 20 rounds (`lake.in_rounds`).
DAYS_AT_ONCE = 8
PATIENCE = 5
ROWS_AT_ONCE = 200_000
LINES_AT_ONCE = 10_000
BYTES_AT_ONCE = 128 * MEBIBYTE


@dataclass(frozen=True)
class Part:
    """What one commit rewrites: the files of a day behind one fence, shelf by shelf (SQL and the same in Polars).

    `weight` is what a row counts against `limit`, the most that is held in memory at once.
    """

    table: str
    fence: str
    day: date
    shelves: tuple[tuple[str, pl.Expr], ...]
    order: tuple[str, ...]
    weight: pl.Expr
    limit: int

    @property
    def predicate(self) -> str:
        """Return which rows of the day the commit replaces."""
        return " OR ".join(f"({sql})" for sql, _ in self.shelves if sql)

    @property
    def rows(self) -> pl.Expr:
        """Return the same for a scan of the table."""
        return (pl.col("export_date") == self.day) & pl.any_horizontal(expression for _, expression in self.shelves)


@dataclass(frozen=True)
class Compacted:
    """A day of a table that was rewritten: its files before and after, and the rows moved."""

    table: str
    day: date
    files_before: int
    files_after: int
    rows: int


def compact(lake: Lake, name: str) -> list[Compacted]:
    """Rewrite the days of a table that hold more than 100 files, the fullest first, a few days a call.

    A day that other writers keep changing is left for the next call.
    """
    done = []
    for day, _ in full_days(lake.open(name))[:DAYS_AT_ONCE]:
        try:
            compacted = compact_day(lake, name, day)
        except LakeConflictError:
            logger.info("%s %s: other writers were faster, the next maintenance tries again", name, day)
            continue
        if compacted is not None:
            done.append(compacted)
    return done


def full_days(table: DeltaTable, more_than: int = MANY_FILES) -> list[tuple[date, int]]:
    """Return the days of this opening that hold more files than that, and how many, the fullest first."""
    days = files_of(table).group_by("export_date").len().filter(pl.col("len") > more_than)
    return days.sort("len", "export_date", descending=True).rows()


def compact_day(lake: Lake, name: str, day: date) -> Compacted | None:
    """Rewrite a day of a table, however many files it has; None where that would make no fewer files.

    Raises:
        LakeConflictError: when other writers won each time.
        LakeError: when the rows read are not the rows that the log counts; nothing is written then.
    """
    parts = _parts(lake.open(name), name, day)
    before = _count(lake.open(name), day)
    moved = sum(in_rounds(lambda part=part: _rewrite(lake, part), PATIENCE) for part in parts)  # type: ignore[misc]
    if not moved:
        return None
    done = Compacted(name, day, before, _count(lake.open(name), day), moved)
    logger.info("%s %s: %d files became %d", name, day, done.files_before, done.files_after)
    return done


def files_of(table: DeltaTable) -> pl.DataFrame:
    """Return a row per file of this opening: day, rows, and for raw tenant, hour, generation and bytes."""
    held = pl.DataFrame(table.get_add_actions(flatten=True))
    columns = {
        "partition.export_date": pl.Date(),
        "num_records": pl.Int64(),
        "partition.tenant_id": pl.String(),
        "partition.hour": pl.Int32(),
        "min.blob": pl.String(),
        "max.blob": pl.String(),
        "min.blob_created_at": pl.Datetime("us", "UTC"),
        "max.blob_created_at": pl.Datetime("us", "UTC"),
        "min.byte_start": pl.Int64(),
        "max.byte_end": pl.Int64(),
    }
    return held.select(
        (pl.col(name).cast(dtype) if name in held.columns else pl.lit(None, dtype)).alias(
            name.removeprefix("partition.")
        )
        for name, dtype in columns.items()
    )


def _count(table: DeltaTable, day: date) -> int:
    return files_of(table).filter(pl.col("export_date") == day).height


def _parts(table: DeltaTable, name: str, day: date) -> list[Part]:
    """Return what is to be rewritten of a day: of a typed table all, of quarantine by table, of raw whole hours."""
    everything = pl.lit(value=True)
    for source in TABLES:
        if name == source.name:
            order = (source.key, "Timestamp", "record_id")
            return [Part(name, name, day, (("", everything),), order, pl.lit(1, pl.Int64), ROWS_AT_ONCE)]
        if name == source.raw:
            hours = tuple(
                (
                    f"tenant_id = '{tenant}' AND hour = {hour}",
                    (pl.col("tenant_id") == tenant) & (pl.col("hour") == hour),
                )
                for tenant, hour in _hours_of_many_files(table, day)
            )
            size = pl.col("byte_end") - pl.col("byte_start")
            return [Part(name, name, day, hours, ("byte_start",), size, BYTES_AT_ONCE)] if hours else []
    if name == QUARANTINE:
        return [
            Part(
                name,
                source.name,
                day,
                ((f"table_name = '{source.name}'", pl.col("table_name") == source.name),),
                ("blob", "byte_offset", "blob_created_at"),
                pl.lit(1, pl.Int64),
                LINES_AT_ONCE,
            )
            for source in TABLES
        ]
    # leads and stories are replaced as a whole by each run
    return []


def _hours_of_many_files(raw: DeltaTable, day: date) -> list[tuple[str, int]]:
    """Return tenant and hour of the partitions with several files of one generation of one blob.

    A file of several generations could no longer answer the cursor from the log, so an hour whose blob was recreated
    stays as it is. So does one with holes: the byte balance takes a file's bounds for its bytes, and must see them.
    """
    files = files_of(raw).filter(pl.col("export_date") == day).sort("tenant_id", "hour", "min.byte_start")
    generation = ("blob", "blob_created_at")
    one_generation = pl.all_horizontal(
        (pl.col(f"min.{name}") == pl.col(f"max.{name}").first()).all()
        & (pl.col(f"max.{name}") == pl.col(f"max.{name}").first()).all()
        for name in generation
    )
    contiguous = (pl.col("min.byte_start").slice(1) == pl.col("max.byte_end").head(pl.len() - 1)).all()
    hours = files.group_by("tenant_id", "hour").agg(
        files=pl.len(), known=pl.col("max.byte_end").is_not_null().all(), mergeable=one_generation & contiguous
    )
    mergeable = hours.filter("known", "mergeable", pl.col("files") > 1)
    return mergeable.select("tenant_id", "hour").sort("tenant_id", "hour").rows()


def _rewrite(lake: Lake, part: Part) -> int:
    """Replace the rows of a part by themselves, in order, in one commit; return how many they are."""
    target = lake.fenced(part.table, part.day, fence_of(part.fence, part.day))
    schema = schema_of(target.table)
    held = scan(target.table).select(schema.names()).filter(pl.col("export_date") == part.day)
    expected = held.filter(part.rows).select(pl.len()).collect().item()
    if expected <= 1:
        return 0
    frames = (
        frame
        for _, chosen in part.shelves
        for frame in in_order(held.filter(chosen), part.order, part.weight, part.limit)
    )
    checked = _all_of(frames, expected, part)
    lake.commit(target, Commit(checked, target.version, replaces=part.predicate, schema=schema))
    return int(expected)


def in_order(rows: pl.LazyFrame, order: tuple[str, ...], weight: pl.Expr, limit: int) -> Iterator[pl.DataFrame]:
    """Yield all rows sorted, cut at values of the first key so that a frame holds about `limit` of weight."""
    first = order[0]
    keys = rows.select(first, weight=weight).sort(first, nulls_last=False).collect()
    share = keys["weight"].cum_sum() // limit
    cuts = keys[first].filter(share != share.shift(1)).drop_nulls().unique().sort().to_list()
    for low, high in zip([None, *cuts], [*cuts, None], strict=True):
        within = pl.lit(value=True) if high is None else pl.col(first) < high
        within = within | pl.col(first).is_null() if low is None else within & (pl.col(first) >= low)
        yield rows.filter(within).collect().sort(order)


def _all_of(frames: Iterator[pl.DataFrame], expected: int, part: Part) -> Iterator[pl.DataFrame]:
    """Yield the frames, but raise at their end, before the commit, when they are not all rows."""
    moved = 0
    for frame in frames:
        moved += frame.height
        yield frame
    if moved != expected:
        raise LakeError(
            f"{part.table} {part.day}: compaction read {moved} of {expected} rows; nothing was changed, report it"
        )
