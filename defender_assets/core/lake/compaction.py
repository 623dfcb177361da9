"""Compaction: rewrites a day's many small files into a few, sorted for the reads of leads, behind the day's fence.

The commit replaces rows with the same rows and keeps the fence's version; a concurrent writer makes it start again.
OPTIMIZE is not used: in delta-rs two concurrent ones both commit, which duplicates every row, and they accept no
application transaction that would prevent it (measured: docs/decisions.md).
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from polars.exceptions import PolarsError

from defender_assets.core.errors import LakeConflictError, LakeError
from defender_assets.core.lake.damage import DamagedFilesError, naming_damage
from defender_assets.core.lake.data_files import data_files, files_of_day, fragmented_days, mergeable_hours
from defender_assets.core.lake.fences import fence_of
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.snapshots import scan_days, scan_stored, schema_of
from defender_assets.core.lake.table_spec import Compaction, TableSpec
from defender_assets.core.retries import retry_on_conflict

logger = logging.getLogger(__name__)

# Without maintenance: a run has to read the day's ids from all files, about 0.2 ms each.
TOO_MANY_FILES = 300
# Each commit makes concurrent appends to the table retry, and they have 20 attempts (`retries.retry_on_conflict`).
DAYS_PER_CALL = 8
ATTEMPTS = 5


@dataclass(frozen=True)
class Part:
    """The rows of a day that one commit rewrites: those that match any filter, in SQL and the same in Polars.

    `day` is None in a table without days.
    """

    table: str
    fence: str
    day: date | None
    rule: Compaction
    filters: tuple[tuple[str, pl.Expr], ...] = (("", pl.lit(value=True)),)


@dataclass(frozen=True)
class CompactedDay:
    """A day of a table that was rewritten: its files before and after, and its rewritten rows.

    `day` is None in a table without days.
    """

    table: str
    day: date | None
    files_before: int
    files_after: int
    rows: int


def compact(lake: Lake, name: str) -> list[CompactedDay]:
    """Compact up to eight days of a table that have more small files than its spec allows.

    A day that other writers keep changing is left for the next call.
    """
    rule = lake.spec(name).compaction
    if rule is None:
        return []
    done = []
    for day, _ in fragmented_days(lake.snapshot(name, create=True), rule.more_than)[:DAYS_PER_CALL]:
        try:
            compacted = compact_day(lake, name, day)
        except LakeConflictError:
            logger.info("%s %s: other writers committed first, the next maintenance tries again", name, day)
            continue
        except DamagedFilesError as error:
            # maintenance names all damaged files, and goes on
            logger.warning("%s %s is not compacted: %s", name, day, error)
            continue
        if compacted is not None:
            done.append(compacted)
    return done


def compact_if_fragmented(lake: Lake, table: DeltaTable, name: str, day: date) -> None:
    """Compact a day if this snapshot has more than 300 small files to merge, as happens without maintenance.

    The calling run has already committed its work, so a failure here is only logged.
    """
    if day not in dict(fragmented_days(table, TOO_MANY_FILES)):
        return
    try:
        compact_day(lake, name, day)
    except (LakeError, DeltaError, PolarsError, OSError) as error:
        logger.warning("%s %s could not be compacted, a later run tries again: %s", name, day, type(error).__name__)


def compact_day(lake: Lake, name: str, day: date | None) -> CompactedDay | None:
    """Compact a day of a table, regardless of its number of files; None if there is nothing to rewrite.

    `day` is None in a table without days, which is rewritten as a whole.

    Raises:
        LakeConflictError: when other writers committed first at every attempt.
        DamagedFilesError: when a file of the day is damaged; nothing is written then.
        LakeError: when the number of rows read is not the expected one; nothing is written then.
    """
    table = lake.snapshot(name, create=True)
    before = files_of_day(table, day).height
    with naming_damage(lake, {name: (day or date.min, day or date.max)}):
        parts = _parts(table, lake.spec(name), day)
        rows = sum(retry_on_conflict(_rewrite, lake, part, attempts=ATTEMPTS) for part in parts)
    if not rows:
        return None
    done = CompactedDay(name, day, before, files_of_day(lake.snapshot(name, create=True), day).height, rows)
    logger.info("%s %s: %d files became %d", name, day, done.files_before, done.files_after)
    return done


def _parts(table: DeltaTable, spec: TableSpec, day: date | None) -> list[Part]:
    """Return one part per commit: the mergeable hours of raw, the rows of each fence, or all rows."""
    rule, column = spec.compaction, spec.fence_column
    if rule is None:
        return []
    if rule.whole_hours:
        hours = mergeable_hours(data_files(table)).filter(pl.col("export_date") == day).drop("export_date")
        filters = tuple(
            (f"tenant_id = '{tenant}' AND hour = {hour}", (pl.col("tenant_id") == tenant) & (pl.col("hour") == hour))
            for tenant, hour in hours.iter_rows()
        )
        return [Part(spec.name, spec.name, day, rule, filters)] if filters else []
    if column is None or day is None:
        return [Part(spec.name, spec.name, day, rule)]
    fences = scan_days(table, day, day).select(pl.col(column).unique().sort()).collect().to_series()
    return [
        Part(spec.name, fence, day, rule, ((f"{column} = '{fence}'", pl.col(column) == fence),)) for fence in fences
    ]


def _rewrite(lake: Lake, part: Part) -> int:
    """Replace the rows of a part with the same rows, sorted, in one commit; return their number."""
    target = lake.fenced(part.table, part.day, fence_of(part.fence, part.day))
    schema, rule = schema_of(target.table), part.rule
    rows = scan_stored(target.table).select(schema.names())
    if part.day is not None:
        rows = rows.filter(pl.col("export_date") == part.day)
    any_filter = pl.any_horizontal(expression for _, expression in part.filters)
    expected = rows.filter(any_filter).select(pl.len()).collect().item()
    if expected <= 1:
        return 0
    weight = pl.col("byte_end") - pl.col("byte_start") if rule.whole_hours else pl.lit(1, pl.Int64)
    sorted_frames = (in_order(rows.filter(each), rule.order, weight, rule.at_once) for _, each in part.filters)
    frames = _all_of(chain.from_iterable(sorted_frames), expected, part)
    predicate = " OR ".join(f"({sql})" for sql, _ in part.filters if sql)
    lake.commit(target, Commit(frames, target.version, replaces=predicate, schema=schema))
    return int(expected)


def in_order(rows: pl.LazyFrame, order: tuple[str, ...], weight: pl.Expr, limit: int) -> Iterator[pl.DataFrame]:
    """Yield all rows sorted, split between values of the first key so that a frame has a total weight near `limit`."""
    first = order[0]
    keys = rows.select(first, weight=weight).sort(first, nulls_last=False).collect()
    share = keys["weight"].cum_sum() // limit
    cuts = keys[first].filter(share != share.shift(1)).drop_nulls().unique().sort().to_list()
    for low, high in zip([None, *cuts], [*cuts, None], strict=True):
        within = pl.lit(value=True) if high is None else pl.col(first) < high
        within = within | pl.col(first).is_null() if low is None else within & (pl.col(first) >= low)
        yield rows.filter(within).collect().sort(order)


def _all_of(frames: Iterator[pl.DataFrame], expected: int, part: Part) -> Iterator[pl.DataFrame]:
    """Yield the frames; at the end, before the commit, raise unless they contain all rows."""
    height = 0
    for frame in frames:
        height += frame.height
        yield frame
    if height != expected:
        raise LakeError(
            f"{part.table} {part.day}: compaction read {height} of {expected} rows; nothing was changed, report it"
        )
