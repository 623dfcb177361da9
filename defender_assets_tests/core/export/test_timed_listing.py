"""Listing within a time limit: slow and silent tenants hold up no other tenant, and no tick."""

import time
from datetime import timedelta
from threading import Event

import pytest

from defender_assets.core.errors import ExportError
from defender_assets.core.export import DirectoryExport, UnreadablePart
from defender_assets.core.export.timed_listing import TENANTS_AT_ONCE, list_in_time
from defender_assets.core.schemas import ALERT_INFO, DEVICE_INFO
from defender_assets_tests.support.exports import DAY, Folder, blob_path, records
from defender_assets_tests.support.refusing_export import RefusingExport, archived
from defender_assets_tests.support.slow_export import SlowExport
from defender_assets_tests.support.waiting import HANG_SECONDS

DAYS = [DAY, DAY + timedelta(days=1)]


def tenant(number: int) -> str:
    return f"{number:08}-0000-4000-8000-000000000000"


@pytest.fixture
def filled(folder: Folder) -> Folder:
    """Two days of 20 tenants in two containers."""
    for number in range(20):
        for day in DAYS:
            for table in (ALERT_INFO, DEVICE_INFO):
                folder.append(table, blob_path(day=day, tenant=tenant(number)), records(table, 0, 1))
    return folder


def test_everything_is_listed_when_everything_answers(export: DirectoryExport, filled: Folder) -> None:
    slow = SlowExport(export)
    listing = list_in_time(slow, DAYS, HANG_SECONDS, seed=1)
    assert (listing.incomplete, listing.notes) == (set(), [])
    assert {day: len(entries) for day, entries in listing.days.items()} == dict.fromkeys(DAYS, 40)
    assert len(slow.listed) == len(set(slow.listed)) == 2 * 40
    assert slow.most_at_once <= TENANTS_AT_ONCE


def test_silent_tenants_hold_up_no_other_tenant(export: DirectoryExport, filled: Folder) -> None:
    silent = [tenant(number) for number in range(3)]
    slow = SlowExport(export, *silent)
    began = time.monotonic()
    listing = list_in_time(slow, DAYS, 1, seed=1)
    assert time.monotonic() - began < HANG_SECONDS / 2
    slow.released.set()
    assert {day: len(entries) for day, entries in listing.days.items()} == dict.fromkeys(DAYS, 2 * 17)
    assert listing.incomplete == set(DAYS)
    assert listing.notes == ["3 tenants could not be listed in time"]
    # each of them keeps one thread
    assert sum(name in silent for _, name, _ in slow.listed) == len(silent)


def test_a_silent_container_holds_up_no_other_container(export: DirectoryExport, filled: Folder) -> None:
    released = Event()

    def silent(container: str) -> None:
        if container == DEVICE_INFO.container:
            assert released.wait(HANG_SECONDS)

    listing = list_in_time(RefusingExport(export, of_container=silent), DAYS, 4, seed=1)
    released.set()
    assert {day: len(entries) for day, entries in listing.days.items()} == dict.fromkeys(DAYS, 20)
    assert listing.incomplete == set(DAYS)
    assert listing.notes == [f"{DEVICE_INFO.container} did not answer in time"]


def test_an_export_that_does_not_answer_is_an_error(export: DirectoryExport, filled: Folder) -> None:
    released = Event()

    def silent(_: str) -> None:
        assert released.wait(HANG_SECONDS)

    with pytest.raises(ExportError, match="the export did not answer within 1 second"):
        list_in_time(RefusingExport(export, of_container=silent), DAYS, 1, seed=1)
    released.set()


def test_with_another_seed_other_tenants_come_first(export: DirectoryExport, filled: Folder) -> None:
    first = set()
    for seed in range(30):
        slow = SlowExport(export)
        list_in_time(slow, DAYS[:1], HANG_SECONDS, seed)
        first.add(slow.listed[0][1])
    assert len(first) > 10


def test_folders_that_are_no_tenants_are_not_listed(export: DirectoryExport, filled: Folder) -> None:
    for number in range(50):
        filled.append(ALERT_INFO, f"tenantId=junk {number}/x.json", b"{}")
    slow = SlowExport(export)
    list_in_time(slow, DAYS, HANG_SECONDS, seed=1)
    assert not any("junk" in name for _, name, _ in slow.listed)


def test_a_refused_tenant_is_in_the_listing_of_each_day(export: DirectoryExport, filled: Folder) -> None:
    refusing = RefusingExport(export, of_listing=lambda _, name: archived(name) if name == tenant(4) else None)
    listing = list_in_time(refusing, DAYS, HANG_SECONDS, seed=1)
    assert listing.incomplete == set()
    for day in DAYS:
        parts = [entry for _, entry in listing.days[day] if isinstance(entry, UnreadablePart)]
        assert {part.path for part in parts} == {f"tenantId={tenant(4)}/y=2026/m=11/d={day:%d}/"}


def test_a_refused_container_is_in_the_listing_of_each_day(export: DirectoryExport, filled: Folder) -> None:
    def of_container(container: str) -> Exception | None:
        return archived(container) if container == DEVICE_INFO.container else None

    listing = list_in_time(RefusingExport(export, of_container=of_container), DAYS, HANG_SECONDS, seed=1)
    for entries in listing.days.values():
        assert [entry.container for _, entry in entries if isinstance(entry, UnreadablePart)] == [DEVICE_INFO.container]
        assert len(entries) == 20 + 1


def test_an_export_that_refuses_everything_is_an_error(export: DirectoryExport, filled: Folder) -> None:
    with pytest.raises(ExportError, match="it is archived"):
        list_in_time(RefusingExport(export, of_container=archived), DAYS, HANG_SECONDS, seed=1)
    with pytest.raises(ExportError, match="it is archived"):
        list_in_time(RefusingExport(export, of_listing=lambda _, name: archived(name)), DAYS, HANG_SECONDS, seed=1)


def test_an_export_without_containers_has_empty_days(export: DirectoryExport) -> None:
    listing = list_in_time(export, DAYS, HANG_SECONDS, seed=1)
    assert (listing.days, listing.incomplete) == ({day: [] for day in DAYS}, set())
