"""Maintenance of the lake: retention, compaction of fragmented days, and deletion of dead files and old log entries.

It is safe beside runs and the sensor: compactions use the day's fence, days past retention are neither read nor
written, and files are deleted only when they have been dead for longer than any run may take.
"""

import logging
from dataclasses import dataclass
from datetime import date

from deltalake import CommitProperties, DeltaTable, Transaction

from defender_assets.core.lake.compaction import CompactedDay, compact
from defender_assets.core.lake.data_files import held_partitions
from defender_assets.core.lake.fences import fence_of
from defender_assets.core.lake.lake import Lake
from defender_assets.core.retries import retry_on_conflict

logger = logging.getLogger(__name__)

# far above the longest run (dagster.yaml: an hour), whose snapshot may still refer to the files
DEAD_FOR_HOURS = 7 * 24


@dataclass(frozen=True)
class MaintenanceReport:
    """The compacted days of a table and its number of deleted files."""

    table: str
    compacted: list[CompactedDay]
    files_deleted: int

    def describe(self) -> str:
        days = ", ".join(f"{day.day} ({day.files_before} files to {day.files_after})" for day in self.compacted)
        return f"{self.table}: compacted {days or 'nothing'}; {self.files_deleted} dead files deleted"


def apply_retention(lake: Lake) -> dict[str, int]:
    """Delete the days past retention from all tables; return the number of deleted rows per table.

    Tables are processed in the order of the data flow, up to the first one that fails, so a partly deleted day loses
    its raw rows first. If a longer retention brings the day back, its bytes are read again, and rows that remained
    downstream are recognized. In the reverse order the fences would mark the day as parsed. Fences stay in the log, so
    that no version decreases.

    Raises:
        LakeError: when the lake cannot be reached or written.
    """
    if lake.keep_days is None:
        return {}
    return {spec.name: retry_on_conflict(_delete_old_days, lake, spec.name) for spec in lake.tables}


def _delete_old_days(lake: Lake, name: str) -> int:
    first = lake.first_day()
    table = lake.open(name)
    with lake.translate_errors(f"delete old days from {name}"):
        done = table.delete(
            f"export_date < '{first.isoformat()}'", commit_properties=_no_rows(lake, table, name, first)
        )
    rows = int(done.get("num_deleted_rows") or 0)
    if rows:
        logger.info("%s: deleted %d rows of days before %s", name, rows, first)
    return rows


def _no_rows(lake: Lake, table: DeltaTable, name: str, first: date) -> CommitProperties:
    """Return the record that each derived partition before `first` has no rows: it did not lose them."""
    versions = lake.versions(table)
    fences = [fence for fence in held_partitions(table, lake.spec(name)) if fence[1] < first]
    return CommitProperties(
        app_transactions=[
            Transaction(f"{fence_of(*fence)}/rows", 0) for fence in fences if versions.rows(*fence) is not None
        ]
    )


def maintain(lake: Lake, name: str) -> MaintenanceReport:
    """Compact the fragmented days of a table, delete files that have been dead for a week, and shorten the log.

    Dead files are not in the log and older than a week: replaced by compactions, left behind by deleted days, or
    written by killed writers and never committed.

    Raises:
        LakeError: when the lake cannot be reached or written.
    """
    compacted = compact(lake, name)
    with lake.translate_errors(f"clean up {name}"):
        retry_on_conflict(lambda: _set_properties(lake.open(name), lake.spec(name).properties))
        # `full`: checkpoints drop files that died over a week ago, and never listed uncommitted ones
        deleted = retry_on_conflict(lambda: lake.open(name).vacuum(DEAD_FOR_HOURS, dry_run=False, full=True))
        table = lake.open(name)
        table.create_checkpoint()
        table.cleanup_metadata()
    return MaintenanceReport(name, compacted, len(deleted))


def _set_properties(table: DeltaTable, properties: dict[str, str]) -> None:
    """Update the properties of a table that an older version created."""
    current = table.metadata().configuration
    changed = {name: value for name, value in properties.items() if current.get(name) != value}
    if changed:
        table.alter.set_table_properties(changed, raise_if_not_exists=False)
