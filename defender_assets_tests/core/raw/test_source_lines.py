from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.raw.source_lines import SourceLine, fetch_source_lines
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO
from defender_assets_tests.support.exports import DAY, TENANT, blob_path, local_lake

PATH = blob_path()
FIRST = datetime(2026, 11, 3, 8, tzinfo=UTC)


def commit_chunk(lake: Lake, content: bytes, start: int = 0, created_at: datetime = FIRST) -> None:
    """Commit a chunk to raw."""
    target = lake.fenced(ALERT_INFO.raw, DAY)
    row = {
        "tenant_id": TENANT,
        "export_date": DAY,
        "hour": 8,
        "blob": PATH,
        "blob_created_at": created_at,
        "byte_start": start,
        "byte_end": start + len(content),
        "batch": target.version + 1,
        "content": content,
    }
    lake.commit(target, Commit([pl.DataFrame([row], schema=target.spec.schema)], target.version + 1))


def source(offset: int, table: str = ALERT_INFO.name, blob: str = PATH) -> dict[str, object]:
    return {"table": table, "blob": blob, "byte_offset": offset}


def test_a_line_is_returned_unchanged_without_its_line_end(tmp_path: Path) -> None:
    lake = local_lake(tmp_path)
    commit_chunk(lake, b"one\r\ntwo \xff\r\n")
    commit_chunk(lake, b"three\nfour", start=12)

    found = fetch_source_lines(lake, [source(12), source(5), source(0), source(18), source(5)])

    assert [(line.byte_offset, line.content) for line in found] == [
        (0, b"one"),
        (5, b"two \xff"),
        (12, b"three"),
        (18, b"four"),
    ]
    assert found[0] == SourceLine(ALERT_INFO.name, PATH, 0, FIRST, b"one")


def test_a_recreated_blob_gives_the_line_of_each_generation(tmp_path: Path) -> None:
    lake = local_lake(tmp_path)
    later = FIRST + timedelta(minutes=1)
    commit_chunk(lake, b"one\r\ntwo\r\n")
    commit_chunk(lake, b"uno\r\ndos\r\n", created_at=later)
    commit_chunk(lake, b"longer\r\n", created_at=later + timedelta(minutes=1))

    found = fetch_source_lines(lake, [source(5)])

    # no line of the last generation starts there
    assert [(line.blob_created_at, line.content) for line in found] == [(FIRST, b"two"), (later, b"dos")]


def test_lines_that_are_not_in_raw_are_omitted(tmp_path: Path) -> None:
    lake = local_lake(tmp_path)
    assert fetch_source_lines(lake, [source(0)]) == []
    commit_chunk(lake, b"one\r\n")

    assert fetch_source_lines(lake, []) == []
    strange = [source(1), source(99), source(0, blob="elsewhere"), source(0, table="other")]
    other_hour, other_table = source(0, blob=blob_path(hour=9)), source(0, table=DEVICE_INFO.name)
    assert fetch_source_lines(lake, [*strange, other_hour, other_table]) == []
