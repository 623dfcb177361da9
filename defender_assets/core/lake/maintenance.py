"""Maintenance of the lake: retention, compaction, deletion of dead files and old log entries, and a look for damage.

It is safe beside runs and the sensor: compactions use the day's fence, days past retention are neither read nor
written, and files are deleted only when they have been dead for longer than any run may take.
"""

import logging
from dataclasses import dataclass
from datetime import date

from deltalake import CommitProperties, DeltaTable, Transaction

from defender_assets.core.errors import LakeError
from defender_assets.core.lake.clock import Clock, read_clock
from defender_assets.core.lake.compaction import CompactedDay, compact
from defender_assets.core.lake.damage import NAMED, SAMPLE_FILES, damaged_files, describe_damage
from defender_assets.core.lake.data_files import data_files, held_partitions
from defender_assets.core.lake.fences import fence_of
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.log_files import HINT, LogFiles, checkpoint_path, sync_commits
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.retries import retry_on_conflict
from defender_assets.core.text import first_few

logger = logging.getLogger(__name__)

# far above the longest run (dagster.yaml: an hour), whose snapshot may still refer to the files
DEAD_FOR_HOURS = 7 * 24


class ClockError(LakeError):
    """The clock may be wrong, so no day past retention was deleted. The text says what to do."""


@dataclass(frozen=True)
class MaintenanceReport:
    """The compacted days of a table, its deleted files, those that a doubtful clock spared, and what is damaged."""

    table: str
    compacted: list[CompactedDay]
    files_deleted: int
    files_spared: int = 0
    damage: str | None = None

    def describe(self) -> str:
        days = ", ".join(
            f"{day.day or 'all rows'} ({day.files_before} files to {day.files_after})" for day in self.compacted
        )
        spared = f", {self.files_spared} kept until the clock is right" if self.files_spared else ""
        return f"{self.table}: compacted {days or 'nothing'}; {self.files_deleted} dead files deleted{spared}"


def apply_retention(lake: Lake, clock: Clock | None = None) -> dict[str, int]:
    """Delete the days past retention from all tables; return the number of deleted rows per table.

    Tables without days are not opened.

    Tables are processed in the order of the data flow, up to the first one that fails, so a partly deleted day loses
    its raw rows first. If a longer retention brings the day back, its bytes are read again, and rows that remained
    downstream are recognized. In the reverse order the fences would mark the day as parsed. Fences stay in the log, so
    that no version decreases.

    Raises:
        ClockError: when the clock, by default `read_clock`, is doubtful and a day would leave; nothing was deleted.
        LakeError: when the lake cannot be reached or written.
    """
    if lake.keep_days is None:
        return {}
    clock = clock or read_clock(lake)
    first = lake.first_day(clock.now.date())
    if clock.doubt and _holds_days_before(lake, first):
        raise ClockError(clock.doubt)
    return {spec.name: retry_on_conflict(_delete_old_days, lake, spec.name, first) for spec in _with_days(lake)}


def _holds_days_before(lake: Lake, first: date) -> bool:
    tables = [lake.snapshot(spec.name) for spec in _with_days(lake) if lake.exists(spec.name)]
    return any((data_files(table)["export_date"] < first).any() for table in tables)


def _with_days(lake: Lake) -> list[TableSpec]:
    return [spec for spec in lake.tables if spec.has_days]


def _delete_old_days(lake: Lake, name: str, first: date) -> int:
    table = lake.open(name)
    with lake.translate_errors(f"delete old days from {name}"):
        before = table.version()
        done = table.delete(
            f"export_date < '{first.isoformat()}'", commit_properties=_no_rows(lake, table, name, first)
        )
        sync_commits(lake.files(name), before, table.version())
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


def maintain(lake: Lake, name: str, clock: Clock | None = None) -> MaintenanceReport:
    """Compact the fragmented days of a table, delete dead files, shorten the log, and look for damaged files.

    Every data file's size is compared with the log, and a few files are decoded.

    Dead files are not in the log and older than a week: replaced by compactions, left behind by deleted days, or
    written by killed writers and never committed. While the clock (by default `read_clock`) is doubtful, none is
    deleted: one of them may be the file of a writer in flight.

    Raises:
        LakeError: when the lake cannot be reached or written.
    """
    clock = clock or read_clock(lake)
    before = lake.open(name).version()
    compacted = compact(lake, name)
    with lake.translate_errors(f"clean up {name}"):
        retry_on_conflict(lambda: _set_properties(lake.open(name), lake.spec(name).properties))
        # `full`: checkpoints drop files that died over a week ago, and never listed uncommitted ones
        sure = clock.doubt is None
        dead = retry_on_conflict(lambda: lake.open(name).vacuum(DEAD_FOR_HOURS, dry_run=not sure, full=True))
        _shorten_log(lake, name)
    sync_commits(lake.files(name), before, lake.open(name).version())
    deleted, spared = (len(dead), 0) if sure else (0, len(dead))
    return MaintenanceReport(name, compacted, deleted, spared, look_for_damage(lake, name))


def look_for_damage(lake: Lake, name: str) -> str | None:
    """Return one line that names what is damaged in a table, and the remedies; None if nothing is known to be.

    The size of each data file is compared with the log, and a few files are decoded. Commits that lost their content
    are named too.

    Raises:
        DamagedLogError: when the table cannot be opened because of its log; the text has the remedy.
        LakeError: when the lake cannot be reached.
    """
    damaged = damaged_files(lake, lake.snapshot(name, again=True), name, opened=SAMPLE_FILES)
    log = LogFiles.of(lake.files(name))
    found = [describe_damage(damaged)] if damaged else []
    if empty := log.empty_commits() if log else []:
        versions = ", ".join(first_few([str(version) for version in empty], NAMED))
        found.append(
            f"commits of {name} that lost their content, as after a power failure: {versions}. If byte_balance names "
            "a day, run the job refresh_day for it"
        )
    return "; ".join(found) or None


def _shorten_log(lake: Lake, name: str) -> None:
    """Write a checkpoint if there are commits after the newest one; delete old commits before the one before it.

    The newest checkpoint may be lost: the one before it and the commits after that one open the table as well.
    """
    table, files = lake.open(name), lake.files(name)
    log = LogFiles.of(files)
    if log is None or log.newest_intact_checkpoints(1) != [table.version()]:
        table.create_checkpoint()
        files.sync(checkpoint_path(table.version()), HINT)
        log = LogFiles.of(files)
    intact = log.newest_intact_checkpoints(2) if log else []
    if len(intact) == 2:  # noqa: PLR2004 (the newest and the one before it)
        lake.at_version(name, intact[1]).cleanup_metadata()


def _set_properties(table: DeltaTable, properties: dict[str, str]) -> None:
    """Update the properties of a table that an older version created."""
    current = table.metadata().configuration
    changed = {name: value for name, value in properties.items() if current.get(name) != value}
    if changed:
        table.alter.set_table_properties(changed, raise_if_not_exists=False)
