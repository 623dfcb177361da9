"""What keeps a lake quick and small: compaction, days that leave, dead files, the log. One table at a time.

How a day is compacted stands in `compaction`. All of it is safe while runs and the sensor are at work: a compaction
goes through the day's fence, days that leave are neither read nor written any more, and files are deleted only when
they have been dead for longer than any run may take.
"""

from dataclasses import dataclass

from defender_assets.core.compaction import Compacted, compact
from defender_assets.core.lake import Lake, in_rounds

# far above the longest run (2 hours): a reader or writer may still hold an opening that names the files
DEAD_FOR_HOURS = 7 * 24


@dataclass(frozen=True)
class Maintained:
    """What was done to a table: days compacted, rows of days that left, files deleted."""

    table: str
    compacted: list[Compacted]
    expired_rows: int
    files_deleted: int

    def describe(self) -> str:
        """Return one line for the log."""
        days = ", ".join(f"{day.day} ({day.files_before} files to {day.files_after})" for day in self.compacted)
        return (
            f"{self.table}: compacted {days or 'nothing'}; {self.expired_rows} rows of old days left; "
            f"{self.files_deleted} dead files deleted"
        )


def maintain(lake: Lake, name: str, *, dead_for_hours: int = DEAD_FOR_HOURS) -> Maintained:
    """Compact the full days of a table, let old days leave, delete dead files, then write a checkpoint.

    Dead files go before the log is shortened: afterwards nothing would name them any more.

    Raises:
        LakeError: when the lake cannot be reached or written.
    """
    compacted = compact(lake, name)
    expired = in_rounds(lambda: _expire(lake, name))
    with lake.explained(f"clean up {name}"):
        deleted = in_rounds(lambda: lake.open(name).vacuum(dead_for_hours, dry_run=False))
        table = lake.open(name)
        table.create_checkpoint()
        table.cleanup_metadata()
    return Maintained(name, compacted, expired, len(deleted))


def _expire(lake: Lake, name: str) -> int:
    """Delete the days that the lake no longer keeps; return how many rows they had.

    Their fences stay in the log, so that no version falls; a day that has left is not read again (`Lake.keeps`).
    """
    if lake.keep_days is None:
        return 0
    with lake.explained(f"let old days leave {name}"):
        done = lake.open(name).delete(f"export_date < '{lake.first_day().isoformat()}'")
    return int(done.get("num_deleted_rows") or 0)
