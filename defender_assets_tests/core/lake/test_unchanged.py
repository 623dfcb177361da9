"""A snapshot that is kept between two looks is never older than the table."""

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from azure.storage.blob import BlobClient, BlobProperties
from deltalake import DeltaTable

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.azure.account import AzureAccount, from_connection_string
from defender_assets.core.errors import LakeError
from defender_assets.core.lake.data_files import data_files
from defender_assets.core.lake.fences import version_of
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.snapshots import scan_stored
from defender_assets.core.lake.unchanged import MOST_TABLES
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import local_lake

DAY = date(2026, 11, 3)
NAME = DEVICE_INFO.name


def write(lake: Lake, version: int) -> None:
    """Commit a version of the day without rows, as another process would."""
    lake.commit(lake.fenced(NAME, DAY), Commit([], version))


def rows_of(lake: Lake, day: date | None, count: int) -> pl.DataFrame:
    """Rows of a day, of which only the partition and the id have a value."""
    schema = lake.spec(NAME).schema
    ids = pl.Series("record_id", [f"{number:032x}" for number in range(count)])
    known = pl.DataFrame({"record_id": ids}).with_columns(export_date=pl.lit(day), tenant_id=pl.lit("t"))
    return known.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in known.columns
    ).select(schema.names())


def facts(lake: Lake, table: DeltaTable) -> tuple[object, ...]:
    """What readers ask a snapshot."""
    days = (DAY, date(2026, 11, 4))
    return (
        table.version(),
        data_files(table).sort("path").rows(),
        sorted(table.file_uris()),
        [version_of(table, NAME, day) for day in days],
        [lake.versions(table)(NAME, day) for day in days],
        sorted(scan_stored(table).select("export_date", "record_id").collect().rows()),
    )


def looked(lake: Lake) -> int:
    return version_of(lake.snapshot(NAME, create=True), NAME, DAY)


def test_an_unchanged_table_is_not_opened_again(lake: Lake) -> None:
    write(lake, 1)
    first = lake.snapshot(NAME, create=True)
    assert lake.snapshot(NAME, create=True) is first
    assert lake.snapshot(NAME) is first


def test_a_commit_of_somebody_else_is_seen(lake: Lake) -> None:
    for version in (1, 2, 3):
        write(lake, version)
        assert looked(lake) == version


def test_the_snapshot_that_a_commit_leaves_is_that_of_a_newly_opened_table(lake: Lake) -> None:
    days = (DAY, date(2026, 11, 4))
    for version in range(1, 13):
        # the first was opened before the commit of the second, and is not of its day
        first, second = (lake.fenced(NAME, day) for day in days)
        for target in (second, first):
            lake.commit(target, Commit([rows_of(lake, target.day, version)], version))
            assert facts(lake, target.table) == facts(lake, DeltaTable(lake.table_uri(NAME)))
        assert lake.snapshot(NAME, create=True) is first.table
        lake.commit(lake.fenced(NAME, DAY), Commit([rows_of(lake, DAY, 2)], version, replaces=""))
        assert facts(lake, lake.snapshot(NAME)) == facts(lake, DeltaTable(lake.table_uri(NAME)))


def test_what_is_recorded_without_rows_is_seen(lake: Lake) -> None:
    write(lake, 1)
    lake.record(lake.fenced(NAME, DAY), {"tail": 7})
    assert lake.versions(lake.snapshot(NAME)).find("tail") == 7


def test_a_table_that_is_taken_back_is_seen(lake: Lake, tmp_path: Path) -> None:
    folder, backup = Path(lake.table_uri(NAME)), tmp_path / "backup"
    write(lake, 1)
    shutil.copytree(folder, backup)
    write(lake, 2)
    assert looked(lake) == 2
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    assert looked(lake) == 1
    # as high as before, but by another commit
    write(lake, 7)
    assert looked(lake) == 7
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)
    write(lake, 5)
    assert looked(lake) == 5


def test_a_table_that_is_gone_is_created_only_on_request(lake: Lake) -> None:
    write(lake, 1)
    assert looked(lake) == 1
    shutil.rmtree(lake.table_uri(NAME))
    with pytest.raises(LakeError):
        lake.snapshot(NAME)
    assert looked(lake) == 0


def test_a_snapshot_without_new_columns_does_not_pass_for_a_complete_one(tmp_path: Path) -> None:
    lake = local_lake(tmp_path / "lake")
    older = lake.spec(NAME).schema
    pl.DataFrame(schema={name: older[name] for name in list(older)[:-1]}).write_delta(
        lake.table_uri(NAME), delta_write_options={"partition_by": ["export_date"]}
    )
    last = list(older)[-1]
    assert last not in {field.name for field in lake.snapshot(NAME).schema().fields}
    assert last in {field.name for field in lake.snapshot(NAME, create=True).schema().fields}


def test_few_snapshots_are_kept(tmp_path: Path) -> None:
    lakes = [local_lake(tmp_path / str(number)) for number in range(MOST_TABLES // 8)]
    for lake in lakes:
        for spec in lake.tables:
            lake.snapshot(spec.name, create=True)
    for lake in lakes:
        write(lake, 1)
        assert looked(lake) == 1


@pytest.mark.azure
def test_a_table_in_azure_is_opened_again_when_it_has_changed(account: Emulator) -> None:
    lake = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", account.connection_string))
    write(lake, 1)
    first = lake.snapshot(NAME, create=True)
    assert lake.snapshot(NAME, create=True) is first
    write(lake, 2)
    assert looked(lake) == 2


@pytest.mark.azure
def test_reading_an_unchanged_table_in_azure_costs_two_requests_of_one_client(
    account: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", account.connection_string))
    write(lake, 1)
    lake.read(NAME)
    asked: list[str] = []
    ask = BlobClient.get_blob_properties

    def counted(blob: BlobClient, **options: Any) -> BlobProperties:
        asked.append(blob.blob_name)
        return ask(blob, **options)

    monkeypatch.setattr(BlobClient, "get_blob_properties", counted)
    monkeypatch.setattr(AzureAccount, "service", None)
    lake.read(NAME)
    lake.read(NAME)
    assert len(asked) == 4
