"""A lake of each issue's last commit opens, is read by every command, grows, goes on and is compacted.

`lakes/of_COMMIT.zip` is an export and its lake as that commit wrote it (see `lakes/make_small.py`). The tables are also
opened with further fields at several depths, which no commit has yet.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable
from polars.datatypes import DataTypeClass

from defender_assets import settings
from defender_assets.catalog import BRIEFS, DERIVED, FINDINGS, LAKE_TABLES, LEADS, QUEUE, STORIES
from defender_assets.cli import main
from defender_assets.core.errors import LakeError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake import lake as lake_module
from defender_assets.core.lake.compaction import compact_day
from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.core.lake.snapshots import conformed, days_between, schema_of
from defender_assets.core.lake.table_spec import TableSpec, add_columns
from defender_assets.core.pipeline.derived_table import DerivedTable, build_partition
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.ingest import ingest, refresh
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.lakes.make_small import TENANT
from defender_assets_tests.support.exhaustive import some_of
from defender_assets_tests.support.exports import DAY, Folder, blob_path, line, local_lake, properties

ARCHIVES = sorted((Path(__file__).parents[2] / "lakes").glob("of_*.zip"))
NEXT = DAY + timedelta(days=1)
COMMANDS = (
    ("leads", "--muted", "--format", "json"),
    ("leads", "--product", "endpoint", "--device", "pc1", "--user", "jane", "--format", "csv"),
    ("stories", "--format", "json"),
    ("lead", "da0", "--raw", "--format", "json"),
    ("lead", "da1"),
    ("stories",),
    ("leads",),
    ("brief", "--out", "-"),
    ("ocsf", "--out", "-"),
    ("quarantine", "--format", "json"),
    ("replay", "--dry-run"),
)


@dataclass(frozen=True)
class Older:
    """An unpacked archive."""

    folder: Path

    @property
    def export(self) -> DirectoryExport:
        return DirectoryExport(self.folder / "export")

    @property
    def lake(self) -> Lake:
        return local_lake(self.folder / "lake")

    def versions(self) -> dict[str, int]:
        """The version of each table's log."""
        return {
            table.name: DeltaTable(self.lake.table_uri(table.name)).version()
            for table in LAKE_TABLES
            if self.lake.exists(table.name)
        }


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.stem)
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Older:
    shutil.unpack_archive(request.param, tmp_path / "older")
    return Older(tmp_path / "older")


def grown_type(dtype: pl.DataType | DataTypeClass) -> pl.DataType | DataTypeClass:
    """The type with further fields at the end of each struct, at every depth."""
    if isinstance(dtype, pl.List):
        return pl.List(grown_type(dtype.inner))
    if isinstance(dtype, pl.Struct):
        fields = {field.name: grown_type(field.dtype) for field in dtype.fields}
        return pl.Struct(fields | {"later": pl.String(), "later_list": pl.List(pl.Struct({"deep": pl.Int64()}))})
    return dtype


def grown(spec: TableSpec) -> TableSpec:
    """The table of a later version: every struct has more fields."""
    types = pl.Schema({name: grown_type(dtype) for name, dtype in spec.schema.items()})
    columns = tuple(replace(column, dtype=types[column.name]) for column in spec.columns)
    if not isinstance(spec, DerivedTable):
        return replace(spec, columns=columns)
    upstream_schemas = [next(each.schema for each in LAKE_TABLES if each.name == of.name) for of in spec.upstreams]

    def build(day: object, *look_backs: pl.LazyFrame) -> pl.DataFrame:
        for rows, upstream in zip(look_backs, spec.upstreams, strict=True):
            assert rows.collect_schema() == next(each for each in GROWN if each.name == upstream.name).schema
        known = [
            conformed(rows, rows.collect_schema(), schema)
            for rows, schema in zip(look_backs, upstream_schemas, strict=True)
        ]
        built = spec.build(day, *known)
        return conformed(built, built.schema, {column.name: column.dtype for column in columns})

    return replace(spec, columns=columns, build=build, update=None)


GROWN = tuple(grown(spec) for spec in LAKE_TABLES)


class LaterLake(Lake):
    """A lake whose writers fill the tables of a later version."""

    def commit(self, target: FencedTable, commit: Commit) -> None:
        schema = commit.schema or target.spec.schema
        super().commit(target, replace(commit, frames=(conformed(rows, rows.schema, schema) for rows in commit.frames)))


def later(lake: Lake) -> Lake:
    """The lake as a later version opens it."""
    return LaterLake(lake.uri, GROWN)


def arrive(older: Older) -> None:
    """Append a record of each table, on the lake's day and on the next."""
    folder = Folder(older.export.root)
    for day in (DAY, NEXT):
        alert: dict[str, str | None] = {"AlertId": "da0", "Timestamp": f"{day}T10:00:00Z"}
        users = '[{"UserName":"joe","DomainName":"CONTOSO","Sid":"S-1-5-21-1"}]'
        records: list[tuple[Table, dict[str, str | None]]] = [
            (ALERT_INFO, alert),
            (ALERT_EVIDENCE, {**alert, "EntityType": "User", "DeviceId": None, "AccountUpn": "joe@contoso.com"}),
            (DEVICE_INFO, {"Timestamp": alert["Timestamp"], "DeviceId": "d" * 40, "LoggedOnUsers": users}),
        ]
        for table, record in records:
            path = blob_path(day, 10, TENANT)
            folder.append(table, path, line(table, properties(table, **record), tenant=TENANT))


def run(lake: Lake, export: DirectoryExport) -> None:
    """Build both days as the daily run does."""
    for day in (DAY, NEXT):
        for table in TABLES:
            ingest(lake, export, table, day)
            assert build_table_day(lake, table, day).balanced
        for derived in lake.tables:
            if isinstance(derived, DerivedTable):
                build_partition(lake, derived, day)


def check_commands(older: Older) -> None:
    environment = {"DEFENDER_EXPORT_DIR": str(older.export.root), "DEFENDER_LAKE_URI": older.lake.uri}
    for command in COMMANDS:
        result = CliRunner().invoke(main, command, env=environment)
        assert result.exit_code == 0, (command, result.output, result.exception)
        assert result.stdout, command
    (lead,) = older.lake.read(LEADS.name).filter(pl.col("alert_id") == "da0", export_date=DAY).collect().to_dicts()
    (story,) = older.lake.read(STORIES.name).filter(export_date=DAY).collect().to_dicts()
    assert CliRunner().invoke(main, ["story", story["story_id"], "--raw"], env=environment).exit_code == 0
    shown = json.loads(CliRunner().invoke(main, ["leads", "--format", "json"], env=environment).stdout)
    if not older.lake.exists(QUEUE.name):
        assert all(row["priority"] == row["risk_score"] and row["story_id"] is None for row in shown)
    assert lead["scoring_version"] is lead["lead_version"] is lead["technique_names"] is None


def test_every_command_reads_it_and_changes_nothing(older: Older) -> None:
    before = older.versions()
    check_commands(older)
    assert older.versions() == before


def test_every_command_reads_it_with_fields_that_it_lacks(older: Older, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LAKE_TABLES", GROWN)
    before = older.versions()
    check_commands(older)
    assert older.versions() == before
    lake = later(older.lake)
    for spec in GROWN:
        assert lake.read(spec.name).select(spec.schema.names()).collect().schema == spec.schema
    account = lake.read(LEADS.name).collect()["accounts"][0][0]
    assert (account["name"], account["later"], account["later_list"]) == ("jane", None, None)


@pytest.mark.parametrize("older", some_of(ARCHIVES, ARCHIVES[-1].__eq__), indirect=True, ids=lambda path: path.stem)
def test_it_goes_on(older: Older) -> None:
    go_on(older, older.lake)


@pytest.mark.parametrize("older", ARCHIVES[-1:], indirect=True, ids=lambda path: path.stem)
def test_it_goes_on_with_further_fields_and_then_with_this_version(older: Older) -> None:
    go_on(older, later(older.lake))
    stored = {spec.name: schema_of(later(older.lake).open(spec.name)) for spec in GROWN}
    arrive(older)
    run(older.lake, older.export)
    check = older.lake.read(LEADS.name).filter(export_date=NEXT).collect()
    assert check.schema["accounts"] == LEADS.schema["accounts"]
    compact_day(older.lake, DEVICE_INFO.name, NEXT)
    assert {spec.name: schema_of(later(older.lake).open(spec.name)) for spec in GROWN} == stored


def go_on(older: Older, lake: Lake) -> None:
    """Build the next day, compact, refresh and rebuild."""
    kept = {spec.name: older.lake.read(spec.name).collect().height for spec in LAKE_TABLES}
    # the version of each lake knew all tables that it has
    lacking = [spec.name for spec in DERIVED if not lake.exists(spec.name)]
    assert [stale.table for day in find_stale_days(lake, older.export, [DAY]) for stale in day.stale] == lacking
    arrive(older)
    run(lake, older.export)
    assert find_stale_days(lake, older.export, [DAY, NEXT]) == []
    for spec in lake.tables:
        assert dict(schema_of(lake.open(spec.name))) == dict(lake.read(spec.name).collect_schema())
        for day in (DAY, NEXT) if spec.has_days else ():
            before = lake.read(spec.name).filter(export_date=day).collect()
            compact_day(lake, spec.name, day)
            after = lake.read(spec.name).filter(export_date=day).collect()
            assert sorted(map(str, after.iter_rows())) == sorted(map(str, before.iter_rows())), spec.name
    assert lake.read(DEVICE_INFO.name).collect().height == kept[DEVICE_INFO.name] + 2
    leads = lake.read(LEADS.name).filter(export_date=NEXT).collect()
    assert leads["alert_id"].to_list() == ["da0"]
    assert leads["lead_version"].null_count() == leads["scoring_version"].null_count() == 0
    for table in TABLES:
        refresh(lake, older.export, table, DAY)
        assert build_table_day(lake, table, DAY, rebuild=True).balanced
    run(lake, older.export)
    queue = lake.read(QUEUE.name).collect()
    assert set(queue["export_date"]) == {DAY, NEXT}
    assert (queue["priority"] >= queue["risk_score"]).all()
    filled = lake.read(LEADS.name).select("lead_version", "scoring_version", "technique_names").collect()
    assert filled.null_count().row(0) == (0, 0, 0)
    assert {name: lake.read(name).collect().height for name in (FINDINGS.name, BRIEFS.name)} == {
        FINDINGS.name: 3,
        BRIEFS.name: 2,
    }


@pytest.mark.parametrize("older", ARCHIVES[-1:], indirect=True, ids=lambda path: path.stem)
def test_tables_above_raw_keep_the_rows_that_it_has_lost(older: Older) -> None:
    kept = {table.name: set(older.lake.read(table.name).collect()["record_id"]) for table in TABLES}
    for table in TABLES:
        shutil.rmtree(older.lake.table_uri(table.raw))
    shutil.rmtree(older.export.root)
    arrive(older)
    (behind,) = (day for day in find_stale_days(older.lake, older.export, [DAY, NEXT]) if day.day == DAY)
    assert all(any(table.name in stale.table for stale in behind.stale) for table in TABLES)
    run(older.lake, older.export)
    assert find_stale_days(older.lake, older.export, [DAY, NEXT]) == []
    for table in TABLES:
        assert build_table_day(older.lake, table, DAY, rebuild=True).balanced
        assert set(older.lake.read(table.name).collect()["record_id"]) > kept[table.name]


def test_two_processes_that_open_it_at_once_both_succeed(older: Older, monkeypatch: pytest.MonkeyPatch) -> None:
    add, others = add_columns, [later(older.lake)]

    def interrupted(table: DeltaTable, spec: TableSpec) -> None:
        if others:
            others.pop().open(LEADS.name)
        add(table, spec)

    monkeypatch.setattr(lake_module, "add_columns", interrupted)
    stored = schema_of(later(older.lake).open(LEADS.name))
    assert {name: stored[name] for name in LEADS.schema} == dict(later(older.lake).spec(LEADS.name).schema)
    assert not others


def test_only_tables_without_structs_are_replaced_in_part() -> None:
    """delta-rs cannot replace some rows of a day whose files lack fields of the table's structs (engine facts)."""
    partly = [spec for spec in LAKE_TABLES if spec.fence_column or (spec.compaction and spec.compaction.whole_hours)]
    assert partly
    assert all(grown(spec).columns == spec.columns for spec in partly)


def test_a_field_of_another_type_is_refused_by_name(older: Older) -> None:
    wrong = pl.List(pl.Struct({"name": pl.Int64()}))
    columns = tuple(replace(each, dtype=wrong) if each.name == "accounts" else each for each in LEADS.columns)
    lake = replace(older.lake, tables=(replace(LEADS, columns=columns),))
    for read in (lake.open, lake.read):
        with pytest.raises(
            LakeError, match="column accounts, field name: the lake holds String, this version"
        ) as error:
            read(LEADS.name)
        assert "move" not in str(error.value)


@contextmanager
def write_protected(folder: Path) -> Iterator[None]:
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        yield
    finally:
        for path in paths:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


READ_ONLY = """
import os, sys
from pathlib import Path
from defender_assets_tests.core.lake.test_older_lakes import GROWN, Older, check_commands, read_without_writing
older = Older(Path(sys.argv[1]))
assert not os.access(older.lake.uri, os.W_OK)
check_commands(older)
read_without_writing(older)
"""


def read_without_writing(older: Older) -> None:
    """Build every derived table from tables that cannot be changed, as far as its rows."""
    lake = later(older.lake)
    for derived in DERIVED:
        spec = next(each for each in GROWN if each.name == derived.name)
        assert isinstance(spec, DerivedTable)
        rows = spec.build(DAY, *(_rows(lake, upstream.name) for upstream in spec.upstreams))
        assert rows.schema == spec.schema
        assert rows.height > 0


def _rows(lake: Lake, name: str) -> pl.LazyFrame:
    return days_between(lake.read(name), DAY - timedelta(days=30), DAY)


@pytest.mark.parametrize("older", ARCHIVES[-1:], indirect=True, ids=lambda path: path.stem)
def test_it_is_read_without_the_permission_to_write(older: Older) -> None:
    """Root may write everywhere, so it gives that capability up."""
    give_up = ["setpriv", "--inh-caps=-dac_override", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    if give_up and not shutil.which("setpriv"):
        pytest.skip("root, and no setpriv to give up the right to write")
    with write_protected(older.folder):
        done = subprocess.run(
            [*give_up, sys.executable, "-c", READ_ONLY, str(older.folder)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[3],
        )
    assert done.returncode == 0, done.stderr
