"""Commits on a local disk are durable before anything is built on them, whenever the power fails."""

from pathlib import Path

import pytest

from defender_assets.core.errors import LakeError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake import files
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.log_files import LogFiles
from defender_assets.core.lake.table_spec import PROPERTIES
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.support.exports import DAY, Folder, blob_path, records

REAL_SYNC = files._sync  # noqa: SLF001 (tests replace it: see conftest)
INTERVAL = int(PROPERTIES["delta.checkpointInterval"])


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files and directories that are synced, in order. They are really synced."""
    seen: list[Path] = []

    def sync(path: Path) -> None:
        REAL_SYNC(path)
        if path.exists():
            seen.append(path)

    monkeypatch.setattr(files, "_sync", sync)
    return seen


def test_everything_that_a_run_writes_is_synced_data_before_commits(
    lake: Lake, export: DirectoryExport, synced: list[Path]
) -> None:
    Folder(export.root).append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 3) + b"bad\n")
    ingest(lake, export, ALERT_INFO, DAY)
    build_table_day(lake, ALERT_INFO, DAY)
    written = {path for path in Path(lake.uri).rglob("*") if path.name[0] != "."}
    assert written - set(synced) == set()
    for name in (ALERT_INFO.raw, ALERT_INFO.name):
        table = Path(lake.table_uri(name))
        (data,) = table.rglob("part-*.parquet")
        commit = table / "_delta_log" / f"{1:020}.json"
        assert synced.index(data) < synced.index(commit) < synced.index(commit.parent, synced.index(commit))


def test_a_table_is_synced_before_the_next_one_is_written(
    lake: Lake, export: DirectoryExport, synced: list[Path]
) -> None:
    Folder(export.root).append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 3))
    ingest(lake, export, ALERT_INFO, DAY)
    raw = [path for path in synced if ALERT_INFO.raw in path.parts]
    synced.clear()
    build_table_day(lake, ALERT_INFO, DAY)
    assert raw
    assert all(ALERT_INFO.raw not in path.parts for path in synced)


def test_checkpoints_are_synced(lake: Lake, export: DirectoryExport, synced: list[Path]) -> None:
    for number in range(INTERVAL + 1):
        Folder(export.root).append(ALERT_INFO, blob_path(), records(ALERT_INFO, number, 1))
        ingest(lake, export, ALERT_INFO, DAY)
    log = LogFiles.of(lake.files(ALERT_INFO.raw))
    assert log is not None
    (checkpoint,) = log.checkpoints
    names = {path.name for path in synced}
    assert f"{checkpoint:020}.checkpoint.parquet" in names
    assert "_last_checkpoint" in names


def test_a_disk_that_cannot_sync_is_an_error_of_one_line(
    lake: Lake, export: DirectoryExport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Path) -> None:
        raise OSError(5, "Input/output error")

    Folder(export.root).append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 1))
    monkeypatch.setattr(files, "_sync", fails)
    with pytest.raises(LakeError, match=r"cannot make files durable in .*: Input/output error; check the disk"):
        ingest(lake, export, ALERT_INFO, DAY)


def test_numbers_recorded_without_rows_are_synced(lake: Lake, synced: list[Path]) -> None:
    target = lake.fenced(ALERT_INFO.name, DAY)
    synced.clear()
    lake.record(target, {"one": 1})
    written = lake.open(ALERT_INFO.name)
    assert written.transaction_version("one") == 1
    assert f"{written.version():020}.json" in {path.name for path in synced}
