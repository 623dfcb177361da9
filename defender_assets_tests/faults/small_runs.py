"""A day's run, normal or as a full refresh, with limits so small that a few kilobytes reach all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from defender_assets.catalog import DERIVED
from defender_assets.core import retries
from defender_assets.core.export import Export, UnreadablePart
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.raw import ingest, range_reader
from defender_assets.core.schemas import TABLES
from defender_assets.core.tables.build import build_table_day
from defender_assets.core.tables.parsing import records
from defender_assets_tests.faults.streams import LONGEST_LINE

SLICE = 512


@dataclass(frozen=True)
class Sizes:
    """The largest raw commit and the largest portion of batches, in bytes."""

    commit: int = 3_000
    portion: int = 2_000


WHOLE_DAY = "day"
DERIVATIONS = "leads and stories"
PARTS = (*(table.name for table in TABLES), DERIVATIONS, WHOLE_DAY)


def run_part(
    part: str,
    lake: Lake,
    export: Export,
    day: date,
    sizes: Sizes = Sizes(),
    *,
    refresh: bool = False,
) -> list[UnreadablePart]:
    """A part of a day's run, or all of it, in the order of the data flow; `refresh` works as `full_refresh`.

    Returns what could not be read of the export.
    """
    unreadable: list[UnreadablePart] = []
    for table in TABLES:
        if part not in {table.name, WHOLE_DAY}:
            continue
        if refresh:
            ingest.refresh(lake, export, table, day)
        unreadable += ingest.ingest(lake, export, table, day, commit_bytes=sizes.commit).unreadable
        report = build_table_day(lake, table, day, rebuild=refresh, portion_bytes=sizes.portion)
        assert report.balanced, f"{table.name} {day}: {report}"
    for derived in DERIVED if part in {DERIVATIONS, WHOLE_DAY} else ():
        build_partition(lake, derived, day, force=refresh)
    return unreadable


def run_day(lake: Lake, export: Export, day: date, sizes: Sizes = Sizes(), *, refresh: bool = False) -> None:
    """All assets of a day."""
    run_part(WHOLE_DAY, lake, export, day, sizes, refresh=refresh)


@contextmanager
def small_sizes() -> Iterator[None]:
    """Sequential slices of 512 bytes, lines of at most 2,000 bytes, and no pauses between retries."""
    functions: tuple[Any, ...] = (range_reader.RangeReader.chunks, range_reader.RangeReader.up_to)
    defaults: list[tuple[object, ...] | None] = [function.__defaults__ for function in functions]
    numbers: list[tuple[Any, str, Any]] = [
        (range_reader, "LONGEST_LINE", LONGEST_LINE),
        (records, "LONGEST_LINE", LONGEST_LINE),
    ]
    numbers += [
        (ingest, "RESUMED_ABOVE", 64),
        (range_reader, "IN_FLIGHT", 1),
        (retries, "LONGEST_CONFLICT_PAUSE", timedelta(0)),
    ]
    before = [getattr(module, name) for module, name, _ in numbers]
    try:
        for function in functions:
            function.__defaults__ = (SLICE,)
        for module, name, value in numbers:
            setattr(module, name, value)
        yield
    finally:
        for function, kept in zip(functions, defaults, strict=True):
            function.__defaults__ = kept
        for (module, name, _), kept in zip(numbers, before, strict=True):
            setattr(module, name, kept)
