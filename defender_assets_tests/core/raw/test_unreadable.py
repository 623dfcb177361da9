"""One part of the export that cannot be read stops nothing else: it is named, and the day is behind for it alone."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from defender_assets.catalog import LEADS
from defender_assets.core.errors import ExportError
from defender_assets.core.export import BlobChangedError, DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.quality.byte_balance import byte_balance
from defender_assets.core.raw.ingest import RawReport, ingest, refresh
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, TABLES
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.exports import DAY, OTHER_TENANT, TENANT, Folder, blob_path, records
from defender_assets_tests.support.refusing_export import Problem, RefusingExport, archived, no_answer

HOURS = range(8)


@pytest.fixture
def filled(folder: Folder) -> Folder:
    """Eight hourly blobs of alert_info, each with one record."""
    for hour in HOURS:
        folder.append(ALERT_INFO, blob_path(hour=hour), records(ALERT_INFO, hour, 1))
    return folder


def hours(lake: Lake) -> list[int]:
    return sorted(lake.read(ALERT_INFO.raw).collect()["hour"].to_list())


def of_hours(*failing: int, error: Callable[[str], Exception] = archived) -> Problem:
    paths = {blob_path(hour=hour) for hour in failing}
    return lambda _, path: error(path) if path in paths else None


def balance(lake: Lake, report: RawReport) -> tuple[bool, bool, str]:
    outcome = byte_balance(lake, ALERT_INFO, DAY, report.listed, report.pending, datetime.now(UTC), report.unreadable)
    return outcome.passed, outcome.warning, outcome.summary


@pytest.mark.parametrize("failing", [(1,), (1, 2, 3), (0, 1, 2, 3, 4, 5, 6), tuple(HOURS)])
def test_refused_blobs_stop_no_other_blob(
    lake: Lake, export: DirectoryExport, filled: Folder, failing: tuple[int, ...]
) -> None:
    refusing = RefusingExport(export, of_hours(*failing))
    for _ in range(2):
        report = ingest(lake, refusing, ALERT_INFO, DAY)
        assert hours(lake) == sorted(set(HOURS) - set(failing))
        assert [part.path for part in report.unreadable] == [blob_path(hour=hour) for hour in failing]
    passed, warning, summary = balance(lake, report)
    assert (passed, warning) == (False, True)
    assert f"{blob_path(hour=failing[0])}: BlobArchived: it is archived; rehydrate it" in summary
    assert "DEFENDER_LEAVE_OUT" in summary
    assert ingest(lake, export, ALERT_INFO, DAY).unreadable == []
    assert hours(lake) == list(HOURS)


def test_a_refused_blob_is_tried_once_a_run_however_many_commits_it_takes(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    refusing = RefusingExport(export, of_hours(0))
    report = ingest(lake, refusing, ALERT_INFO, DAY, commit_bytes=1)
    assert report.batch == len(HOURS) - 1
    assert refusing.reads.count(blob_path(hour=0)) == 1


def test_the_rest_of_the_day_becomes_leads_and_the_day_is_behind_for_the_part_alone(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    for table in (ALERT_EVIDENCE, DEVICE_INFO):
        filled.append(table, blob_path(), records(table, 0, 1))
    run_day(lake, RefusingExport(export, of_hours(1)), DAY)
    assert lake.read(LEADS.name).collect().height == len(HOURS) - 1
    (behind,) = find_stale_days(lake, export, [DAY])
    assert [part.blob for part in behind.missing] == [blob_path(hour=1)]
    assert behind.stale == ()


def test_an_account_that_stops_answering_is_given_up_and_what_was_read_is_kept(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    def silent(_: str) -> Exception | None:
        return no_answer("anything") if refusing.reads else None

    refusing = RefusingExport(export, of_hours(*range(1, 8), error=no_answer), of_container=silent)
    with pytest.raises(ExportError, match="the connection broke"):
        ingest(lake, refusing, ALERT_INFO, DAY)
    assert hours(lake) == [0]
    assert blob_path(hour=7) not in refusing.reads


def test_blobs_that_never_answer_stop_no_other_blob_of_an_account_that_does(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    refusing = RefusingExport(export, of_hours(1, 2, 3, 4, error=no_answer))
    report = ingest(lake, refusing, ALERT_INFO, DAY)
    assert hours(lake) == [0, 5, 6, 7]
    assert [part.path for part in report.unreadable] == [blob_path(hour=hour) for hour in (1, 2, 3, 4)]


def test_a_blob_that_does_not_answer_once_is_read_in_the_same_run(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    def once(_: str, path: str) -> Exception | None:
        return no_answer(path) if refusing.reads.count(blob_path(hour=3)) == 1 and "h=03" in path else None

    refusing = RefusingExport(export, once)
    assert ingest(lake, refusing, ALERT_INFO, DAY).unreadable == []
    assert hours(lake) == list(HOURS)


def test_a_blob_that_changes_each_time_stops_no_other_blob(lake: Lake, export: DirectoryExport, filled: Folder) -> None:
    refusing = RefusingExport(export, of_hours(2, error=BlobChangedError))
    (part,) = ingest(lake, refusing, ALERT_INFO, DAY).unreadable
    assert "changes each time it is read" in part.reason
    assert hours(lake) == sorted({*HOURS} - {2})


def test_a_tenant_that_cannot_be_listed_stops_no_other_tenant(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    filled.append(ALERT_INFO, blob_path(tenant=OTHER_TENANT), records(ALERT_INFO, 0, 1, tenant=OTHER_TENANT))
    refusing = RefusingExport(export, of_listing=lambda _, tenant: archived(tenant) if tenant == TENANT else None)
    report = ingest(lake, refusing, ALERT_INFO, DAY)
    assert report.new_bytes == len(records(ALERT_INFO, 0, 1))
    assert [part.path for part in report.unreadable] == [f"tenantId={TENANT}/y=2026/m=11/d=03/"]
    assert balance(lake, report)[:2] == (False, True)
    (behind,) = find_stale_days(lake, refusing, [DAY])
    assert [part.path for part in behind.unreadable] == [f"tenantId={TENANT}/y=2026/m=11/d=03/"]
    assert f"tenantId={TENANT}/y=2026/m=11/d=03/ cannot be listed" in behind.describe()


@pytest.mark.parametrize("level", ["container", "tenants"])
def test_a_container_that_cannot_be_listed_stops_no_other_container(
    lake: Lake, export: DirectoryExport, filled: Folder, level: str
) -> None:
    filled.append(DEVICE_INFO, blob_path(), records(DEVICE_INFO, 0, 1))

    def refused(container: str, _tenant: str = "") -> Exception | None:
        return archived(container) if container == DEVICE_INFO.container else None

    refusing = (
        RefusingExport(export, of_container=refused)
        if level == "container"
        else RefusingExport(export, of_listing=refused)
    )
    assert ingest(lake, refusing, ALERT_INFO, DAY).unreadable == []
    (part,) = ingest(lake, refusing, DEVICE_INFO, DAY).unreadable
    assert part.container == DEVICE_INFO.container
    (behind,) = find_stale_days(lake, refusing, [DAY])
    assert [each.container for each in behind.unreadable] == [DEVICE_INFO.container]


@pytest.mark.parametrize("level", ["container", "tenants"])
def test_an_export_of_which_nothing_can_be_listed_is_an_error(
    lake: Lake, export: DirectoryExport, filled: Folder, level: str
) -> None:
    for table in TABLES:
        filled.append(table, blob_path(hour=9), records(table, 0, 1))
    refusing = (
        RefusingExport(export, of_container=archived)
        if level == "container"
        else RefusingExport(export, of_listing=lambda _, tenant: archived(tenant))
    )
    with pytest.raises(ExportError, match="BlobArchived"):
        ingest(lake, refusing, ALERT_INFO, DAY)
    with pytest.raises(ExportError, match="BlobArchived"):
        find_stale_days(lake, refusing, [DAY])


def test_a_full_refresh_replaces_the_blobs_that_can_be_read(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    ingest(lake, export, ALERT_INFO, DAY)
    filled.append(ALERT_INFO, blob_path(hour=7), records(ALERT_INFO, 9, 1))
    report = refresh(lake, RefusingExport(export, of_hours(1, 2, 3)), ALERT_INFO, DAY)
    assert (report.replaced_blobs, report.new_bytes) == (5, 6 * len(records(ALERT_INFO, 0, 1)))
    assert [part.path for part in report.unreadable] == [blob_path(hour=hour) for hour in (1, 2, 3)]
    assert set(hours(lake)) == set(HOURS)


@pytest.mark.parametrize("failing", [(1, 2, 3), (0, 1, 2, 3, 4, 5), (2, 3, 4, 7), tuple(HOURS)])
def test_blobs_that_never_answer_stop_no_refresh_of_an_account_that_does(
    lake: Lake, export: DirectoryExport, filled: Folder, failing: tuple[int, ...]
) -> None:
    ingest(lake, export, ALERT_INFO, DAY)
    filled.append(ALERT_INFO, blob_path(hour=7), records(ALERT_INFO, 9, 1))
    report = refresh(lake, RefusingExport(export, of_hours(*failing, error=no_answer)), ALERT_INFO, DAY)
    assert [part.path for part in report.unreadable] == [blob_path(hour=hour) for hour in failing]
    assert report.replaced_blobs == len(HOURS) - len(failing)
    assert set(hours(lake)) == set(HOURS)


def test_silent_blobs_of_one_hour_stop_no_refresh_of_another(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    paths = [blob_path(hour=2).replace("PT1H", f"PT1H-{number}") for number in range(3)]
    for path in paths:
        filled.append(ALERT_INFO, path, records(ALERT_INFO, 9, 1))
    ingest(lake, export, ALERT_INFO, DAY)
    silent = RefusingExport(export, lambda _, path: no_answer(path) if "/h=02/" in path else None)
    report = refresh(lake, silent, ALERT_INFO, DAY)
    assert [part.path for part in report.unreadable] == sorted([*paths, blob_path(hour=2)])
    assert report.replaced_blobs == len(HOURS) - 1


def test_a_full_refresh_gives_up_an_account_that_does_not_answer(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    ingest(lake, export, ALERT_INFO, DAY)

    def silent(_: str) -> Exception | None:
        return no_answer("anything") if refusing.reads else None

    refusing = RefusingExport(export, of_hours(*HOURS, error=no_answer), of_container=silent)
    with pytest.raises(ExportError, match="the connection broke"):
        refresh(lake, refusing, ALERT_INFO, DAY)
    assert len(refusing.reads) == 3
    assert hours(lake) == list(HOURS)
