"""A clock that is ahead deletes nothing: retention and vacuum ask the storage's clock, or the lake's newest times."""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.azure.container import adding_date_to, create_container, service_time
from defender_assets.core.errors import LakeError
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.clock import CONFIRMATION, confirm_clock, read_clock
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.maintenance import ClockError, apply_retention, maintain
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import Folder, blob_path, local_lake, records

KEPT = 31


def lake_with(root: Path, days: Sequence[date]) -> Lake:
    """A lake on disk that keeps 31 days and holds one raw record of each of the days."""
    export, lake = DirectoryExport(root / "export"), replace(local_lake(root / "lake"), keep_days=KEPT)
    for day in days:
        Folder(export.root).append(ALERT_INFO, blob_path(day=day), records(ALERT_INFO, 0, 1))
        ingest(replace(lake, keep_days=None), export, ALERT_INFO, day)
    return lake


def days_in(lake: Lake) -> list[date]:
    return sorted(lake.read(ALERT_INFO.raw).collect()["export_date"].to_list())


def ahead(**by: float) -> datetime:
    return datetime.now(UTC) + timedelta(**by)


RECENT = [day_before(back) for back in (3, 2, 1, 0)]


def test_a_clock_ahead_of_a_quiet_lake_deletes_no_day(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, RECENT)
    clock = read_clock(lake, machine=ahead(days=90))
    with pytest.raises(ClockError, match=r"newest day is .*check --clock-is-right"):
        apply_retention(lake, clock)
    assert days_in(lake) == RECENT


def test_a_clock_ahead_of_a_lake_with_newer_commits_deletes_no_day(tmp_path: Path) -> None:
    """Runs with the wrong clock commit with its time, so the newest commit looks right."""
    lake = lake_with(tmp_path, [day_before(back) for back in (25, 24, 23, 0)])
    clock = read_clock(lake, machine=ahead(days=13))
    with pytest.raises(ClockError, match=r"3 days of the lake .* would be deleted at once"):
        apply_retention(lake, clock)
    assert len(days_in(lake)) == 4


@pytest.mark.parametrize("leaving", [1, 2])
def test_the_usual_days_leave(tmp_path: Path, leaving: int) -> None:
    old = [day_before(KEPT + number) for number in range(1, leaving + 1)]
    lake = lake_with(tmp_path, [*old, day_before(1)])
    apply_retention(lake)
    assert days_in(lake) == [day_before(1)]


def test_a_confirmed_clock_deletes_and_a_later_jump_does_not(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, [day_before(back) for back in (44, 43, 42, 41, 3, 2, 1, 0)])
    with pytest.raises(ClockError, match="4 days"):
        apply_retention(lake)
    confirm_clock(lake, datetime.now(UTC))
    apply_retention(lake)
    assert days_in(lake) == RECENT
    assert read_clock(lake, machine=ahead(days=90)).doubt


@pytest.mark.parametrize(
    "content", ["", "soon", "2026-01-01", "9" * 10_000, None], ids=["empty", "word", "date", "number", "future"]
)
def test_what_is_no_confirmation_confirms_nothing(tmp_path: Path, content: str | None) -> None:
    lake = lake_with(tmp_path, RECENT)
    (tmp_path / "lake" / CONFIRMATION).write_text(ahead(days=400).isoformat() if content is None else content)
    assert read_clock(lake, machine=ahead(days=90)).doubt
    assert read_clock(lake).doubt is None


def test_a_quiet_lake_keeps_dead_files_and_refuses_nothing(tmp_path: Path) -> None:
    """No day would leave, so a lake that nothing writes to fails no maintenance."""
    lake = lake_with(tmp_path, [day_before(0)])
    clock = read_clock(lake, machine=ahead(days=20))
    assert clock.doubt
    assert set(apply_retention(lake, clock).values()) == {0}
    in_flight = next((tmp_path / "lake" / ALERT_INFO.raw).rglob("part-*.parquet")).with_name("part-0-in-flight.parquet")
    in_flight.write_bytes(b"rows")
    os.utime(in_flight, (time.time() - 9 * 86_400,) * 2)
    report = maintain(lake, ALERT_INFO.raw, clock)
    assert (report.files_deleted, report.files_spared) == (0, 1)
    assert "1 kept until the clock is right" in report.describe()
    assert maintain(lake, ALERT_INFO.raw).files_deleted == 1
    assert not in_flight.exists()


def test_an_empty_lake_and_a_damaged_table_raise_no_error(tmp_path: Path) -> None:
    lake = local_lake(tmp_path / "lake")
    assert read_clock(lake, machine=ahead(days=90)).doubt is None
    lake = lake_with(tmp_path, RECENT)
    log = tmp_path / "lake" / ALERT_INFO.name / "_delta_log" / f"{0:020}.json"
    log.parent.mkdir(parents=True)
    log.write_text("{")
    assert read_clock(lake).doubt is None


@pytest.mark.parametrize(("minutes", "doubted"), [(59, False), (-59, False), (61, True), (-61, True), (130_000, True)])
def test_only_the_time_of_the_storage_counts(tmp_path: Path, minutes: int, *, doubted: bool) -> None:
    lake, answered = lake_with(tmp_path, RECENT), datetime.now(UTC)
    clock = read_clock(lake, answered, answered + timedelta(minutes=minutes))
    assert clock.now == answered
    assert bool(clock.doubt) == doubted
    assert doubted == ("set right (NTP)" in (clock.doubt or ""))


def test_no_number_of_days_is_doubted_by_the_time_of_the_storage(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, [day_before(back) for back in (44, 43, 42, 41, 0)])
    apply_retention(lake, read_clock(lake, datetime.now(UTC)))
    assert days_in(lake) == [day_before(0)]


@pytest.mark.parametrize("headers", [{}, {"Date": ""}, {"Date": "yesterday"}, {"Date": "Mon, 99 Nov 2026 08:00 GMT"}])
def test_an_answer_without_a_valid_date_tells_no_time(headers: dict[str, str]) -> None:
    times: list[datetime] = []
    adding_date_to(times)(Mock(http_response=Mock(headers=headers)))
    assert times == []


@pytest.mark.azure
def test_a_lake_in_an_account_asks_the_account(account: Emulator) -> None:
    credentials = from_connection_string("TEST", account.connection_string)
    lake = Lake("az://lake/tables", LAKE_TABLES, credentials, keep_days=KEPT)
    missing = service_time(credentials, lake.uri)
    create_container(credentials, lake.uri)
    refused = service_time(replace(credentials, key="AAAA"), lake.uri)
    for answered in (missing, refused, read_clock(lake).now):
        assert answered is not None
        assert abs(answered - datetime.now(UTC)) < timedelta(minutes=1)
    assert read_clock(lake).doubt is None
    assert "3 hours ahead" in (read_clock(lake, machine=ahead(hours=3.01)).doubt or "")
    with pytest.raises(LakeError, match="nothing to confirm"):
        confirm_clock(lake, datetime.now(UTC))
