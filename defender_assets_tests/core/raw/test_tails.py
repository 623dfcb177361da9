"""A tail without a newline is looked through once, and is not behind until its blob grows."""

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.export import Blob, DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.quality.byte_balance import byte_balance
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.core.tables.build import build_table_day
from defender_assets.core.text import MEBIBYTE
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import DAY, Folder, blob_path, records

LINE = records(ALERT_INFO, 0, 1)
LARGE = 40 * MEBIBYTE


@dataclass(frozen=True)
class CountedExport(DirectoryExport):
    """Counts the bytes that are read of each blob."""

    reads: Counter[str] = field(default_factory=Counter)

    def read(self, container: str, blob: Blob, start: int, end: int) -> bytes:
        self.reads[blob.path] += end - start
        return super().read(container, blob, start, end)


@pytest.fixture
def counted(export: DirectoryExport) -> CountedExport:
    return CountedExport(export.root)


def behind(lake: Lake, export: DirectoryExport) -> list[int]:
    return [day.missing_bytes for day in find_stale_days(lake, export, [DAY]) if day.missing]


def as_in_azure(file: Path) -> None:
    """Keep the time of the file, which is its creation time in a `fixed_creation` export."""
    os.utime(file, ns=(0, 1_767_225_600_000_000_000))


@pytest.mark.parametrize("before", [b"", LINE])
def test_a_tail_is_behind_until_a_run_has_looked_at_it_and_again_when_it_grows(
    lake: Lake, export: DirectoryExport, folder: Folder, before: bytes
) -> None:
    folder.append(ALERT_INFO, blob_path(), before + LINE[:50])
    if before:
        ingest(lake, export, ALERT_INFO, DAY)
        assert behind(lake, export) == [50]
    for length in (50, 60):
        assert behind(lake, export) == [length]
        ingest(lake, export, ALERT_INFO, DAY)
        assert behind(lake, export) == []
        folder.append(ALERT_INFO, blob_path(), b" " * 10)
    folder.append(ALERT_INFO, blob_path(), b"\n")
    assert behind(lake, export) == [71]
    ingest(lake, export, ALERT_INFO, DAY)
    assert behind(lake, export) == []
    assert lake.read(ALERT_INFO.raw).collect()["byte_end"].max() == len(before) + 71


def test_runs_of_a_day_with_a_tail_write_nothing_more(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    folder.append(ALERT_INFO, blob_path(), LINE[:50])
    folder.append(ALERT_INFO, blob_path(hour=9), LINE + LINE[:50])
    versions = []
    for _ in range(4):
        ingest(lake, export, ALERT_INFO, DAY)
        versions.append(lake.open(ALERT_INFO.raw).version())
    assert versions[1:] == [versions[1]] * 3


def test_a_large_tail_is_not_read_by_later_runs_and_stays_in_the_balance(
    lake: Lake, counted: CountedExport, folder: Folder
) -> None:
    tail = folder.append(ALERT_INFO, blob_path(), LINE)
    os.truncate(tail, LARGE)
    for first in range(3):
        folder.append(ALERT_INFO, blob_path(hour=9), records(ALERT_INFO, first, 1))
        report = ingest(lake, counted, ALERT_INFO, DAY)
    assert LARGE <= counted.reads[blob_path()] < 2 * LARGE
    assert report.pending == {blob_path(): LARGE - len(LINE), blob_path(hour=9): 0}
    now = datetime.now(UTC)
    assert byte_balance(lake, ALERT_INFO, DAY, report.listed, report.pending, now).passed
    later = byte_balance(lake, ALERT_INFO, DAY, report.listed, report.pending, now + timedelta(days=2))
    assert later.facts["tails_older_than_a_day"] == [blob_path()]


@pytest.mark.parametrize("size", [9 * MEBIBYTE, LARGE])
def test_a_large_tail_that_ends_is_stored_whole_and_only_its_new_bytes_are_looked_through(
    lake: Lake, counted: CountedExport, folder: Folder, size: int
) -> None:
    azure = replace(counted, fixed_creation=True)
    file = folder.append(ALERT_INFO, blob_path(), b"")
    for total in (size, size + MEBIBYTE):
        os.truncate(file, total)
        as_in_azure(file)
        ingest(lake, azure, ALERT_INFO, DAY)
    assert azure.reads[blob_path()] == size + MEBIBYTE
    folder.append(ALERT_INFO, blob_path(), b"end\n" + LINE)
    as_in_azure(file)
    report = ingest(lake, azure, ALERT_INFO, DAY)
    assert report.new_bytes == file.stat().st_size
    rows = lake.read(ALERT_INFO.raw).sort("byte_start").collect()
    assert b"".join(rows["content"]) == file.read_bytes()
    build_table_day(lake, ALERT_INFO, DAY)
    assert lake.read(ALERT_INFO.name).collect().height == 1


def test_a_file_that_is_replaced_by_one_of_equal_size_is_read(
    lake: Lake, export: DirectoryExport, folder: Folder
) -> None:
    file = folder.append(ALERT_INFO, blob_path(), b"x" * len(LINE))
    ingest(lake, export, ALERT_INFO, DAY)
    assert behind(lake, export) == []
    file.write_bytes(LINE)
    os.utime(file, (file.stat().st_atime, file.stat().st_mtime + 1))
    assert behind(lake, export) == [len(LINE)]
    assert ingest(lake, export, ALERT_INFO, DAY).new_bytes == len(LINE)


def test_a_raw_table_that_is_taken_back_looks_again(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    folder.append(ALERT_INFO, blob_path(), LINE)
    ingest(lake, export, ALERT_INFO, DAY)
    earlier = lake.open(ALERT_INFO.raw).version()
    folder.append(ALERT_INFO, blob_path(), LINE + LINE[:50])
    for _ in range(2):
        ingest(lake, export, ALERT_INFO, DAY)
    assert behind(lake, export) == []
    # Delta's restore keeps the recorded numbers while the rows go back
    lake.open(ALERT_INFO.raw).restore(earlier)
    assert behind(lake, export) == [len(LINE) + 50]


@pytest.mark.azure
def test_a_lake_in_an_account_remembers_tails_too(account: Emulator, export: DirectoryExport, folder: Folder) -> None:
    lake = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", account.connection_string))
    folder.append(ALERT_INFO, blob_path(), LINE + LINE[:50])
    for _ in range(3):
        ingest(lake, export, ALERT_INFO, DAY)
    assert behind(lake, export) == []
    folder.append(ALERT_INFO, blob_path(), LINE[50:])
    assert behind(lake, export) == [len(LINE)]
    assert ingest(lake, export, ALERT_INFO, DAY).new_bytes == len(LINE)
