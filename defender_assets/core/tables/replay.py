"""Replays quarantined lines after a fix of the parser: finds those that parse now and rebuilds their days."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import polars as pl

from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import in_batches
from defender_assets.core.raw.batches import Source
from defender_assets.core.schemas import QUARANTINE, TABLES, Table
from defender_assets.core.tables.build import build_table_day
from defender_assets.core.tables.parsing.typed_rows import parse_chunk

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replayed:
    """A day of a table: its quarantined lines, how many of them parse now, and whether the day was rebuilt."""

    table: str
    day: date
    lines: int
    readable: int
    rebuilt: bool


def replay(lake: Lake, days: Collection[date] | None = None, *, dry_run: bool = False) -> list[Replayed]:
    """Parse the quarantined lines of the days, by default of all, and rebuild each day of a table where one parses now.

    A rebuild reads raw, so each line ends up once, in the table or in quarantine. It makes the leads of later days
    stale, which the sensor sees.
    """
    lines = lake.read(QUARANTINE)
    if days is not None:
        lines = lines.filter(pl.col("export_date").is_in(list(days)))
    counts = lines.group_by("table_name", "export_date").len().sort("export_date", "table_name").collect()
    done = []
    for name, day, count in counts.iter_rows():
        table = next(table for table in TABLES if table.name == name)
        readable = _readable(lake, table, day)
        if readable and not dry_run:
            build_table_day(lake, table, day, rebuild=True)
            logger.info("%s %s: %d of %d quarantined lines parse now", name, day, readable, count)
        done.append(Replayed(name, day, count, readable, bool(readable) and not dry_run))
    return done


def _readable(lake: Lake, table: Table, day: date) -> int:
    lines = lake.read(QUARANTINE).filter(
        pl.col("export_date") == day,
        pl.col("table_name") == table.name,
        # quarantine has only the first bytes of these
        pl.col("reason") != "line_too_long",
    )
    columns = ("tenant_id", "blob", "blob_created_at", "byte_offset", "batch", "content")
    readable = 0
    for frame in in_batches(lines.select(columns), 1000):
        for tenant_id, blob, created_at, offset, batch, content in frame.iter_rows():
            source = Source(tenant_id, day, blob, created_at, offset, batch)
            readable += parse_chunk(table, source, content + b"\n").tally.good
    return readable
