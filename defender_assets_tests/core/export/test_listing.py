"""Listing the blobs of a day by tenant and day prefix, in a directory and in an account."""

from datetime import UTC, datetime, timedelta

from defender_assets.core.export import Blob
from defender_assets.core.export.leave_out import LeaveOutRule, SelectedExport
from defender_assets.core.export.listing import list_day
from defender_assets.core.schemas import ALERT_INFO, TABLES
from defender_assets_tests.support.export_accounts import ExportStorage
from defender_assets_tests.support.exports import DAY, OTHER_TENANT, TENANT, blob_path, records

CONTAINER = ALERT_INFO.container


def all_blobs(storage: ExportStorage) -> list[Blob]:
    return [entry for entry in storage.export.all_entries(CONTAINER) if isinstance(entry, Blob)]


def test_a_missing_container_is_empty(storage: ExportStorage) -> None:
    assert storage.export.containers() == []
    assert storage.export.tenants(CONTAINER) == []
    assert list_day(storage.export, CONTAINER, DAY).blobs == []
    assert list(storage.export.all_entries(CONTAINER)) == []


def test_containers_are_listed_once_they_contain_a_tenant(storage: ExportStorage) -> None:
    for table in TABLES[:2]:
        storage.append(table.container, blob_path(), records(table, 0, 1))
    assert storage.export.containers() == sorted(table.container for table in TABLES[:2])


def test_a_day_is_listed_for_all_tenants_with_size_hour_and_creation_time(storage: ExportStorage) -> None:
    content = records(ALERT_INFO, 0, 2)
    for tenant, hour in ((OTHER_TENANT, 3), (TENANT, 23), (TENANT, 0)):
        storage.append(CONTAINER, blob_path(hour=hour, tenant=tenant), content)
    listed = list_day(storage.export, CONTAINER, DAY).blobs
    assert storage.export.tenants(CONTAINER) == [TENANT, OTHER_TENANT]
    assert [(blob.tenant_id, blob.hour) for blob in listed] == [(TENANT, 0), (TENANT, 23), (OTHER_TENANT, 3)]
    assert {(blob.day, blob.size) for blob in listed} == {(DAY, len(content))}
    assert all(blob.created_at.utcoffset() == timedelta(0) for blob in listed)


def test_other_days_are_not_listed(storage: ExportStorage) -> None:
    days = [DAY + timedelta(days=back) for back in (-1, 0, 1, 27)]
    for day in days:
        storage.append(CONTAINER, blob_path(day=day), records(ALERT_INFO, 0, 1))
    assert [blob.path for blob in list_day(storage.export, CONTAINER, DAY).blobs] == [blob_path()]
    assert sorted(blob.day for blob in all_blobs(storage)) == days


def test_foreign_paths_are_ignored(storage: ExportStorage) -> None:
    good = blob_path()
    foreign = [
        "README.json",
        f"tenantId={TENANT}/y=2026/m=11/d=03/PT1H.json",
        f"tenantId={TENANT}/y=2026/m=11/d=03/h=24/m=00/PT1H.json",
        f"tenantId={TENANT}/y=2026/m=11/d=03/h=08/m=00/PT1H.json.part",
        f"tenantId={TENANT}/y=2026/m=02/d=30/h=08/m=00/PT1H.json",
        "tenant=x/y=2026/m=11/d=03/h=08/m=00/PT1H.json",
        # temporary files of AzCopy, and what macOS writes to a share
        f"tenantId={TENANT}/y=2026/m=11/d=03/h=08/m=00/.azDownload-0-PT1H.json",
        f"tenantId={TENANT}/y=2026/m=11/d=03/h=08/m=00/._PT1H.json",
        f"tenantId={TENANT}/y=2026/m=11/d=03/h=08/m=00/.json",
        # the sweep would always report this day as stale, and no run would find the blob
        f"tenantId={TENANT}/y=2026/m=11/d=3/h=08/m=00/PT1H.json",
    ]
    for path in (good, *foreign):
        storage.append(CONTAINER, path, b"{}\r\n")
    assert [blob.path for blob in list_day(storage.export, CONTAINER, DAY).blobs] == [good]
    assert [blob.path for blob in all_blobs(storage)] == [good]


def test_a_tenants_folder_may_be_upper_case_and_its_blobs_have_the_lower_case_tenant(storage: ExportStorage) -> None:
    path = blob_path(tenant="ABCDEF00-2222-4333-8444-555555555555")
    storage.append(CONTAINER, path, b"{}\r\n")
    (blob,) = list_day(storage.export, CONTAINER, DAY).blobs
    assert (blob.path, blob.tenant_id) == (path, "abcdef00-2222-4333-8444-555555555555")
    assert storage.export.read(CONTAINER, blob, 0, 4) == b"{}\r\n"


def test_more_blobs_than_one_page_are_all_listed(storage: ExportStorage) -> None:
    tenants = [f"{TENANT[:-3]}{number:03}" for number in range(12)]
    for tenant in tenants:
        for hour in range(4):
            storage.create(CONTAINER, blob_path(hour=hour, tenant=tenant))
    assert len(list_day(storage.export, CONTAINER, DAY).blobs) == 48
    assert storage.export.tenants(CONTAINER) == tenants


def test_an_account_tells_its_time_also_where_blobs_are_left_out_and_a_directory_tells_none(
    storage: ExportStorage,
) -> None:
    selected = SelectedExport(storage.export, (LeaveOutRule("*/h=07/*", "lost key"),))
    for export in (storage.export, selected, SelectedExport(selected, ())):
        answered = export.service_time()
        if storage.export.fixed_creation:
            assert answered is not None
            assert abs(answered - datetime.now(UTC)) < timedelta(minutes=1)
        else:
            assert answered is None
