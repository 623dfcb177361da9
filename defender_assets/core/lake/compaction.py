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
from deltalake.exceptions import DeltaError
from polars.exceptions import PolarsError

from defender_assets.core.errors import LakeConflictError, LakeError
from defender_assets.core.lake.data_files import data_files, files_of_day, fragmented_days, mergeable_hours
from defender_assets.core.lake.fences import fence_of
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.snapshots import scan, scan_days
from defender_assets.core.lake.table_spec import TableSpec, schema_of
from defender_assets.core.retries import retry_on_conflict

logger = logging.getLogger(__name__)

# when no maintenance comes: a run has to read the day's ids from all files, some 0.2 ms each
TOO_MANY_FILES = 300
# Each commit makes appends to the table start again, and they have 20 attempts (`retries.retry_on_conflict`).
DAYS_AT_ONCE = 8
PATIENCE = 5


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
    """Rewrite the days of a table that hold more small files than its spec allows, a few days a call.

    A day that other writers keep changing is left for the next call.
    """
    rule = lake.spec(name).compaction
    if rule is None:
        return []
    done = []
    for day, _ in fragmented_days(lake.open(name), rule.more_than)[:DAYS_AT_ONCE]:
        try:
            compacted = compact_day(lake, name, day)
        except LakeConflictError:
            logger.info("%s %s: other writers were faster, the next maintenance tries again", name, day)
            continue
        if compacted is not None:
            done.append(compacted)
    return done


def compact_if_fragmented(lake: Lake, table: DeltaTable, name: str, day: date) -> None:
    """Compact a day in whose opening a run finds more than 300 small files to merge, for want of maintenance.

    The run's own work is committed by then, so nothing that goes wrong here ends it.
    """
    if day not in dict(fragmented_days(table, TOO_MANY_FILES)):
        return
    try:
        compact_day(lake, name, day)
    except (LakeError, DeltaError, PolarsError, OSError) as error:
        logger.warning("%s %s could not be compacted, a later run tries again: %s", name, day, type(error).__name__)


def compact_day(lake: Lake, name: str, day: date) -> Compacted | None:
    """Rewrite a day of a table, however many files it has; None where that would make no fewer files.

    Raises:
        LakeConflictError: when other writers won each time.
        LakeError: when the rows read are not the rows that the log counts; nothing is written then.
    """
    table = lake.open(name)
    before = files_of_day(table, day).height
    parts = _parts(table, lake.spec(name), day)
    moved = sum(retry_on_conflict(_rewrite, lake, part, attempts=PATIENCE) for part in parts)
    if not moved:
        return None
    done = Compacted(name, day, before, files_of_day(lake.open(name), day).height, moved)
    logger.info("%s %s: %d files became %d", name, day, done.files_before, done.files_after)
    return done


def _parts(table: DeltaTable, spec: TableSpec, day: date) -> list[Part]:
    """Return what each commit rewrites of a day: all rows, the rows of each fence, or whole hours (raw)."""
    rule = spec.compaction
    if rule is None:
        return []
    rows = pl.lit(1, pl.Int64)
    if rule.whole_hours:
        size = pl.col("byte_end") - pl.col("byte_start")
        hours = tuple(
            (f"tenant_id = '{tenant}' AND hour = {hour}", (pl.col("tenant_id") == tenant) & (pl.col("hour") == hour))
            for of, tenant, hour in mergeable_hours(data_files(table)).iter_rows()
            if of == day
        )
        return [Part(spec.name, spec.name, day, hours, rule.order, size, rule.at_once)] if hours else []
    if spec.fence_column is not None:
        fences = scan_days(table, day, day).select(pl.col(spec.fence_column).unique().sort()).collect().to_series()
        return [
            Part(
                spec.name,
                fence,
                day,
                ((f"{spec.fence_column} = '{fence}'", pl.col(spec.fence_column) == fence),),
                rule.order,
                rows,
                rule.at_once,
            )
            for fence in fences
        ]
    return [Part(spec.name, spec.name, day, (("", pl.lit(value=True)),), rule.order, rows, rule.at_once)]


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
