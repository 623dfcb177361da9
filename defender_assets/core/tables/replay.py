"""Quarantined lines tried again after a fix: which of them parse now, and the rebuild that moves them, once.

How a line is read stands in `records`, how a table is rebuilt in `typed`.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import polars as pl

from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.batches import Source
from defender_assets.core.schemas import QUARANTINE, TABLES, Table
from defender_assets.core.tables.build import build_table_day
from defender_assets.core.tables.parsing.typed_rows import parse_chunk

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replayed:
    """A table's day with quarantined lines: how many there were, how many parse now, and whether it was rebuilt."""

    table: str
    day: date
    lines: int
    readable: int
    rebuilt: bool


def replay(lake: Lake, days: Collection[date] | None = None, *, dry_run: bool = False) -> list[Replayed]:
    """Try the quarantined lines of the days, by default of all, and rebuild each table's day in which one parses now.

    A rebuild reads the whole line from raw, so lines and records are in the table or in quarantine once, and the
    later days' leads become stale, which the sensor sees.
    """
    lines = lake.read(QUARANTINE)
    if days is not None:
        lines = lines.filter(pl.col("export_date").is_in(list(days)))
    held = lines.group_by("table_name", "export_date").len().sort("export_date", "table_name").collect()
    done = []
    for name, day, count in held.iter_rows():
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
        # of these only the first bytes are held
        pl.col("reason") != "line_too_long",
    )
    wanted = ("tenant_id", "blob", "blob_created_at", "byte_offset", "batch", "content")
    readable = 0
    for frame in lines.select(wanted).collect_batches(chunk_size=1000, maintain_order=False):
        for tenant_id, blob, created_at, offset, batch, content in frame.iter_rows():
            source = Source(tenant_id, day, blob, created_at, offset, batch)
            readable += parse_chunk(table, source, content + b"\n").tally.good
    return readable
