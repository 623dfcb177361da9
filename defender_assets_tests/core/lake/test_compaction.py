"""Compaction: the same rows in fewer files, also beside writers, other compactions and runs."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event

import polars as pl
import pytest

from defender_assets.core.errors import LakeError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake import compaction
from defender_assets.core.lake.compaction import compact, compact_day, in_order
from defender_assets.core.lake.data_files import fragmented_days
from defender_assets.core.lake.fences import version_of
from defender_assets.core.lake.lake import Commit, FencedTable, Lake
from defender_assets.core.lake.maintenance import maintain
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.cursors import read_cursors
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, QUARANTINE
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.core.lake.conftest import build, ticks
from defender_assets_tests.support.day_runs import assert_same, bytes_held, promised
from defender_assets_tests.support.exports import DAY, Folder, blob_path, compacted_above, local_lake, records


def files(lake: Lake, name: str) -> int:
    return lake.open(name).get_add_actions().num_rows


def test_a_compacted_lake_has_the_same_rows_in_fewer_files(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 8)
    build(lake, DAY)
    before, raw_bytes = promised(lake), bytes_held(lake)
    cursors = read_cursors(lake.open(ALERT_INFO.raw), [DAY])
    for name in (ALERT_INFO.raw, ALERT_INFO.name, QUARANTINE):
        done = compact_day(lake, name, DAY)
        assert done is not None
        assert done.files_before >= 8
        assert done.files_after == files(lake, name) <= 2
    assert bytes_held(lake) == raw_bytes
    after = promised(lake)
    assert all(after[name].equals(frame) for name, frame in before.items())
    assert read_cursors(lake.open(ALERT_INFO.raw), [DAY]) == cursors
    assert lake.read(ALERT_INFO.name).collect()["AlertId"].is_sorted()
    assert find_stale_days(lake, export, [DAY]) == []


def test_runs_continue_after_a_compaction(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 4)
    for name in (ALERT_INFO.raw, ALERT_INFO.name, QUARANTINE):
        compact_day(lake, name, DAY)
    ticks(lake, export, 2, first=4)
    assert lake.read(ALERT_INFO.name).collect().height == 6
    assert lake.read(QUARANTINE).collect().height == 6
    assert version_of(lake.open(ALERT_INFO.raw), ALERT_INFO.raw, DAY) == 6


def test_only_days_with_many_files_are_compacted(lake: Lake, export: DirectoryExport) -> None:
    lake = compacted_above(lake, 3)
    ticks(lake, export, 5)
    ticks(lake, export, 2, DAY + timedelta(days=1))
    assert [done.day for done in compact(lake, ALERT_INFO.name)] == [DAY]
    assert compact(lake, ALERT_INFO.name) == []


def test_an_hour_whose_blob_was_recreated_keeps_its_files(lake: Lake, export: DirectoryExport) -> None:
    folder = Folder(export.root)
    for content in (records(ALERT_INFO, 0, 3), records(ALERT_INFO, 5, 1)):
        (export.root / ALERT_INFO.container / blob_path()).unlink(missing_ok=True)
        folder.append(ALERT_INFO, blob_path(), content)
        ingest(lake, export, ALERT_INFO, DAY)
    cursors = read_cursors(lake.open(ALERT_INFO.raw), [DAY])
    assert compact_day(lake, ALERT_INFO.raw, DAY) is None
    assert files(lake, ALERT_INFO.raw) == 2
    assert len(cursors[DAY][blob_path()]) == 2


def test_a_concurrent_writer_is_not_lost(lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks(lake, export, 4)
    commit, pending = Lake.commit, [1]

    def interrupted(self: Lake, target: FencedTable, rows: Commit) -> None:
        if rows.replaces is not None and pending:
            pending.clear()
            ticks(lake, export, 1, first=4)
        commit(self, target, rows)

    monkeypatch.setattr(Lake, "commit", interrupted)
    compact_day(lake, ALERT_INFO.name, DAY)
    assert not pending
    assert lake.read(ALERT_INFO.name).collect().height == 5
    assert files(lake, ALERT_INFO.name) == 1


def test_two_compactions_at_once_leave_each_row_once(
    lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OPTIMIZE fails this: two of them from one snapshot both commit and duplicate every row."""
    ticks(lake, export, 6)
    raw_bytes, before = bytes_held(lake), promised(lake)
    commit, pending = Lake.commit, [ALERT_INFO.name, ALERT_INFO.raw, QUARANTINE]

    def interrupted(self: Lake, target: FencedTable, rows: Commit) -> None:
        if target.spec.name in pending:
            pending.remove(target.spec.name)
            assert compact_day(lake, target.spec.name, DAY) is not None
        commit(self, target, rows)

    monkeypatch.setattr(Lake, "commit", interrupted)
    for name in (ALERT_INFO.raw, ALERT_INFO.name, QUARANTINE):
        compact_day(lake, name, DAY)
    assert not pending
    assert bytes_held(lake) == raw_bytes
    after = promised(lake)
    assert all(after[name].equals(frame) for name, frame in before.items())


def test_maintenance_concurrent_with_ticks_loses_nothing(lake: Lake, export: DirectoryExport, tmp_path: Path) -> None:
    lake = compacted_above(lake, 1)
    over = Event()
    rewritten = []

    def maintenance() -> None:
        while not over.is_set():
            for name in (ALERT_INFO.raw, ALERT_INFO.name, QUARANTINE):
                rewritten.extend(maintain(lake, name).compacted)

    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(maintenance)
        try:
            ticks(lake, export, 8)
        finally:
            over.set()
        beside.result()
    assert rewritten
    calm = local_lake(tmp_path / "calm")
    ingest(calm, export, ALERT_INFO, DAY)
    build_table_day(calm, ALERT_INFO, DAY)
    assert_same(lake, calm)


def test_a_day_of_many_tenants_without_mergeable_hours_is_not_compacted(lake: Lake, export: DirectoryExport) -> None:
    folder = Folder(export.root)
    for number in range(5):
        folder.append(ALERT_INFO, blob_path(tenant=f"tenant-{number}"), records(ALERT_INFO, number, 1))
    ingest(lake, export, ALERT_INFO, DAY)
    assert files(lake, ALERT_INFO.raw) == 5
    assert fragmented_days(lake.open(ALERT_INFO.raw), 0) == []
    folder.append(ALERT_INFO, blob_path(tenant="tenant-3"), records(ALERT_INFO, 9, 1))
    ingest(lake, export, ALERT_INFO, DAY)
    assert fragmented_days(lake.open(ALERT_INFO.raw), 0) == [(DAY, 2)]


def test_an_hour_with_a_hole_is_not_compacted(lake: Lake, export: DirectoryExport) -> None:
    ticks(lake, export, 6)
    lake.open(ALERT_INFO.raw).delete("batch = 3")
    done = compact_day(lake, ALERT_INFO.raw, DAY)
    assert done is not None
    assert (done.files_before, done.files_after) == (5, 3)


def test_without_maintenance_runs_compact_their_day(
    lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "TOO_MANY_FILES", 3)
    ticks(lake, export, 9)
    assert files(lake, ALERT_INFO.raw) <= 5
    assert files(lake, ALERT_INFO.name) <= 4
    assert lake.read(ALERT_INFO.name).collect().height == 9


def test_a_failing_compaction_does_not_end_the_run(
    lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object) -> None:
        raise LakeError("the disk is full")

    monkeypatch.setattr(compaction, "TOO_MANY_FILES", 1)
    monkeypatch.setattr(compaction, "compact_day", failing)
    ticks(lake, export, 3)
    assert lake.read(ALERT_INFO.name).collect().height == 3
    assert "could not be compacted, a later run tries again: LakeError" in caplog.text


def test_missing_rows_stop_a_compaction(lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks(lake, export, 3)
    monkeypatch.setattr(compaction, "in_order", lambda rows, *_: iter([rows.head(2).collect()]))
    with pytest.raises(LakeError, match="read 2 of 3 rows; nothing was changed"):
        compact_day(lake, ALERT_INFO.name, DAY)
    assert lake.read(ALERT_INFO.name).collect().height == 3


def test_a_day_larger_than_memory_is_sorted_in_pieces() -> None:
    keys = ["c", "a", None, "b", "a", "d", "b", "a"]
    rows = pl.LazyFrame({"key": keys, "number": range(8)}, schema={"key": pl.String, "number": pl.Int64})
    for limit in (1, 2, 3, 100):
        frames = list(in_order(rows, ("key", "number"), pl.lit(1, pl.Int64), limit))
        assert pl.concat(frames).equals(rows.sort("key", "number").collect())
        assert max(frame.height for frame in frames) <= max(limit, 3) + 2
