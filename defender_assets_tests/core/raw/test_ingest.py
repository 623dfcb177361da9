"""Ingestion into raw: every byte once, split at newlines, whatever happens to the blobs."""

from datetime import date

import polars as pl
import pytest

from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw import range_reader
from defender_assets.core.raw.ingest import ingest, refresh
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO, TABLES
from defender_assets_tests.support.exports import DAY, OTHER_TENANT, Folder, blob_path, records


def stored(lake: Lake, day: date = DAY) -> dict[str, bytes]:
    rows = lake.read(ALERT_INFO.raw).filter(pl.col("export_date") == day).collect()
    texts: dict[str, bytes] = {}
    for (blob, _), chunk in sorted(rows.group_by("blob", "blob_created_at")):
        ordered = chunk.sort("byte_start")
        assert ordered["byte_start"].to_list() == [0, *ordered["byte_end"].to_list()[:-1]]
        texts[str(blob)] = texts.get(str(blob), b"") + b"".join(ordered["content"])
    return texts


def test_a_missing_container_has_no_bytes(lake: Lake, export: DirectoryExport) -> None:
    for table in TABLES:
        assert ingest(lake, export, table, DAY).new_bytes == 0


def test_bytes_are_stored_unchanged_and_a_second_run_reads_none(
    lake: Lake, export: DirectoryExport, folder: Folder
) -> None:
    content = records(ALERT_INFO, 0, 3)
    folder.append(ALERT_INFO, blob_path(), content)
    first = ingest(lake, export, ALERT_INFO, DAY)
    second = ingest(lake, export, ALERT_INFO, DAY)
    assert (first.new_bytes, first.batch, second.new_bytes, second.batch) == (len(content), 1, 0, 1)
    assert stored(lake) == {blob_path(): content}


def test_a_tail_without_its_newline_stays_pending(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    whole, tail = records(ALERT_INFO, 0, 1), records(ALERT_INFO, 1, 1)
    folder.append(ALERT_INFO, blob_path(), whole + tail[:-1])
    report = ingest(lake, export, ALERT_INFO, DAY)
    assert (report.new_bytes, report.pending_bytes) == (len(whole), len(tail) - 1)
    assert ingest(lake, export, ALERT_INFO, DAY).batch == 1
    folder.append(ALERT_INFO, blob_path(), tail[-1:])
    assert ingest(lake, export, ALERT_INFO, DAY).new_bytes == len(tail)
    assert stored(lake) == {blob_path(): whole + tail}


def test_tenants_and_hours_are_separate(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    paths = [blob_path(hour=3), blob_path(hour=4), blob_path(hour=3, tenant=OTHER_TENANT)]
    for number, path in enumerate(paths):
        folder.append(ALERT_INFO, path, records(ALERT_INFO, number, 1))
    report = ingest(lake, export, ALERT_INFO, DAY)
    assert (len(report.listed), report.batch) == (3, 1)
    assert set(stored(lake)) == set(paths)


def test_a_shorter_file_is_a_new_generation_and_the_old_one_stays(
    lake: Lake, export: DirectoryExport, folder: Folder
) -> None:
    old, new = records(ALERT_INFO, 0, 3), records(ALERT_INFO, 7, 1)
    file = folder.append(ALERT_INFO, blob_path(), old)
    ingest(lake, export, ALERT_INFO, DAY)
    file.write_bytes(new)
    assert ingest(lake, export, ALERT_INFO, DAY).new_bytes == len(new)
    folder.append(ALERT_INFO, blob_path(), old)
    assert ingest(lake, export, ALERT_INFO, DAY).new_bytes == len(old)
    assert stored(lake) == {blob_path(): old + new + old}


def test_a_touched_file_is_no_new_generation(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    file = folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 3))
    ingest(lake, export, ALERT_INFO, DAY)
    file.touch()
    assert ingest(lake, export, ALERT_INFO, DAY).new_bytes == 0


@pytest.mark.parametrize("slice_bytes", [1, 7, 100, 10_000])
def test_any_slice_size_gives_the_same_bytes(
    lake: Lake, export: DirectoryExport, folder: Folder, slice_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = records(ALERT_INFO, 0, 4)
    monkeypatch.setattr(range_reader.RangeReader.chunks, "__defaults__", (slice_bytes,))
    monkeypatch.setattr(range_reader.RangeReader.up_to, "__defaults__", (slice_bytes,))
    folder.append(ALERT_INFO, blob_path(), content + b"pending")
    folder.append(ALERT_INFO, blob_path(hour=9), content)
    report = ingest(lake, export, ALERT_INFO, DAY)
    assert report.pending_bytes == len(b"pending")
    assert stored(lake) == {blob_path(): content, blob_path(hour=9): content}


def test_a_large_day_takes_several_commits_each_ending_at_a_line(
    lake: Lake, export: DirectoryExport, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = records(ALERT_INFO, 0, 30)
    monkeypatch.setattr(range_reader.RangeReader.up_to, "__defaults__", (1000,))
    folder.append(ALERT_INFO, blob_path(), content)
    report = ingest(lake, export, ALERT_INFO, DAY, commit_bytes=3000)
    assert report.batch > 3
    assert report.new_bytes == len(content)
    assert stored(lake) == {blob_path(): content}


def test_a_line_above_16_mib_is_stored_in_parts(
    lake: Lake, export: DirectoryExport, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_reader, "LONGEST_LINE", 1000)
    monkeypatch.setattr(range_reader.RangeReader.up_to, "__defaults__", (400,))
    good, long = records(ALERT_INFO, 0, 1), b'{"x":"' + b"y" * 5000 + b'"}\r\n'
    folder.append(ALERT_INFO, blob_path(), good + long + good + b"z" * 3000)
    ingest(lake, export, ALERT_INFO, DAY, commit_bytes=500)
    assert stored(lake) == {blob_path(): good + long + good}
    parts = lake.read(ALERT_INFO.raw).filter(pl.col("line_part").is_not_null()).collect()
    assert parts.height > 10
    assert parts["batch"].n_unique() == 1
    folder.append(ALERT_INFO, blob_path(), b"\n")
    ingest(lake, export, ALERT_INFO, DAY)
    assert stored(lake) == {blob_path(): good + long + good + b"z" * 3000 + b"\n"}


def test_a_full_refresh_replaces_existing_blobs_and_keeps_vanished_ones(
    lake: Lake, export: DirectoryExport, folder: Folder
) -> None:
    content = records(ALERT_INFO, 0, 3)
    gone = folder.append(ALERT_INFO, blob_path(hour=1), content)
    folder.append(ALERT_INFO, blob_path(hour=2), content)
    ingest(lake, export, ALERT_INFO, DAY)
    gone.unlink()
    more = records(ALERT_INFO, 5, 1)
    folder.append(ALERT_INFO, blob_path(hour=2), more)
    report = refresh(lake, export, ALERT_INFO, DAY)
    assert (report.replaced_blobs, report.batch) == (1, 2)
    assert stored(lake) == {blob_path(hour=1): content, blob_path(hour=2): content + more}
    batches = lake.read(ALERT_INFO.raw).group_by("blob").agg(pl.col("batch").max()).collect()
    assert dict(batches.rows()) == {blob_path(hour=1): 1, blob_path(hour=2): 2}
    assert ingest(lake, export, ALERT_INFO, DAY).new_bytes == 0


def test_tables_do_not_share_cursors(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 3))
    folder.append(DEVICE_INFO, blob_path(), records(DEVICE_INFO, 0, 1))
    ingest(lake, export, ALERT_INFO, DAY)
    assert ingest(lake, export, DEVICE_INFO, DAY).new_bytes == len(records(DEVICE_INFO, 0, 1))
