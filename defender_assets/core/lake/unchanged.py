"""Snapshots that are read again without opening the table, as long as nobody has written to it.

A sensor looks at every table at each tick, and few have changed since. Opening a table reads its whole log; here two
files tell whether it has changed: its newest commit is still the same file, and the next commit does not exist.
"""

from typing import NamedTuple

from defender_assets.core.lake.files import FileIdentity
from defender_assets.core.lake.lake import Lake
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


def look(lake: Lake, name: str, *, create: bool) -> Snapshot:
    """Return a snapshot of a table as it is now, only to read from: never commit on it.

    With `create`, a missing table is created and missing columns are added (`Lake.open`). Without it, the table must
    exist, and it stays as it is (`Lake.snapshot`).

    Raises:
        LakeError: when the lake cannot be reached, the table is missing, or it has another schema.
    """
    files, spec, uri = lake.files(name), lake.spec(name), lake.table_uri(name)
    known = _known.get(uri)
    if known and known.newest and known.spec == spec and (known.complete or not create):
        version = known.table.version()
        unchanged = files.identity(commit_path(version)) == known.newest
        if unchanged and files.identity(commit_path(version + 1)) is None:
            return known.table
    table = lake.open(name) if create else lake.snapshot(name)
    if uri not in _known and len(_known) >= MOST_TABLES:
        _known.clear()
    _known[uri] = _Known(spec, table, files.identity(commit_path(table.version())), create)
    return table
