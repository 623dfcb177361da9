"""Blobs that a team leaves out: not read, not behind, for as long as the rule says."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from defender_assets.core.errors import ExportError, SettingsError
from defender_assets.core.export import Blob, DirectoryExport
from defender_assets.core.export.leave_out import LeaveOutRule, SelectedExport, load_leave_out
from defender_assets.core.export.listing import list_day
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.ingest import ingest, refresh
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO
from defender_assets_tests.support.exports import DAY, OTHER_TENANT, TENANT, Folder, blob_path, records
from defender_assets_tests.support.refusing_export import RefusingExport, archived

TODAY = DAY + timedelta(days=5)
RULE = '[[leave_out]]\nreason = "lost key"\n'


def without(export: DirectoryExport | RefusingExport, *patterns: str, until: date | None = None) -> SelectedExport:
    return SelectedExport(export, tuple(LeaveOutRule(path, "r", until) for path in patterns), lambda: TODAY)


@pytest.fixture
def filled(folder: Folder) -> Folder:
    for hour in (7, 8):
        for tenant in (TENANT, OTHER_TENANT):
            for table in (ALERT_INFO, DEVICE_INFO):
                folder.append(table, blob_path(hour=hour, tenant=tenant), records(table, hour, 1, tenant=tenant))
    return folder


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        (blob_path(hour=7), 3),
        (f"{ALERT_INFO.container}/{blob_path(hour=7)}", 3),
        (f"{DEVICE_INFO.container}/*", 4),
        (f"tenantId={TENANT}/*", 2),
        (f"TENANTID={TENANT}/Y=2026/M=11/D=03/*", 2),
        (f"tenantId={TENANT}/y=2026/m=11/d=04/*", 4),
        ("*/y=2026/m=11/d=03/h=0[78]/*", 0),
    ],
)
def test_a_pattern_is_compared_with_the_path_with_and_without_the_container(
    export: DirectoryExport, filled: Folder, pattern: str, left: int
) -> None:
    selected = without(export, pattern)
    assert len(list_day(selected, ALERT_INFO.container, DAY).blobs) == left
    assert sum(isinstance(entry, Blob) for entry in selected.all_entries(ALERT_INFO.container)) == left


def test_a_blob_that_is_left_out_is_not_read_and_not_behind(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    refusing = RefusingExport(export, of_read=lambda _, path: archived(path) if "h=07" in path else None)
    selected = without(refusing, "*/h=07/*")
    for table in (ALERT_INFO, DEVICE_INFO):
        assert ingest(lake, selected, table, DAY).unreadable == []
    (behind,) = find_stale_days(lake, selected, [DAY])
    assert behind.missing == ()
    assert {path for path in refusing.reads if "h=07" in path} == set()


def test_a_tenant_that_is_left_out_may_be_unreadable(lake: Lake, export: DirectoryExport, filled: Folder) -> None:
    refusing = RefusingExport(export, of_listing=lambda _, tenant: archived(tenant) if tenant == TENANT else None)
    assert ingest(lake, refusing, ALERT_INFO, DAY).unreadable != []
    selected = without(refusing, f"tenantId={TENANT}/*")
    listing = list_day(selected, ALERT_INFO.container, DAY)
    assert {blob.tenant_id for blob in listing.blobs} == {OTHER_TENANT}
    assert listing.unreadable == []


def test_a_container_that_is_left_out_may_be_unreadable(export: DirectoryExport, filled: Folder) -> None:
    refusing = RefusingExport(export, of_container=archived)
    selected = without(refusing, f"{ALERT_INFO.container}/*")
    assert (selected.tenants(ALERT_INFO.container), list(selected.all_entries(ALERT_INFO.container))) == ([], [])
    with pytest.raises(ExportError):
        selected.tenants(DEVICE_INFO.container)


def test_what_raw_holds_of_a_blob_stays_when_it_is_left_out(
    lake: Lake, export: DirectoryExport, filled: Folder
) -> None:
    ingest(lake, export, ALERT_INFO, DAY)
    refresh(lake, without(export, "*/h=07/*"), ALERT_INFO, DAY)
    assert lake.read(ALERT_INFO.raw).collect().height == 4


def test_a_rule_ends_after_its_last_day(export: DirectoryExport, filled: Folder) -> None:
    selected = without(export, "*/h=07/*", until=TODAY)
    assert len(list_day(selected, ALERT_INFO.container, DAY).blobs) == 2
    tomorrow = replace(selected, today=lambda: TODAY + timedelta(days=1))
    assert len(list_day(tomorrow, ALERT_INFO.container, DAY).blobs) == 4


def test_a_file_has_rules_with_path_reason_and_last_day(tmp_path: Path) -> None:
    file = tmp_path / "leave_out.toml"
    file.write_text(f'{RULE}path = "/tenantId=a/*"\nuntil = 2026-12-31\n{RULE}path = "*/d=03/*"\n')
    assert load_leave_out(file) == (
        LeaveOutRule("tenantId=a/*", "lost key", date(2026, 12, 31)),
        LeaveOutRule("*/d=03/*", "lost key", None),
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[[leave_out]]\npath = "tenantId=a/*"', "rule 1 of {file} has no reason: expected [[leave_out]] with path"),
        (RULE, "rule 1 of {file} has no path"),
        (f"{RULE}path = 3", "rule 1 of {file} has no path"),
        (f'{RULE}path = "*"', "rule 1 of {file} has 'path = *', which leaves out every blob"),
        (f'{RULE}path = "tenantId=*/PT1H.json"', "which leaves out every blob"),
        (f'{RULE}path = "tenantId=*/"', "which leaves out every blob"),
        (f'{RULE}path = "a/*"\nuntil = "2026-12-31"', "has 'until = 2026-12-31': expected a day without quotes"),
        (f'{RULE}path = "a/*"\nuntil = 2026-12-31T00:00:00', "expected a day without quotes"),
        (f'{RULE}path = "a/*"\ntenant = "a"', "rule 1 of {file} has 'tenant': expected path, reason, until"),
        ('[leave_out]\npath = "a"', "{file} has a 'leave_out' that is no list of tables"),
        ('[[left_out]]\npath = "a"', "{file} has 'left_out': expected [[leave_out]]"),
        ("[[leave_out]", "{file}, which is not TOML"),
    ],
)
def test_a_wrong_file_is_a_one_line_error_with_the_fault(content: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "leave_out.toml"
    file.write_text(content)
    with pytest.raises(SettingsError) as error:
        load_leave_out(file)
    assert expected.replace("{file}", str(file)) in str(error.value)
    assert str(error.value).startswith("DEFENDER_LEAVE_OUT")
    assert "\n" not in str(error.value)
