"""Retention, dead files and the log: the lake gets smaller, and its rows stay the same."""

import os
import shutil
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from defender_assets.catalog import LAKE_TABLES, LEADS, QUEUE
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.errors import LakeError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake import table_spec
from defender_assets.core.lake.compaction import compact_day
from defender_assets.core.lake.fences import version_of
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.maintenance import apply_retention, maintain
from defender_assets.core.lake.table_spec import PROPERTIES
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.ingest import ingest, refresh
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, QUARANTINE
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.core.lake.conftest import build, ticks
from defender_assets_tests.support.day_runs import bytes_held, promised, run_day
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exhaustive import some_of
from defender_assets_tests.support.exports import DAY, Folder, blob_path, local_lake, records


def age(folder: Path, *only: Path) -> None:
    """Set the modification time of data files to nine days ago."""
    then = time.time() - 9 * 86_400
    for file in only or folder.rglob("part-*.parquet"):
        os.utime(file, (then, then))


def test_fences_outlive_checkpoints_and_the_log(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 3)
    for name in (ALERT_INFO.raw, ALERT_INFO.name):
        maintain(lake, name)
        table = lake.open(name)
        table.alter.set_table_properties({"delta.logRetentionDuration": "interval 0 days"})
        table.create_checkpoint()
        table.cleanup_metadata()
        assert len(list((Path(lake.table_uri(name)) / "_delta_log").glob("*.json"))) == 1
        assert version_of(lake.open(name), name, DAY) == 3
    ticks(lake, export, 1, first=3)
    assert lake.read(ALERT_INFO.name).collect().height == 4


def test_the_log_is_shortened_by_maintenance_and_not_by_every_commit(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 3)
    log = Path(lake.table_uri(ALERT_INFO.raw)) / "_delta_log"
    lake.open(ALERT_INFO.raw).create_checkpoint()
    age(log, *log.glob("*.json"))
    ticks(lake, export, 1, first=3)
    assert len(list(log.glob("*.json"))) == 5
    maintain(lake, ALERT_INFO.raw)
    assert [int(file.stem) for file in sorted(log.glob("*.json"))] == [3, 4]
    ticks(lake, export, 1, first=4)
    assert bytes_held(lake)


def test_dead_files_are_deleted_after_a_week_and_live_ones_stay(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 3)
    folder = Path(lake.table_uri(ALERT_INFO.name))
    age(folder)
    compact_day(lake, ALERT_INFO.name, DAY)
    # replaced just now, though written long ago
    assert maintain(lake, ALERT_INFO.name).files_deleted == 0
    of_a_killed_writer = next(folder.rglob("part-*.parquet")).with_name("part-00000-never-committed.parquet")
    of_a_killed_writer.write_bytes(b"rows")
    # a writer may be about to commit it
    assert maintain(lake, ALERT_INFO.name).files_deleted == 0
    age(folder, of_a_killed_writer)
    assert maintain(lake, ALERT_INFO.name).files_deleted == 1
    assert not of_a_killed_writer.exists()
    assert lake.read(ALERT_INFO.name).collect().height == 3


def test_dead_files_that_the_log_has_dropped_are_deleted_too(
    lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = {**PROPERTIES, "delta.deletedFileRetentionDuration": "interval 0 hours"}
    monkeypatch.setattr(table_spec, "PROPERTIES", forgetful)
    ticks(lake, export, 3)
    folder = Path(lake.table_uri(ALERT_INFO.name))
    maintain(lake, ALERT_INFO.name)
    compact_day(lake, ALERT_INFO.name, DAY)
    lake.open(ALERT_INFO.name).create_checkpoint()
    assert lake.open(ALERT_INFO.name).vacuum(0) == []
    age(folder)
    assert maintain(lake, ALERT_INFO.name).files_deleted == 3
    assert lake.read(ALERT_INFO.name).collect().height == 3


def test_a_table_of_an_older_version_gets_current_properties(lake: Lake) -> None:
    lake.open(ALERT_INFO.raw).alter.set_table_properties({"delta.checkpointInterval": "100"})
    maintain(lake, ALERT_INFO.raw)
    assert lake.open(ALERT_INFO.raw).metadata().configuration == PROPERTIES
    version = lake.open(ALERT_INFO.raw).version()
    maintain(lake, ALERT_INFO.raw)
    assert lake.open(ALERT_INFO.raw).version() == version


@pytest.fixture
def old() -> date:
    """A day outside a retention of 31 days."""
    return day_before(40)


def test_old_days_are_deleted_from_all_tables_and_not_read_again(
    lake: Lake, export: DirectoryExport, old: date
) -> None:
    kept = day_before(2)
    for day in (old, kept):
        ticks(lake, export, 2, day)
        build(lake, day)
    short = replace(lake, keep_days=31)
    deleted = apply_retention(short)
    assert (deleted[ALERT_INFO.raw], deleted[ALERT_INFO.name], deleted[LEADS.name]) == (2, 2, 2)
    for name in (ALERT_INFO.raw, ALERT_INFO.name, QUARANTINE, LEADS.name, QUEUE.name):
        assert lake.read(name).select(pl.col("export_date").unique()).collect()["export_date"].to_list() == [kept]
    Folder(export.root).append(ALERT_INFO, blob_path(day=old), records(ALERT_INFO, 0, 1))
    assert find_stale_days(short, export, [old, kept]) == []
    versions = {spec.name: lake.open(spec.name).version() for spec in LAKE_TABLES}
    assert ingest(short, export, ALERT_INFO, old).new_bytes == 0
    assert refresh(short, export, ALERT_INFO, old).new_bytes == 0
    assert build_table_day(short, ALERT_INFO, old).rows == 0
    assert build_table_day(short, ALERT_INFO, old, rebuild=True).rows == 0
    assert build_partition(short, LEADS, old, force=True).rows.height == 0
    assert set(apply_retention(short).values()) == {0}
    assert versions == {spec.name: lake.open(spec.name).version() for spec in LAKE_TABLES}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, date, dict[str, pl.DataFrame]]:
    """A folder with an export of an old day and a lake that holds it, and what the lake holds."""
    folder, day = tmp_path_factory.mktemp("built"), day_before(40)
    lake = local_lake(folder / "lake")
    ticks(lake, DirectoryExport(folder / "export"), 2, day)
    build(lake, day)
    return folder, day, promised(lake)


@pytest.mark.parametrize("tables_done", some_of((1, 2, 5, 8, len(LAKE_TABLES)), {1, 5}.__contains__))
def test_a_partly_deleted_day_is_restored_by_a_longer_retention(
    built: tuple[Path, date, dict[str, pl.DataFrame]], tmp_path: Path, tables_done: int
) -> None:
    folder, old, before = built
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    lake, export = local_lake(tmp_path / "lake"), DirectoryExport(tmp_path / "export")
    apply_retention(replace(lake, keep_days=31, tables=LAKE_TABLES[:tables_done]))
    run_day(lake, export, old)
    assert find_stale_days(lake, export, [old]) == []
    after = promised(lake)
    for name, frame in before.items():
        assert after[name].equals(frame), name


def test_a_longer_retention_does_not_ask_for_days_without_blobs(
    built: tuple[Path, date, dict[str, pl.DataFrame]], tmp_path: Path
) -> None:
    folder, old, _ = built
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    lake, export = local_lake(tmp_path / "lake"), DirectoryExport(tmp_path / "export")
    apply_retention(replace(lake, keep_days=31))
    for name, fence in ((ALERT_INFO.name, ALERT_INFO.name), (QUARANTINE, ALERT_INFO.name), (LEADS.name, LEADS.name)):
        assert lake.versions(lake.open(name)).rows(fence, old) == 0
    shutil.rmtree(export.root)
    assert find_stale_days(lake, export, [old]) == []


def test_a_failing_table_stops_the_deletion_of_old_days_downstream(
    lake: Lake, export: DirectoryExport, old: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks(lake, export, 2, old)
    opened = Lake.open

    def failing(self: Lake, name: str) -> DeltaTable:
        if name == QUARANTINE:
            raise LakeError("no permission")
        return opened(self, name)

    monkeypatch.setattr(Lake, "open", failing)
    with pytest.raises(LakeError, match="no permission"):
        apply_retention(replace(lake, keep_days=31))
    monkeypatch.undo()
    assert lake.read(ALERT_INFO.raw).collect().height == 0
    assert lake.read(ALERT_INFO.name).collect().height == 2


def test_an_older_table_gets_the_statistics_that_this_version_needs(lake: Lake) -> None:
    lake.open(LEADS.name).alter.set_table_properties({"delta.dataSkippingStatsColumns": "tenant_id"})
    maintain(lake, LEADS.name)
    assert lake.open(LEADS.name).metadata().configuration["delta.dataSkippingStatsColumns"] == "built_version"


def test_a_lake_without_retention_keeps_every_day(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 1, date(2020, 1, 1))
    assert apply_retention(lake) == {}
    assert lake.read(ALERT_INFO.name).collect().height == 1
    assert maintain(lake, DEVICE_INFO.name).compacted == []


@pytest.mark.azure
def test_a_lake_in_an_account_is_maintained_too(account: Emulator, export: DirectoryExport, old: date) -> None:
    kept = day_before(2)
    credentials = from_connection_string("TEST", account.connection_string)
    lake = Lake("az://lake/tables", LAKE_TABLES, credentials, keep_days=31)
    for day in (old, kept):
        # without retention
        ticks(replace(lake, keep_days=None), export, 3, day)
    assert apply_retention(lake)[ALERT_INFO.name] == 3
    for name in (ALERT_INFO.raw, ALERT_INFO.name):
        assert compact_day(lake, name, kept) is not None
        assert maintain(lake, name).files_deleted == 0
        assert version_of(lake.open(name), name, old) == version_of(lake.open(name), name, kept) == 3
    assert find_stale_days(lake, export, [old, kept])[0].missing == ()
    assert lake.read(ALERT_INFO.name).collect().height == 3
