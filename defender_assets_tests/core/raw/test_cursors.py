"""Cursors from the Delta log if its statistics are exact, else from the data files."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from defender_assets.core.export.blobs import Blob, generation
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.raw import cursors
from defender_assets.core.raw.cursors import read_cursors
from defender_assets.core.schemas import ALERT_INFO, RAW_SCHEMA
from defender_assets_tests.support.exports import DAY, TENANT, blob_path

CREATED = datetime(2026, 11, 3, 8, 0, 1, 123000, tzinfo=UTC)
LATER = CREATED + timedelta(milliseconds=1)
PATH = blob_path()


def commit(lake: Lake, *chunks: tuple[str, datetime, int, int]) -> None:
    """One commit of one file: blob, generation, byte_start, byte_end."""
    rows = [
        {
            "tenant_id": TENANT,
            "export_date": DAY,
            "hour": 8,
            "blob": blob,
            "blob_created_at": created,
            "byte_start": start,
            "byte_end": end,
            "batch": 1,
            "line_part": None,
            "fetched_at": CREATED,
            "content": b"x" * (end - start),
        }
        for blob, created, start, end in chunks
    ]
    target = lake.fenced(ALERT_INFO.raw, DAY)
    lake.commit(target, Commit([pl.DataFrame(rows, schema=RAW_SCHEMA)], target.version + 1))


def test_an_empty_table_has_no_cursors(lake: Lake) -> None:
    assert read_cursors(lake.open(ALERT_INFO.raw), [DAY]) == {DAY: {}}


def test_exact_statistics_give_cursors_without_reading_a_file(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(lake, (PATH, CREATED, 0, 10), (PATH, CREATED, 10, 25))
    commit(lake, (PATH, LATER, 0, 7))
    monkeypatch.setattr(cursors, "scan", None)
    assert read_cursors(lake.open(ALERT_INFO.raw), [DAY]) == {DAY: {PATH: {CREATED: 25, LATER: 7}}}


@pytest.mark.parametrize("other", [(PATH, LATER), (f"{PATH[:-5]}-2.json", CREATED)], ids=["generation", "blob"])
def test_a_file_with_several_blobs_or_generations_is_read(lake: Lake, other: tuple[str, datetime]) -> None:
    commit(lake, (PATH, CREATED, 0, 10), (*other, 0, 7))
    expected: dict[str, dict[datetime, int]] = {PATH: {CREATED: 10}}
    expected.setdefault(other[0], {})[other[1]] = 7
    assert read_cursors(lake.open(ALERT_INFO.raw), [DAY]) == {DAY: expected}


def listed(size: int, created: datetime = CREATED) -> Blob:
    return Blob(TENANT, PATH, DAY, 8, size, created)


def test_a_generation_of_azure_is_its_creation_time() -> None:
    known = {CREATED: 50}
    new = CREATED + timedelta(seconds=5)
    assert generation(listed(60), {}, fixed_creation=True) == (CREATED, 0)
    assert generation(listed(60), known, fixed_creation=True) == (CREATED, 50)
    assert generation(listed(60, new), known, fixed_creation=True) == (new, 0)


def test_a_generation_of_a_directory_is_the_latest_until_the_file_is_shorter() -> None:
    known = {CREATED: 50, LATER: 20}
    touched = CREATED + timedelta(hours=1)
    assert generation(listed(30, touched), known, fixed_creation=False) == (LATER, 20)
    assert generation(listed(10, touched), known, fixed_creation=False) == (touched, 0)
    assert generation(listed(10, CREATED), known, fixed_creation=False) == (LATER + timedelta(milliseconds=1), 0)


def test_a_blob_recreated_within_the_second_is_detected_by_its_size() -> None:
    created, cursor = generation(listed(10), {CREATED: 50}, fixed_creation=True)
    assert (created, cursor) == (LATER, 0)
    assert generation(listed(30), {CREATED: 50, LATER: 10}, fixed_creation=True) == (LATER, 10)
