"""Scenarios with single faults of an export, while it is read; each ends with the truth.

The guard against each fault, and the proof that the scenario fails without it, is in `test_mutations`.
"""

from contextlib import suppress
from unittest.mock import patch

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContainerClient

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.azure.container import create_container
from defender_assets.core.errors import ExportError
from defender_assets.core.export import BlobChangedError
from defender_assets.core.export.listing import list_day
from defender_assets.core.lake import lake
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.ingest import ingest, refresh
from defender_assets.core.raw.range_reader import TornLineError
from defender_assets.core.schemas import ALERT_INFO
from defender_assets_tests.faults.exports import FaultyExport, changed, refused
from defender_assets_tests.faults.scenario_setup import NEXT_HOUR, SLOT, ScenarioSetup
from defender_assets_tests.faults.truth import SLOTS
from defender_assets_tests.faults.unreadable import without_blobs, without_tenant
from defender_assets_tests.support.export_accounts import Account
from defender_assets_tests.support.exports import DAY, OTHER_TENANT, TENANT
from defender_assets_tests.support.refusing_export import RefusingExport, no_answer

THREE = ("good", "not_json", "good")
ALERT_SLOTS = [slot for slot in SLOTS if (slot.table_name, slot.day) == (ALERT_INFO.name, DAY)]


# the export


def lines_are_torn_at_every_byte(setup: ScenarioSetup) -> None:
    setup.write(*THREE, cut=0)
    while setup.truth.append(SLOT, [], cut=97):
        setup.run()
    setup.truth.check()


def a_blob_is_replaced_by_a_shorter_one(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    setup.run()
    setup.recreate("good", first=7)
    setup.run()
    setup.truth.check()


def a_blob_gets_shorter_between_listing_and_reading(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    setup.run()
    setup.write("good", first=4)
    faulty = setup.faulty_export("before_read", 1, lambda: setup.recreate("good", first=7))
    setup.run_on(setup.lake, faulty)
    assert faulty.hits
    setup.truth.check()


def a_blob_ends_before_its_listed_size(setup: ScenarioSetup) -> None:
    setup.write("good")
    (blob,) = list_day(setup.export, ALERT_INFO.container, DAY).blobs
    with suppress(BlobChangedError):
        content = setup.export.read(ALERT_INFO.container, blob, 5, blob.size + 7)
        raise AssertionError(f"{len(content)} bytes were accepted instead of {blob.size + 2}")


def a_blob_vanishes_between_listing_and_reading(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    setup.write(*THREE, slot=NEXT_HOUR)
    faulty = setup.faulty_export("before_read", 1, lambda: setup.truth.vanish(SLOT))
    assert setup.run_on(setup.lake, faulty) == [], "a blob that is gone is no part that cannot be read"
    assert faulty.hits
    setup.truth.check()


def a_blob_grows_while_it_is_read(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    for call in ("after_list", "after_read"):
        faulty = setup.faulty_export(call, 1, lambda: setup.write("good", "good", first=5, cut=700))
        setup.run_on(setup.lake, faulty)
        assert faulty.hits
    setup.run()
    setup.truth.check()


def an_empty_blob_is_next_to_a_full_one(setup: ScenarioSetup) -> None:
    setup.write("good", cut=0)
    setup.write("good", slot=NEXT_HOUR)
    setup.run()
    setup.truth.check()


def a_tail_is_looked_through_and_grows(setup: ScenarioSetup) -> None:
    setup.write("good", "good", cut=700)
    for _ in range(3):
        setup.run()
        setup.run()
        assert not setup.unread()
        more = setup.truth.append(SLOT, [], cut=97)
        assert bool(more) == bool(setup.unread())
    while setup.truth.append(SLOT, [], cut=97):
        pass
    setup.run()
    setup.truth.check()


def three_blobs_cannot_be_read(setup: ScenarioSetup) -> None:
    _three_blobs_are_missed(setup, answers=True)


def three_blobs_do_not_answer(setup: ScenarioSetup) -> None:
    _three_blobs_are_missed(setup, answers=False)


def _three_blobs_are_missed(setup: ScenarioSetup, *, answers: bool) -> None:
    for slot in ALERT_SLOTS:
        setup.write(*THREE, slot=slot)
    missed = ALERT_SLOTS[:3]
    setup.run_on(setup.lake, without_blobs(setup.export, missed, answers=answers))
    assert [slot for slot in ALERT_SLOTS if not setup.truth.raw_bytes(slot)] == missed
    assert setup.lake.read(ALERT_INFO.name).collect().height == 2, "what was read is not parsed"
    setup.run()
    setup.truth.check()


def raw_is_taken_back_to_before_a_tail(setup: ScenarioSetup) -> None:
    setup.write("good")
    setup.run()
    earlier = setup.lake.open(ALERT_INFO.raw).version()
    setup.write("good", "good", first=1, cut=700)
    setup.run()
    setup.run()
    assert not setup.unread()
    setup.lake.open(ALERT_INFO.raw).restore(earlier)
    assert setup.unread()


def a_tenant_cannot_be_listed(setup: ScenarioSetup) -> None:
    for slot in ALERT_SLOTS:
        setup.write(*THREE, slot=slot)
    setup.run_on(setup.lake, without_tenant(setup.export, TENANT))
    assert {slot.tenant for slot in ALERT_SLOTS if setup.truth.raw_bytes(slot)} == {OTHER_TENANT}
    setup.run()
    setup.truth.check()


def the_account_stops_answering(setup: ScenarioSetup) -> None:
    for slot in ALERT_SLOTS:
        setup.write(*THREE, slot=slot)
    silent = RefusingExport(setup.export, of_read=lambda _, path: no_answer(path), of_container=lambda _: silence())

    def silence() -> Exception | None:
        return no_answer("anything") if silent.reads else None

    with suppress(ExportError):
        setup.run_on(setup.lake, silent)
    assert len(silent.reads) < len(ALERT_SLOTS), "an account that does not answer is read to the end"
    setup.run()
    setup.truth.check()


def the_middle_of_a_long_line_cannot_be_read(setup: ScenarioSetup) -> None:
    setup.write("good", "long", "good")
    # six reads skip the line, then it is read again
    faulty = FaultyExport(setup.export, "before_read", 9, refused, lasting=True)
    with suppress(TornLineError):
        ingest(setup.lake, faulty, ALERT_INFO, DAY)
    assert faulty.hits
    setup.run()
    setup.truth.check()


def a_long_line_is_wider_than_a_commit(setup: ScenarioSetup) -> None:
    setup.write("good", "long", "good")
    ingest(setup.lake, setup.export, ALERT_INFO, DAY, commit_bytes=600)
    setup.run()
    setup.truth.check()


def a_blob_changes_each_time_it_is_read(setup: ScenarioSetup) -> None:
    setup.write(*THREE)

    def changed_again() -> None:
        assert faulty.hits < 50, "listing and reading never end"
        changed()

    faulty = FaultyExport(setup.export, "before_read", 1, changed_again, lasting=True)
    (part,) = ingest(setup.lake, faulty, ALERT_INFO, DAY).unreadable
    assert "changes each time" in part.reason
    setup.run()
    setup.truth.check()


# full refreshes


def a_blob_vanishes_during_a_full_refresh(setup: ScenarioSetup) -> None:
    setup.write(*THREE, *THREE)
    setup.run()
    before = setup.truth.raw_bytes(SLOT)
    faulty = setup.faulty_export("before_read", 2, lambda: setup.truth.vanish(SLOT))
    with suppress(ExportError):
        refresh(setup.lake, faulty, ALERT_INFO, DAY)
    assert faulty.hits
    assert setup.truth.raw_bytes(SLOT) == before, "a refresh has lost bytes of raw"


def the_account_fails_during_a_full_refresh(setup: ScenarioSetup) -> None:
    setup.write(*THREE, *THREE)
    setup.run()
    before = setup.truth.raw_bytes(SLOT)
    faulty = FaultyExport(setup.export, "before_read", 2, refused, lasting=True)
    with suppress(ExportError):
        refresh(setup.lake, faulty, ALERT_INFO, DAY)
    assert faulty.hits
    assert setup.truth.raw_bytes(SLOT) == before, "a refresh has lost bytes of raw"


def an_older_generation_outlives_a_full_refresh(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    setup.run()
    setup.recreate("good", first=7)
    setup.run()
    before = setup.truth.raw_bytes(SLOT)
    setup.run(refresh=True)
    assert setup.truth.raw_bytes(SLOT) == before
    setup.truth.check()


def lines_come_again_in_a_full_refresh(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    setup.run()
    refresh(setup.lake, setup.export, ALERT_INFO, DAY)
    setup.run()
    setup.truth.check()


# an account: what a directory does not show


def a_blob_is_replaced_by_a_longer_one(setup: ScenarioSetup) -> None:
    setup.write("good")
    setup.run()
    setup.truth.renew(SLOT, setup.lines(*THREE, first=5))
    setup.run()
    setup.truth.check()


def a_blob_is_replaced_by_a_longer_one_between_listing_and_reading(setup: ScenarioSetup) -> None:
    setup.write("good")
    setup.run()
    setup.write("good", first=1)
    longer = setup.lines(*THREE, *THREE, first=5)
    faulty = setup.faulty_export("before_read", 1, lambda: setup.truth.renew(SLOT, longer))
    setup.run_on(setup.lake, faulty)
    assert faulty.hits
    setup.truth.check()


def another_first_run_creates_the_container(setup: ScenarioSetup) -> None:
    assert isinstance(setup.storage, Account)
    account = from_connection_string("AZURE_STORAGE_CONNECTION_STRING", setup.storage.connection_string)
    with account.service() as service, patch.object(ContainerClient, "exists", return_value=False):
        service.create_container("lake")
        create_container(account, "az://lake/tables")


def another_first_run_creates_the_container_that_was_not_found(setup: ScenarioSetup) -> None:
    assert isinstance(setup.storage, Account)
    account = from_connection_string("AZURE_STORAGE_CONNECTION_STRING", setup.storage.connection_string)
    with account.service() as service:

        def create_meanwhile(*_: object) -> bool:
            with suppress(ResourceExistsError):
                service.create_container("lake")
            return False

        with patch.object(lake, "is_missing", create_meanwhile):
            first = Lake("az://lake/tables", LAKE_TABLES, account)
            assert not first.exists(ALERT_INFO.raw)
            assert first.open(ALERT_INFO.raw).version() == 0
