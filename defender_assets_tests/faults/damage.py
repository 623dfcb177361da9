"""Damage to the files of a lake: each kind of file, emptied, cut, overwritten or deleted, and the documented remedies.

`follow` does what the text of an error says, word for word, so that a remedy that does not help fails a test.
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import polars as pl
from azure.core.exceptions import ResourceNotFoundError

from defender_assets.catalog import DERIVED
from defender_assets.core.azure.container import container_of
from defender_assets.core.export import DirectoryExport, Export
from defender_assets.core.lake.damage import DamagedFile, damaged_files, describe_damage, drop_all_damaged
from defender_assets.core.lake.data_files import files_of_day
from defender_assets.core.lake.files import TableFiles
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.log_files import HINT, LogFiles, checkpoint_path, commit_path
from defender_assets.core.pipeline.derived_table import DerivedTable, build_partition
from defender_assets.core.raw.ingest import RawReport, refresh
from defender_assets.core.schemas import TABLES, Table
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.support.exports import Folder

Kind = Literal["empty", "cut", "garbage", "missing"]
KINDS: tuple[Kind, ...] = ("empty", "cut", "garbage", "missing")

LogRole = Literal["newest commit", "commit", "old commit", "newest checkpoint", "old checkpoint", "hint"]
LOG_ROLES: tuple[LogRole, ...] = (
    "newest commit",
    "commit",
    "old commit",
    "newest checkpoint",
    "old checkpoint",
    "hint",
)


def spoil(files: TableFiles, path: str, kind: Kind) -> None:
    """Damage one file."""
    content = files.read(path)
    assert content, path
    files.delete(path)
    if kind == "missing":
        return
    write(files, path, {"empty": b"", "cut": content[: len(content) // 2], "garbage": b"\0" * len(content)}[kind])


def write(files: TableFiles, path: str, content: bytes) -> None:
    """Write a file of a lake in a folder or an account."""
    if files.account is None:
        Path(files.describe(path)).write_bytes(content)
        return
    with files.account.service() as service, suppress(ResourceNotFoundError):
        container = service.get_container_client(container_of(files.uri))
        name = files.uri.split("/", 3)[3]
        container.upload_blob(f"{name}/{path}", content, overwrite=True)


def spoil_data(lake: Lake, name: str, day: date, kind: Kind, which: int = 0, blob: str | None = None) -> str | None:
    """Damage a data file of a day, in raw only one with bytes of this blob; return its path, None if there is none."""
    path = data_file(lake, name, day, which, blob)
    if path is not None:
        spoil(lake.files(name), path, kind)
    return path


def data_file(lake: Lake, name: str, day: date, which: int, blob: str | None = None) -> str | None:
    """The path of a data file of a day; None if there is none. Names are random, so sizes decide the order."""
    files = files_of_day(lake.open(name), day)
    if blob is not None:
        files = files.filter(pl.col("min.blob") == blob, pl.col("max.blob") == blob)
    paths = files.sort("num_records", "size_bytes", "path")["path"].to_list()
    return paths[which % len(paths)] if paths else None


def log_path(log: LogFiles, role: LogRole) -> str:
    """The path of a file of a log with two checkpoints and two commits after the newer one."""
    older, newer = sorted(log.checkpoints)[-2:]
    newest = max(log.commits)
    assert newest >= newer + 2
    return {
        "newest commit": commit_path(newest),
        "commit": commit_path(newest - 1),
        "old commit": commit_path(newer),
        "newest checkpoint": checkpoint_path(newer),
        "old checkpoint": checkpoint_path(older),
        "hint": HINT,
    }[role]


def names_of(lake: Lake) -> list[str]:
    return [spec.name for spec in lake.tables]


def all_damage(lake: Lake, names: Sequence[str] | None = None) -> list[DamagedFile]:
    """Every damaged data file of some tables, by default of all."""
    return [
        file
        for name in names or names_of(lake)
        if lake.exists(name)
        for file in damaged_files(lake, lake.snapshot(name), name)
    ]


@dataclass
class Operator:
    """Who reads an error and does what it says, with the functions behind the jobs and the commands.

    The jobs work on all tables, by default.
    """

    lake: Lake
    export: Export
    tables: Sequence[Table] = TABLES
    derived: Sequence[DerivedTable] = DERIVED

    @property
    def folder(self) -> Folder:
        """The export, to append to; it is a directory."""
        assert isinstance(self.export, DirectoryExport)
        return Folder(self.export.root)

    def refresh_day(self, day: date) -> list[RawReport]:
        reports = [refresh(self.lake, self.export, table, day) for table in self.tables]
        self.rebuild_day(day)
        return reports

    def rebuild_day(self, day: date) -> None:
        for table in self.tables:
            assert build_table_day(self.lake, table, day, rebuild=True).balanced
        for derived in self.derived:
            build_partition(self.lake, derived, day, force=True)

    def repair(self, name: str) -> None:
        drop_all_damaged(self.lake, name)

    def follow(self, text: str) -> None:
        """Do what a text says."""
        steps = re.findall(r"the job (refresh_day|rebuild_day) for (\S{10})|`defender-assets (repair) (\w+)`", text)
        if file := re.search(r"delete the file (\S+)\. ", text):
            _delete(self.lake, file[1])
        elif folder := re.search(r"move the folder out of the lake", text) and re.search(
            r"back the folder (\S+) ", text
        ):
            shutil.move(folder[1], tempfile.mkdtemp(dir=Path(self.lake.uri).parent))
        else:
            assert steps, text
        for job, day, command, table in dict.fromkeys(steps):
            if command:
                self.repair(table)
            else:
                getattr(self, job)(date.fromisoformat(day))

    def follow_damage(self, names: Sequence[str] | None = None) -> str:
        """Do what the text about all damaged data files says, and return it."""
        text = describe_damage(all_damage(self.lake, names))
        self.follow(text)
        return text


def _delete(lake: Lake, file: str) -> None:
    name, path = file.removeprefix(lake.uri).strip("/").split("/", 1)
    lake.files(name).delete(path)
