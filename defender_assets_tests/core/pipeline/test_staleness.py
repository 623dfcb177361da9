"""Finding the days that are behind, from listings and versions only."""

import shutil
from datetime import timedelta

from defender_assets.catalog import BRIEFS, DERIVED, LEADS, QUEUE, STORIES
from defender_assets.core.export import DirectoryExport, UnreadablePart
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import StaleDay, find_stale_days, list_all, list_days
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, TABLES
from defender_assets.core.tables.build import build_table_day
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import DAY, Folder, blob_path, records

NEXT = DAY + timedelta(days=1)


def test_an_empty_export_has_no_day_behind(lake: Lake, export: DirectoryExport) -> None:
    assert find_stale_days(lake, export, [DAY, NEXT]) == []


def test_a_day_with_new_bytes_is_behind_until_it_has_run(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 2))
    (behind,) = find_stale_days(lake, export, [DAY, NEXT])
    assert behind.day == DAY
    assert behind.missing_bytes == len(records(ALERT_INFO, 0, 2))
    assert f"{behind.missing_bytes:,} new bytes in 1 blob" in behind.describe()
    run_day(lake, export, DAY)
    assert find_stale_days(lake, export, [DAY, NEXT]) == []


def test_the_first_parts_that_cannot_be_listed_are_named_and_the_others_counted() -> None:
    parts = tuple(UnreadablePart(ALERT_INFO.container, f"tenantId={number}", "refused") for number in range(5))
    said = StaleDay(DAY, (), (), parts).describe()
    assert "tenantId=2 cannot be listed, and 2 more" in said
    assert "tenantId=3" not in said


def test_the_digest_changes_only_with_what_is_missing(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 2))
    first, again = (find_stale_days(lake, export, [DAY])[0].digest for _ in range(2))
    folder.append(ALERT_INFO, blob_path(), b"x")
    assert first == again
    assert find_stale_days(lake, export, [DAY])[0].digest != first


def test_a_run_that_died_after_raw_leaves_the_day_behind_in_versions(
    lake: Lake, export: DirectoryExport, folder: Folder
) -> None:
    folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 2))
    ingest(lake, export, ALERT_INFO, DAY)
    (behind,) = find_stale_days(lake, export, [DAY])
    assert behind.missing == ()
    assert {stale.table for stale in behind.stale} == {ALERT_INFO.name, f"quarantined_records of {ALERT_INFO.name}"}
    build_table_day(lake, ALERT_INFO, DAY)
    assert [stale.table for stale in find_stale_days(lake, export, [DAY])[0].stale] == [LEADS.name]
    build_partition(lake, LEADS, DAY)
    assert [stale.table for stale in find_stale_days(lake, export, [DAY])[0].stale] == [of.name for of in DERIVED[1:]]


def test_a_day_that_grows_makes_the_later_days_of_the_look_back_stale(
    lake: Lake, export: DirectoryExport, folder: Folder
) -> None:
    far, too_far = DAY + timedelta(days=30), DAY + timedelta(days=31)
    for day in (DAY, NEXT, far, too_far):
        folder.append(ALERT_EVIDENCE, blob_path(day=day), records(ALERT_EVIDENCE, 0, 1))
    for day in (DAY, NEXT, far, too_far):
        run_day(lake, export, day)
    folder.append(ALERT_EVIDENCE, blob_path(), records(ALERT_EVIDENCE, 1, 1))
    run_day(lake, export, DAY)
    behind = find_stale_days(lake, export, [DAY, NEXT, far, too_far])
    assert [(day.day, [stale.table for stale in day.stale]) for day in behind] == [
        (NEXT, [LEADS.name, STORIES.name, QUEUE.name, BRIEFS.name]),
        (far, [LEADS.name]),
    ]


def test_a_lake_without_the_queue_is_behind_until_it_is_built(
    lake: Lake, export: DirectoryExport, folder: Folder
) -> None:
    for first, day in ((0, DAY), (2, NEXT)):
        folder.append(ALERT_INFO, blob_path(day=day), records(ALERT_INFO, first, 2))
        run_day(lake, export, day)
    shutil.rmtree(lake.table_uri(QUEUE.name))
    behind = find_stale_days(lake, export, [DAY, NEXT])
    assert [(day.day, [stale.table for stale in day.stale]) for day in behind] == [
        (DAY, [QUEUE.name, BRIEFS.name]),
        (NEXT, [QUEUE.name, BRIEFS.name]),
    ]
    for day in (DAY, NEXT):
        run_day(lake, export, day)
    assert find_stale_days(lake, export, [DAY, NEXT]) == []
    assert lake.read(QUEUE.name).collect().height == 2 * 2


def test_leads_read_devices_of_seven_days(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    near, far = DAY + timedelta(days=7), DAY + timedelta(days=8)
    for day in (near, far):
        folder.append(ALERT_INFO, blob_path(day=day), records(ALERT_INFO, 0, 1))
        run_day(lake, export, day)
    folder.append(DEVICE_INFO, blob_path(), records(DEVICE_INFO, 0, 1))
    run_day(lake, export, DAY)
    assert [day.day for day in find_stale_days(lake, export, [near, far])] == [near]


def test_a_day_whose_blobs_were_deleted_is_still_completed(lake: Lake, export: DirectoryExport, folder: Folder) -> None:
    file = folder.append(ALERT_INFO, blob_path(), records(ALERT_INFO, 0, 2))
    ingest(lake, export, ALERT_INFO, DAY)
    file.unlink()
    assert [behind.day for behind in find_stale_days(lake, export, [DAY])] == [DAY]


def test_listing_everything_agrees_with_listing_by_day(export: DirectoryExport, folder: Folder) -> None:
    for day in (DAY, NEXT):
        for table in TABLES:
            folder.append(table, blob_path(day=day), records(table, 0, 1))
    assert {day: sorted(blobs, key=repr) for day, blobs in list_all(export)[0].items()} == {
        day: sorted(blobs, key=repr) for day, blobs in list_days(export, [DAY, NEXT]).items()
    }
