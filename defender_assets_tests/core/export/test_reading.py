"""Reading ranges of blobs that grow, vanish or are recreated meanwhile, and what raw stores of them."""

import time
from collections.abc import Callable
from itertools import pairwise
from threading import Event, Thread

import polars as pl
import pytest

from defender_assets.core.export import Blob, BlobChangedError
from defender_assets.core.export.listing import list_day
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.raw.range_reader import SLICE
from defender_assets.core.schemas import ALERT_INFO
from defender_assets_tests.support.export_accounts import Account, ExportStorage, Meanwhile
from defender_assets_tests.support.exports import DAY, blob_path, line, properties, records

CONTAINER = ALERT_INFO.container
PATH = blob_path()


def listed(storage: ExportStorage) -> Blob:
    (blob,) = list_day(storage.export, CONTAINER, DAY).blobs
    return blob


def generations(lake: Lake) -> list[bytes]:
    """The bytes of the blob in raw, by generation."""
    rows = lake.read(ALERT_INFO.raw).sort("blob_created_at", "byte_start").collect()
    found = []
    for (_,), chunks in rows.group_by("blob_created_at", maintain_order=True):
        assert chunks["byte_start"].to_list() == [0, *chunks["byte_end"].to_list()[:-1]]
        found.append(b"".join(chunks["content"]))
    return found


def recreate(storage: ExportStorage, content: bytes) -> None:
    """Delete and recreate the blob. Azure has creation times in whole seconds, so this waits for the next one."""
    old = listed(storage).created_at
    storage.delete(CONTAINER, PATH)
    storage.append(CONTAINER, PATH, content)
    while storage.export.fixed_creation and listed(storage).created_at == old:
        time.sleep(0.1)  # the emulator's clock has no event
        storage.delete(CONTAINER, PATH)
        storage.append(CONTAINER, PATH, content)


def test_ranges_are_read_as_written(storage: ExportStorage) -> None:
    content = records(ALERT_INFO, 0, 3)
    storage.append(CONTAINER, PATH, content)
    blob = listed(storage)
    for start, end in ((0, 1), (0, len(content)), (17, 400), (len(content) - 1, len(content))):
        assert storage.export.read(CONTAINER, blob, start, end) == content[start:end]


def test_the_listed_range_is_read_though_the_blob_has_grown(storage: ExportStorage) -> None:
    content = records(ALERT_INFO, 0, 3)
    storage.append(CONTAINER, PATH, content)
    blob = listed(storage)
    storage.append(CONTAINER, PATH, records(ALERT_INFO, 3, 3))
    assert storage.export.read(CONTAINER, blob, 0, blob.size) == content


def test_ranges_are_read_while_the_blob_is_being_appended_to(storage: ExportStorage) -> None:
    content = records(ALERT_INFO, 0, 40)
    storage.append(CONTAINER, PATH, content)
    blob, enough = listed(storage), Event()

    def grow() -> None:
        while not enough.is_set():
            storage.append(CONTAINER, PATH, b"more\r\n")

    writer = Thread(target=grow)
    writer.start()
    try:
        step = 1000
        parts = [
            storage.export.read(CONTAINER, blob, at, min(at + step, blob.size)) for at in range(0, blob.size, step)
        ]
    finally:
        enough.set()
        writer.join()
    assert b"".join(parts) == content
    assert listed(storage).size > blob.size


def test_an_empty_blob_is_not_read_and_is_no_error(storage: ExportStorage, lake: Lake) -> None:
    storage.create(CONTAINER, PATH)
    assert listed(storage).size == 0
    report = ingest(lake, storage.export, ALERT_INFO, DAY)
    assert (len(report.listed), report.new_bytes, report.pending_bytes, report.batch) == (1, 0, 0, 0)
    content = records(ALERT_INFO, 0, 1)
    storage.append(CONTAINER, PATH, content)
    assert ingest(lake, storage.export, ALERT_INFO, DAY).new_bytes == len(content)


def delete_blob(storage: ExportStorage) -> None:
    storage.delete(CONTAINER, PATH)


def delete_container(storage: ExportStorage) -> None:
    storage.delete_container(CONTAINER)


@pytest.mark.parametrize("vanish", [delete_blob, delete_container])
def test_a_deleted_blob_counts_as_changed(
    storage: ExportStorage, lake: Lake, vanish: Callable[[ExportStorage], None]
) -> None:
    content = records(ALERT_INFO, 0, 2)
    storage.append(CONTAINER, PATH, content)
    ingest(lake, storage.export, ALERT_INFO, DAY)
    storage.append(CONTAINER, PATH, records(ALERT_INFO, 2, 1))
    blob = listed(storage)
    meanwhile = Meanwhile(storage.export, lambda: vanish(storage))
    report = ingest(lake, meanwhile, ALERT_INFO, DAY)
    assert meanwhile.happened
    assert (report.new_bytes, report.listed) == (0, [])
    assert generations(lake) == [content]
    with pytest.raises(BlobChangedError):
        storage.export.read(CONTAINER, blob, 0, blob.size)


def test_a_range_behind_the_end_counts_as_changed(storage: ExportStorage) -> None:
    storage.append(CONTAINER, PATH, b"0123456789")
    blob = listed(storage)
    for start, end in ((5, 11), (10, 12), (500, 600)):
        with pytest.raises(BlobChangedError):
            storage.export.read(CONTAINER, blob, start, end)


@pytest.mark.azure
def test_a_recreated_blob_counts_as_changed_even_if_it_is_longer(azure: Account) -> None:
    azure.append(CONTAINER, PATH, records(ALERT_INFO, 0, 2))
    blob = listed(azure)
    recreate(azure, records(ALERT_INFO, 5, 4))
    assert listed(azure).created_at > blob.created_at
    with pytest.raises(BlobChangedError):
        azure.export.read(CONTAINER, blob, 0, blob.size)


@pytest.mark.azure
def test_a_blob_recreated_between_listing_and_reading_becomes_a_new_generation(azure: Account, lake: Lake) -> None:
    old, new = records(ALERT_INFO, 0, 2), records(ALERT_INFO, 5, 4)
    azure.append(CONTAINER, PATH, old)
    ingest(lake, azure.export, ALERT_INFO, DAY)
    azure.append(CONTAINER, PATH, records(ALERT_INFO, 2, 1))
    meanwhile = Meanwhile(azure.export, lambda: recreate(azure, new))
    assert ingest(lake, meanwhile, ALERT_INFO, DAY).new_bytes == len(new)
    assert generations(lake) == [old, new]
    azure.append(CONTAINER, PATH, old)
    assert ingest(lake, azure.export, ALERT_INFO, DAY).new_bytes == len(old)
    assert generations(lake) == [old, new + old]
    assert ingest(lake, azure.export, ALERT_INFO, DAY).new_bytes == 0


def test_a_shorter_blob_between_listing_and_reading_becomes_a_new_generation(
    storage: ExportStorage, lake: Lake
) -> None:
    old, new = records(ALERT_INFO, 0, 3), records(ALERT_INFO, 5, 1)
    storage.append(CONTAINER, PATH, old)
    ingest(lake, storage.export, ALERT_INFO, DAY)
    storage.append(CONTAINER, PATH, records(ALERT_INFO, 3, 1))
    meanwhile = Meanwhile(storage.export, lambda: recreate(storage, new))
    assert ingest(lake, meanwhile, ALERT_INFO, DAY).new_bytes == len(new)
    assert generations(lake) == [old, new]


def test_blobs_larger_than_a_slice_are_read_completely(storage: ExportStorage, lake: Lake) -> None:
    wide = [line(ALERT_INFO, properties(ALERT_INFO, AlertId=f"da{n}", Title="x" * 60_000)) for n in range(300)]
    content = b"".join(wide)
    assert len(content) > 2 * SLICE
    storage.append(CONTAINER, PATH, content)
    report = ingest(lake, storage.export, ALERT_INFO, DAY)
    assert (report.new_bytes, report.batch) == (len(content), 1)
    assert report.chunks > 2
    assert generations(lake) == [content]


def test_bytes_of_every_append_arrive_once_with_reads_in_between(storage: ExportStorage, lake: Lake) -> None:
    content = records(ALERT_INFO, 0, 6)
    cuts = [0, 1, 250, 251, 900, len(content) - 1, len(content)]
    for start, end in pairwise(cuts):
        storage.append(CONTAINER, PATH, content[start:end])
        ingest(lake, storage.export, ALERT_INFO, DAY)
    assert generations(lake) == [content]
    batches = lake.read(ALERT_INFO.raw).select(pl.col("batch").unique().sort()).collect()["batch"].to_list()
    assert batches == list(range(1, len(batches) + 1))


@pytest.mark.azure
def test_archived_blobs_of_an_account_stop_no_other_blob(azure: Account, lake: Lake) -> None:
    container = azure.service.create_container(ALERT_INFO.container)
    for hour in range(4):
        blob = container.upload_blob(blob_path(hour=hour), records(ALERT_INFO, hour, 1))
        if hour in (1, 2):
            blob.set_standard_blob_tier("Archive")
    report = ingest(lake, azure.export, ALERT_INFO, DAY)
    assert sorted(lake.read(ALERT_INFO.raw).collect()["hour"].to_list()) == [0, 3]
    assert [part.path for part in report.unreadable] == [blob_path(hour=hour) for hour in (1, 2)]
    advice = "BlobArchived: it is archived; rehydrate it (change its access tier to Hot or Cool)"
    assert report.unreadable[0].reason.startswith(f"cannot read {ALERT_INFO.container}/{blob_path(hour=1)} at http://")
    assert report.unreadable[0].reason.endswith(advice)
