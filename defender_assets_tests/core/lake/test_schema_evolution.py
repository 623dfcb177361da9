"""A lake of another version: it opens, gains columns and keeps its rows; other types are an error."""

import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from defender_assets.catalog import BRIEFS, DERIVED, FINDINGS, LAKE_TABLES, LEADS, QUEUE
from defender_assets.core.errors import LakeError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake import lake as lake_module
from defender_assets.core.lake.compaction import compact_day
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.snapshots import schema_of
from defender_assets.core.lake.table_spec import TableSpec, add_columns
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, TABLES, Column
from defender_assets.core.tables.build import build_table_day
from defender_assets.core.triage.precision import QUALITY_TABLE
from defender_assets.core.triage.schema import VERDICTS_TABLE
from defender_assets.outputs.notifications.schema import SENT_NOTICES
from defender_assets_tests.support.exports import DAY, Folder, blob_path, local_lake, records

EXPORT_DATE = Column("export_date", pl.Date(), "Day of arrival")
FIRST_VERSION = Path(__file__).parents[2] / "lakes" / "first_version"


def reduced(*missing: str) -> tuple[TableSpec, ...]:
    """The tables of an older version without these columns."""
    return tuple(
        replace(spec, columns=tuple(column for column in spec.columns if column.name not in missing))
        for spec in LAKE_TABLES
    )


def run(lake: Lake, export: DirectoryExport) -> None:
    for table in TABLES:
        ingest(lake, export, table, DAY)
        build_table_day(lake, table, DAY)
    for derived in DERIVED:
        build_partition(lake, derived, DAY)


def test_a_lake_of_the_first_version_still_works(tmp_path: Path) -> None:
    """`lakes/first_version` is a day of a synthetic export and the lake that version 0.1.0 made of it."""
    shutil.copytree(FIRST_VERSION, tmp_path / "copy")
    lake, export = local_lake(tmp_path / "copy" / "lake"), DirectoryExport(tmp_path / "copy" / "export")
    before = {spec.name: lake.read(spec.name).collect() for spec in LAKE_TABLES}
    assert {name for name, frame in before.items() if frame.is_empty()} == {
        FINDINGS.name,
        QUEUE.name,
        BRIEFS.name,
        SENT_NOTICES,
        VERDICTS_TABLE,
        QUALITY_TABLE,
    }
    # only derived tables that the first version did not have are stale
    assert [stale.table for stale in find_stale_days(lake, export, [DAY])[0].stale] == [
        QUEUE.name,
        FINDINGS.name,
        BRIEFS.name,
    ]
    build_partition(lake, FINDINGS, DAY)
    build_partition(lake, QUEUE, DAY)
    build_partition(lake, BRIEFS, DAY)
    assert lake.read(FINDINGS.name).collect().height == before[LEADS.name].height
    assert find_stale_days(lake, export, [DAY]) == []
    Folder(export.root).append(ALERT_INFO, blob_path(hour=20), records(ALERT_INFO, 0, 1))
    run(lake, export)
    assert lake.read(ALERT_INFO.name).collect().height == before[ALERT_INFO.name].height + 1
    assert find_stale_days(lake, export, [DAY]) == []


def test_a_table_gains_missing_columns_and_keeps_its_rows(tmp_path: Path, export: DirectoryExport) -> None:
    older = Lake(str(tmp_path / "lake"), reduced("MachineGroup", "line_part", "detail"))
    folder = Folder(export.root)
    folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 2))
    target = older.fenced(ALERT_INFO.name, DAY)
    row = {"AlertId": "old", "tenant_id": "t", "export_date": DAY, "record_id": "r"}
    older.commit(target, Commit([pl.DataFrame([row], schema=target.spec.schema)], 0))
    lake = local_lake(tmp_path / "lake")
    assert lake.read(ALERT_INFO.name).collect()["MachineGroup"].to_list() == [None]
    run(lake, export)
    rows = lake.read(ALERT_INFO.name).collect()
    assert sorted(rows["AlertId"]) == ["AlertId-0", "AlertId-1", "old"]
    assert set(rows.columns) == set(ALERT_INFO.schema)


def test_columns_of_a_newer_version_stay_with_nulls_in_new_rows(tmp_path: Path, export: DirectoryExport) -> None:
    folder = Folder(export.root)
    folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 1))
    run(local_lake(tmp_path / "lake"), export)
    older = Lake(str(tmp_path / "lake"), reduced("MachineGroup"))
    target = older.fenced(ALERT_INFO.name, DAY)
    row = {"AlertId": "by the older", "tenant_id": "t", "export_date": DAY, "record_id": "r"}
    older.commit(target, Commit([pl.DataFrame([row], schema=target.spec.schema)], target.version))
    rows = local_lake(tmp_path / "lake").read(ALERT_INFO.name).collect()
    assert sorted(rows["AlertId"]) == ["AlertId-0", "by the older"]


def test_compaction_by_an_older_version_keeps_values_of_unknown_columns(
    tmp_path: Path, export: DirectoryExport
) -> None:
    lake, folder = local_lake(tmp_path / "lake"), Folder(export.root)
    for number in range(3):
        folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, number, 1))
        run(lake, export)
    before = lake.read(ALERT_INFO.name).sort("AlertId").collect()
    older = Lake(str(tmp_path / "lake"), reduced("Title"))
    done = compact_day(older, ALERT_INFO.name, DAY)
    assert done is not None
    assert (done.files_before, done.files_after) == (3, 1)
    after = lake.read(ALERT_INFO.name).sort("AlertId").collect()
    assert after.equals(before)
    assert after["Title"].null_count() == 0


def test_two_writers_that_add_the_same_columns_at_once_both_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Lake(str(tmp_path), reduced("MachineGroup")).open(ALERT_INFO.name)
    add, pending = add_columns, [1]

    def interrupted(table: DeltaTable, spec: TableSpec) -> None:
        if pending:
            pending.clear()
            local_lake(tmp_path).open(ALERT_INFO.name)
        add(table, spec)

    monkeypatch.setattr(lake_module, "add_columns", interrupted)
    assert set(schema_of(local_lake(tmp_path).open(ALERT_INFO.name))) == set(ALERT_INFO.schema)
    assert not pending


def test_a_reader_needs_no_permission_to_add_columns(tmp_path: Path) -> None:
    Lake(str(tmp_path), reduced("MachineGroup")).open(ALERT_INFO.name)
    lake = local_lake(tmp_path)
    assert lake.read(ALERT_INFO.name).collect_schema()["MachineGroup"] == pl.String()
    assert DeltaTable(lake.table_uri(ALERT_INFO.name)).version() == 0


def test_a_column_of_another_type_is_refused_by_name(tmp_path: Path) -> None:
    other = tuple(
        replace(
            spec,
            columns=tuple(
                replace(column, dtype=pl.Int64()) if column.name == "Severity" else column for column in spec.columns
            ),
        )
        if spec.name == ALERT_INFO.name
        else spec
        for spec in LAKE_TABLES
    )
    Lake(str(tmp_path), other).open(ALERT_INFO.name)
    with pytest.raises(LakeError, match=f"table {ALERT_INFO.name}, column Severity: the lake holds Int64"):
        local_lake(tmp_path).open(ALERT_INFO.name)


def test_a_table_of_another_partitioning_is_refused(tmp_path: Path) -> None:
    Lake(str(tmp_path), (TableSpec(ALERT_INFO.name, (EXPORT_DATE,)),)).open(ALERT_INFO.name)
    broken = TableSpec(ALERT_INFO.name, ALERT_INFO.all_columns, ("tenant_id",))
    with pytest.raises(LakeError, match="partitioned by export_date instead of tenant_id"):
        Lake(str(tmp_path), (broken,)).open(ALERT_INFO.name)
