"""Compaction, retention, dead files and the log: the lake gets smaller and quicker, and holds the same."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from defender_assets.core import compaction, raw, typed
from defender_assets.core.compaction import compact, compact_day, full_days
from defender_assets.core.cursors import read_cursors
from defender_assets.core.derived import DERIVED, LEADS, rebuild_day
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake import Commit, Fenced, Lake, version_of
from defender_assets.core.maintenance import maintain
from defender_assets.core.pending import survey
from defender_assets.core.tables import ALERT_INFO, DEVICE_INFO
from defender_assets.settings import LAYOUTS
from defender_assets_tests.day_runs import bytes_held, promised
from defender_assets_tests.exports import DAY, Folder, blob_path, local_lake, records

BAD = b"no record\r\n"


@pytest.fixture
def export(tmp_path: Path) -> DirectoryExport:
    return DirectoryExport(tmp_path / "export")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return local_lake(tmp_path / "lake")


def ticks(lake: Lake, export: DirectoryExport, count: int, day: date = DAY, first: int = 0) -> None:
    """Small appends, each followed by a run, newest records first so that the table is not sorted as a whole."""
    folder = Folder(export.root)
    for number in range(first, first + count):
        folder.append(ALERT_INFO, blob_path(day=day, hour=8 + number % 2), records(ALERT_INFO, 999 - number, 1) + BAD)
        raw.ingest(lake, export, ALERT_INFO, day)
        typed.derive(lake, ALERT_INFO, day)


def build(lake: Lake, day: date) -> None:
    for derived in DERIVED:
        rebuild_day(lake, derived, day)


def files(lake: Lake, name: str) -> int:
    return lake.open(name).get_add_actions().num_rows


def test_a_compacted_lake_holds_the_same_in_fewer_files(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 8)
    build(lake, DAY)
    before, held = promised(lake), bytes_held(lake)
    cursors = read_cursors(lake.open(ALERT_INFO.raw), [DAY])
    for name in (ALERT_INFO.raw, ALERT_INFO.name, typed.QUARANTINE):
        done = compact_day(lake, name, DAY)
        assert done is not None
        assert done.files_before >= 8
        assert done.files_after == files(lake, name) <= 2
    assert bytes_held(lake) == held
    after = promised(lake)
    assert all(after[name].equals(frame) for name, frame in before.items())
    assert read_cursors(lake.open(ALERT_INFO.raw), [DAY]) == cursors
    assert lake.read(ALERT_INFO.name).collect()["AlertId"].is_sorted()
    assert survey(lake, export, [DAY]) == []


def test_work_goes_on_after_a_compaction(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 4)
    for name in (ALERT_INFO.raw, ALERT_INFO.name, typed.QUARANTINE):
        compact_day(lake, name, DAY)
    ticks(lake, export, 2, first=4)
    assert lake.read(ALERT_INFO.name).collect().height == 6
    assert lake.read(typed.QUARANTINE).collect().height == 6
    assert version_of(lake.open(ALERT_INFO.raw), ALERT_INFO.raw, DAY) == 6


def test_only_days_of_many_files_are_compacted(
    lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MANY_FILES", 3)
    monkeypatch.setattr(full_days, "__defaults__", (3,))
    ticks(lake, export, 5)
    ticks(lake, export, 2, DAY + timedelta(days=1))
    assert [done.day for done in compact(lake, ALERT_INFO.name)] == [DAY]
    assert compact(lake, ALERT_INFO.name) == []


def test_an_hour_whose_blob_was_recreated_keeps_its_files(lake: Lake, export: DirectoryExport) -> None:
    folder = Folder(export.root)
    for content in (records(ALERT_INFO, 0, 3), records(ALERT_INFO, 5, 1)):
        (export.root / ALERT_INFO.container / blob_path()).unlink(missing_ok=True)
        folder.append(ALERT_INFO, blob_path(), content)
        raw.ingest(lake, export, ALERT_INFO, DAY)
    cursors = read_cursors(lake.open(ALERT_INFO.raw), [DAY])
    assert compact_day(lake, ALERT_INFO.raw, DAY) is None
    assert files(lake, ALERT_INFO.raw) == 2
    assert len(cursors[DAY][blob_path()]) == 2


def test_a_writer_that_gets_in_between_is_not_lost(
    lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks(lake, export, 4)
    commit, between = Lake.commit, [1]

    def interrupted(self: Lake, target: Fenced, rows: Commit) -> None:
        if rows.replaces is not None and between:
            between.clear()
            ticks(lake, export, 1, first=4)
        commit(self, target, rows)

    monkeypatch.setattr(Lake, "commit", interrupted)
    compact_day(lake, ALERT_INFO.name, DAY)
    assert not between
    assert lake.read(ALERT_INFO.name).collect().height == 5
    assert files(lake, ALERT_INFO.name) == 1


def test_fences_outlive_checkpoints_and_the_log(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 3)
    for name in (ALERT_INFO.raw, ALERT_INFO.name):
        table = lake.open(name)
        table.alter.set_table_properties({"delta.logRetentionDuration": "interval 0 days"})
        maintain(lake, name)
        assert version_of(lake.open(name), name, DAY) == 3
    ticks(lake, export, 1, first=3)
    assert lake.read(ALERT_INFO.name).collect().height == 4


def test_dead_files_go_and_living_ones_stay(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 3)
    compact_day(lake, ALERT_INFO.name, DAY)
    folder = Path(lake.table_uri(ALERT_INFO.name))
    assert maintain(lake, ALERT_INFO.name).files_deleted == 0
    assert len(list(folder.rglob("part-*.parquet"))) == 4
    lake.open(ALERT_INFO.name).vacuum(0, dry_run=False, enforce_retention_duration=False)
    assert len(list(folder.rglob("part-*.parquet"))) == 1
    assert lake.read(ALERT_INFO.name).collect().height == 3


def test_old_days_leave_all_tables_and_are_not_read_again(lake: Lake, export: DirectoryExport) -> None:
    today = datetime.now(UTC).date()
    old, kept = today - timedelta(days=40), today - timedelta(days=2)
    for day in (old, kept):
        ticks(lake, export, 2, day)
        build(lake, day)
    short = Lake(lake.uri, LAYOUTS, keep_days=31)
    for layout in short.layouts:
        maintain(short, layout.name)
    for name in (ALERT_INFO.raw, ALERT_INFO.name, typed.QUARANTINE, LEADS.name):
        assert lake.read(name).select(pl.col("export_date").unique()).collect()["export_date"].to_list() == [kept]
    assert [behind.day for behind in survey(short, export, [old, kept])] == []
    Folder(export.root).append(ALERT_INFO, blob_path(day=old), records(ALERT_INFO, 0, 1))
    assert survey(short, export, [old, kept]) == []
    assert raw.ingest(short, export, ALERT_INFO, old).new_bytes == 0
    assert typed.derive(short, ALERT_INFO, old).rows == 0
    assert maintain(short, ALERT_INFO.raw).expired_rows == 0


def test_a_lake_without_retention_keeps_every_day(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 1, date(2020, 1, 1))
    assert maintain(lake, ALERT_INFO.name).expired_rows == 0
    assert lake.read(ALERT_INFO.name).collect().height == 1
    assert maintain(lake, DEVICE_INFO.name).compacted == []
