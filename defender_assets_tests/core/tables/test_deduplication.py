"""The cached record ids of a day match the given snapshot, even if another run writes in between."""

from pathlib import Path

import polars as pl

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.core.tables.deduplication import SeenRecordIds
from defender_assets_tests.support.exports import DAY, TENANT


def ids_of(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"number": numbers}, schema={"number": pl.UInt128})


def fenced(lake: Lake) -> FencedTable:
    return lake.fenced(ALERT_INFO.name, DAY)


def write(lake: Lake, target: FencedTable, *numbers: int) -> None:
    ids = pl.DataFrame({"record_id": [f"{number:032x}" for number in numbers]})
    rows = ids.with_columns(tenant_id=pl.lit(TENANT), export_date=pl.lit(DAY))
    lake.commit(target, Commit([rows.match_to_schema(ALERT_INFO.schema, missing_columns="insert")], target.version + 1))


def test_own_ids_come_from_the_cache_and_ids_of_other_runs_from_the_table(tmp_path: Path) -> None:
    lake, largest = Lake(str(tmp_path), LAKE_TABLES), 2**128 - 1
    ids = SeenRecordIds(DAY)

    def lookup(*numbers: int) -> list[int]:
        return ids.lookup(fenced(lake).table, ids_of(*numbers), keep=True)["number"].sort().to_list()

    assert lookup(1, largest) == []
    mine = fenced(lake)
    write(lake, mine, 1, 2**64, largest)
    ids.add(mine.table, ids_of(1, 2**64, largest))
    assert lookup(2, 2**64, largest) == [2**64, largest]
    write(lake, fenced(lake), 2)
    assert lookup(1, 2, 3) == [1, 2]


def test_ids_that_are_not_cached_are_read_from_the_snapshot(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path), LAKE_TABLES)
    before = fenced(lake).table
    write(lake, fenced(lake), 1, 2)
    ids = SeenRecordIds(DAY)
    assert ids.lookup(before, ids_of(1), keep=False).is_empty()
    assert ids.lookup(fenced(lake).table, ids_of(2, 3), keep=False).equals(ids_of(2))
