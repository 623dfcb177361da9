"""The numbers of raw's batches: each is above all that quarantine and the typed table have parsed.

They have parsed more than raw holds if raw was restored or emptied. With the next number of raw alone they would take
new bytes for parsed ones.
"""

from datetime import date

from defender_assets.core.lake.fences import version_of
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.schemas import QUARANTINE, Table


def parsed_batch(lake: Lake, table: Table, day: date) -> int:
    """Return the highest batch that quarantine or the typed table has parsed; 0 if there is none."""
    existing = [name for name in (QUARANTINE, table.name) if lake.exists(name)]
    return max((version_of(lake.snapshot(name), table.name, day) for name in existing), default=0)


def next_batch(lake: Lake, table: Table, day: date) -> int:
    """Return the number of raw's next batch."""
    newest = version_of(lake.snapshot(table.raw, create=True), table.raw, day)
    return max(newest, parsed_batch(lake, table, day)) + 1


def add_empty_batch(lake: Lake, table: Table, day: date, number: int) -> None:
    """Commit a batch without bytes with this number, unless raw has reached it."""
    target = lake.fenced(table.raw, day)
    if target.version < number:
        lake.commit(target, Commit([], number))
