"""What keeps a lake quick and small: days that leave, compaction, dead files, the log.

How a day is compacted stands in `compaction`. All of it is safe while runs and the sensor are at work: a compaction
goes through the day's fence, days that leave are neither read nor written any more, and files are deleted only when
they have been dead for longer than any run may take.
"""

import logging
from dataclasses import dataclass

from deltalake import DeltaTable

from defender_assets.core.lake.compaction import Compacted, compact
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.table_spec import PROPERTIES
from defender_assets.core.retries import retry_on_conflict

logger = logging.getLogger(__name__)

# far above the longest run (dagster.yaml: an hour): a reader or writer may still hold an opening that names the files
DEAD_FOR_HOURS = 7 * 24


@dataclass(frozen=True)
class Maintained:
    """What was done to a table: days compacted, files deleted."""

    table: str
    compacted: list[Compacted]
    files_deleted: int

    def describe(self) -> str:
        """Return one line for the log."""
        days = ", ".join(f"{day.day} ({day.files_before} files to {day.files_after})" for day in self.compacted)
        return f"{self.table}: compacted {days or 'nothing'}; {self.files_deleted} dead files deleted"


def apply_retention(lake: Lake) -> dict[str, int]:
    """Delete the days that the lake no longer keeps from all tables; return how many rows left each.

    In the order of the data's way, and not further than the first table that fails. So a day that has left in part has
    lost its raw rows first: were it ever wanted again, its bytes would be read again and what is left beside them be
    known. The other way round the fences would say that it had been parsed. They stay in the log, so that no version
    falls.

    Raises:
        LakeError: when the lake cannot be reached or written.
    """
    if lake.keep_days is None:
        return {}
    return {spec.name: retry_on_conflict(_leave, lake, spec.name) for spec in lake.tables}


def _leave(lake: Lake, name: str) -> int:
    first = lake.first_day()
    with lake.translate_errors(f"let old days leave {name}"):
        done = lake.open(name).delete(f"export_date < '{first.isoformat()}'")
    rows = int(done.get("num_deleted_rows") or 0)
    if rows:
        logger.info("%s: %d rows of days before %s left", name, rows, first)
    return rows


def maintain(lake: Lake, name: str) -> Maintained:
    """Compact the full days of a table, delete files that have been dead for a week, shorten the log.

    Dead files are whatever the log does not name and is older than a week: what compactions replaced, what days that
    left leave behind, and what killed writers wrote and never committed.

    Raises:
        LakeError: when the lake cannot be reached or written.
    """
    compacted = compact(lake, name)
    with lake.translate_errors(f"clean up {name}"):
        retry_on_conflict(lambda: _set_properties(lake.open(name)))
        # `full`: a checkpoint forgets a file that died over a week ago, and never knew of one that was not committed
        deleted = retry_on_conflict(lambda: lake.open(name).vacuum(DEAD_FOR_HOURS, dry_run=False, full=True))
        table = lake.open(name)
        table.create_checkpoint()
        table.cleanup_metadata()
    return Maintained(name, compacted, len(deleted))


def _set_properties(table: DeltaTable) -> None:
    """Give a table that an older version made the properties that this one gives a new table."""
    held = table.metadata().configuration
    wrong = {name: value for name, value in PROPERTIES.items() if held.get(name) != value}
    if wrong:
        table.alter.set_table_properties(wrong, raise_if_not_exists=False)
