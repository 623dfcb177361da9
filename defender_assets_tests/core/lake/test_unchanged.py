"""A snapshot that is kept between two looks is never older than the table."""

import shutil
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.errors import LakeError
from defender_assets.core.lake.fences import version_of
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.unchanged import MOST_TABLES, look
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import local_lake

DAY = date(2026, 11, 3)
NAME = DEVICE_INFO.name


def write(lake: Lake, version: int) -> None:
    """Commit a version of the day without rows, as another process would."""
    lake.commit(lake.fenced(NAME, DAY), Commit([], version))


def looked(lake: Lake) -> int:
    return version_of(look(lake, NAME, create=True), NAME, DAY)


def test_an_unchanged_table_is_not_opened_again(lake: Lake) -> None:
    write(lake, 1)
    first = look(lake, NAME, create=True)
    assert look(lake, NAME, create=True) is first
    assert look(lake, NAME, create=False) is first


def test_a_commit_of_somebody_else_is_seen(lake: Lake) -> None:
    for version in (1, 2, 3):
        write(lake, version)
        assert looked(lake) == version


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
        look(lake, NAME, create=False)
    assert looked(lake) == 0


def test_a_snapshot_without_new_columns_does_not_pass_for_a_complete_one(tmp_path: Path) -> None:
    lake = local_lake(tmp_path / "lake")
    older = lake.spec(NAME).schema
    pl.DataFrame(schema={name: older[name] for name in list(older)[:-1]}).write_delta(
        lake.table_uri(NAME), delta_write_options={"partition_by": ["export_date"]}
    )
    last = list(older)[-1]
    assert last not in {field.name for field in look(lake, NAME, create=False).schema().fields}
    assert last in {field.name for field in look(lake, NAME, create=True).schema().fields}


def test_few_snapshots_are_kept(tmp_path: Path) -> None:
    lakes = [local_lake(tmp_path / str(number)) for number in range(MOST_TABLES // 8)]
    for lake in lakes:
        for spec in lake.tables:
            look(lake, spec.name, create=True)
    for lake in lakes:
        write(lake, 1)
        assert looked(lake) == 1


@pytest.mark.azure
def test_a_table_in_azure_is_opened_again_when_it_has_changed(account: Emulator) -> None:
    lake = Lake("az://lake/tables", LAKE_TABLES, from_connection_string("TEST", account.connection_string))
    write(lake, 1)
    first = look(lake, NAME, create=True)
    assert look(lake, NAME, create=True) is first
    write(lake, 2)
    assert looked(lake) == 2
