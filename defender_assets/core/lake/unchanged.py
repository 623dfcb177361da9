"""Snapshots that are read again without opening the table, as long as nobody has written to it.

A command, a run and a sensor read the same tables many times, and few have changed since. Opening a table reads its
whole log; here two files tell whether it has changed: its newest commit is still the same file, and the next commit
does not exist.
"""

from typing import NamedTuple

from defender_assets.core.lake.files import FileIdentity, TableFiles
from defender_assets.core.lake.log_files import commit_path
from defender_assets.core.lake.snapshots import Snapshot
from defender_assets.core.lake.table_spec import TableSpec

MOST_TABLES = 64


class _Known(NamedTuple):
    """A snapshot, its newest commit as a file, and whether missing columns were added first."""

    spec: TableSpec
    table: Snapshot
    newest: FileIdentity | None
    complete: bool


_known: dict[str, _Known] = {}


def unchanged(files: TableFiles, spec: TableSpec, *, complete: bool) -> Snapshot | None:
    """Return the snapshot that was kept of a table; None if there is none, or somebody has written to the table.

    With `complete`, one whose missing columns were not added does not count.
    """
    known = _known.get(files.uri)
    if known is None or known.newest is None or known.spec != spec or (complete and not known.complete):
        return None
    return known.table if is_newest(files, known.table, known.newest) else None


def is_newest(files: TableFiles, table: Snapshot, newest: FileIdentity) -> bool:
    """Return whether the newest commit of a snapshot is still this file, and nobody has written to the table since."""
    version = table.version()
    return files.identity(commit_path(version)) == newest and files.identity(commit_path(version + 1)) is None


def keep(files: TableFiles, spec: TableSpec, table: Snapshot, *, complete: bool) -> None:
    """Keep a snapshot that was just opened, or that a commit left; `complete`: whether missing columns were added."""
    if files.uri not in _known and len(_known) >= MOST_TABLES:
        _known.clear()
    _known[files.uri] = _Known(spec, table, files.identity(commit_path(table.version())), complete)
