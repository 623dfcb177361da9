"""The files of a table's Delta log: syncing new commits, and removing damaged files that the log does not need.

delta-rs opens a table from the newest checkpoint and the commits after it. A checkpoint and the hint `_last_checkpoint`
repeat what commits say, so damaged ones are removed if an older checkpoint and the commits after it are intact.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import polars as pl

from defender_assets.core.errors import LakeError, is_panic
from defender_assets.core.json_text import read_json
from defender_assets.core.lake.files import LOG, TableFiles

HINT = f"{LOG}/_last_checkpoint"
_COMMIT = re.compile(rf"{LOG}/(\d{{20}})\.json")
_CHECKPOINT = re.compile(rf"{LOG}/(\d{{20}})\.checkpoint\.parquet")
_OTHER_CHECKPOINT = re.compile(rf"{LOG}/\d{{20}}\.checkpoint\..+\.(parquet|json)")
# errors of delta-rs about the content of the log, not about the storage
_ABOUT_CONTENT = re.compile(r"Json error|Parquet error|Invalid Checkpoint|[Gg]ap|No files in log|No table metadata")


class DamagedLogError(LakeError):
    """The log of a table lacks a commit; the text names the file and the remedy."""


@dataclass(frozen=True)
class LogFiles:
    """The log of a table: the versions of its commits and checkpoints, with their sizes in bytes."""

    files: TableFiles
    commits: dict[int, int]
    checkpoints: dict[int, int]

    @classmethod
    def of(cls, files: TableFiles) -> "LogFiles | None":
        """Return the log; None if another program wrote a checkpoint of a form that only delta-rs knows."""
        sizes = files.sizes(LOG)
        if any(_OTHER_CHECKPOINT.fullmatch(path) for path in sizes):
            return None
        found = [
            {int(match[1]): size for path, size in sizes.items() if (match := pattern.fullmatch(path))}
            for pattern in (_COMMIT, _CHECKPOINT)
        ]
        return cls(files, *found)

    def newest_intact_checkpoints(self, count: int) -> list[int]:
        """Return the versions of up to `count` intact checkpoints, the newest first."""
        found: list[int] = []
        for version in sorted(self.checkpoints, reverse=True):
            if len(found) == count:
                break
            if _is_checkpoint(self.files.read(checkpoint_path(version))):
                found.append(version)
        return found

    def empty_commits(self) -> list[int]:
        """Return the versions of commits without content: delta-rs takes them for commits without rows."""
        return sorted(version for version, size in self.commits.items() if size == 0)


def commit_path(version: int) -> str:
    """Return the path of a commit below the table's folder."""
    return f"{LOG}/{version:020}.json"


def checkpoint_path(version: int) -> str:
    """Return the path of a checkpoint below the table's folder."""
    return f"{LOG}/{version:020}.checkpoint.parquet"


def is_about_content(error: Exception) -> bool:
    """Return whether delta-rs could read the files of a log, but not make sense of them."""
    return _ABOUT_CONTENT.search(str(error)) is not None


def remove_damaged_checkpoints(files: TableFiles) -> list[str]:
    """Remove damaged checkpoints, and a wrong hint, if the rest of the log is intact; return the removed files' paths.

    Raises:
        DamagedLogError: when a commit that is needed is missing or damaged; the text says what to do.
        LakeError: when the storage cannot be reached or refuses.
    """
    log = LogFiles.of(files)
    if log is None:
        return []
    intact = log.newest_intact_checkpoints(1)
    base = intact[0] if intact else -1
    newest = max(log.commits, default=base)
    after = range(base + 1, newest + 1)
    broken = [version for version in after if not _is_commit(version, files.read(commit_path(version)))]
    if broken == [newest]:
        raise DamagedLogError(
            f"the newest commit of the table is damaged, as after a power failure: delete the file "
            f"{files.describe(commit_path(newest))}. The sensor's next runs do the work of this commit again"
        )
    if broken:
        raise DamagedLogError(
            f"{files.describe(commit_path(broken[0]))} is missing or damaged, and the table cannot be opened without "
            f"it. {_put_back(files)}"
        )
    removed = [checkpoint_path(version) for version in log.checkpoints if version > base]
    if removed or _hinted(files.read(HINT)) not in {None, base}:
        removed.append(HINT)
    for path in removed:
        files.delete(path)
    return removed


def has_data_files(files: TableFiles) -> bool:
    """Return whether a folder has data files of a table."""
    return any(path.endswith(".parquet") and not path.startswith(f"{LOG}/") for path in files.sizes())


def log_is_lost(files: TableFiles) -> DamagedLogError:
    """Return the error of a table that has data files and no log; the text says what to do."""
    return DamagedLogError(
        f"{files.uri} has data files, but no log: the folder {LOG} is missing or empty, as after a copy that leaves "
        f"out names with an underscore. {_put_back(files)}"
    )


def _put_back(files: TableFiles) -> str:
    return (
        f"Put back the folder {files.uri} from a backup. Without a backup, move the folder out of the lake and keep "
        "it: the sensor and the sweep then read again what the account still has, and build the rest from raw"
    )


def sync_commits(files: TableFiles, after: int, upto: int) -> None:
    """Make the commits `after` < version ≤ `upto` durable on a local disk, with their data files and checkpoints.

    The data files come first. A power failure before the end can damage these commits, but none before them.
    """
    versions = range(max(after + 1, 0), upto + 1)
    if files.account is not None or not versions:
        return
    data = [path for version in versions for path in _added(files.read(commit_path(version)))]
    # delta-rs writes a checkpoint and the hint after some commits
    checkpoints = [path for path in map(checkpoint_path, versions) if Path(files.describe(path)).exists()]
    files.sync(*data, *map(commit_path, versions), *checkpoints, *([HINT] if checkpoints else []))


def first_commit_of(files: TableFiles, app_id: str, after: int, upto: int) -> int:
    """Return the version of the first commit in `after` < version ≤ `upto` that records a number for an `app_id`.

    Raises:
        LakeError: when there is none.
    """
    for version in range(after + 1, upto + 1):
        for line in (files.read(commit_path(version)) or b"").splitlines():
            if line.startswith(b'{"txn"') and json.loads(line)["txn"]["appId"] == app_id:
                return version
    raise LakeError(f"{files.uri}: the commit for {app_id} is not among versions {after + 1} to {upto} of the log")


def _added(commit: bytes | None) -> Iterator[str]:
    for line in (commit or b"").splitlines():
        if line.startswith(b'{"add"'):
            yield json.loads(line)["add"]["path"]


def _is_commit(version: int, content: bytes | None) -> bool:
    # the first commit has the columns: delta-rs opens no table without its content, but takes others for commits
    # without rows
    if content is None or (version == 0 and not content):
        return False
    try:
        return all(isinstance(read_json(line), dict) for line in content.splitlines())
    except ValueError:
        return False


def _is_checkpoint(content: bytes | None) -> bool:
    try:
        return content is not None and pl.read_parquet(BytesIO(content)).height > 0
    except BaseException as error:
        if isinstance(error, MemoryError) or not (isinstance(error, Exception) or is_panic(error)):
            raise
        return False


def _hinted(content: bytes | None) -> int | None:
    """Return the version that the hint names; None if there is no hint, -2 if it cannot be read."""
    if content is None:
        return None
    try:
        return int(read_json(content)["version"])
    except (ValueError, OverflowError, TypeError, KeyError):
        return -2
