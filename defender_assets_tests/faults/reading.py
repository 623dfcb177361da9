"""Single faults of an export, each met by a guard: what is done to it while it is read, and that the truth comes out.

Which guard that is, and that the scenario fails without it, stands in `test_guards`.
"""

from contextlib import suppress
from unittest.mock import patch

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContainerClient

from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.azure.container import create_container
from defender_assets.core.errors import ExportError
from defender_assets.core.export import BlobChangedError
from defender_assets.core.lake import lake
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw.ingest import ingest, refresh
from defender_assets.core.raw.range_reader import TornLineError
from defender_assets.core.schemas import ALERT_INFO
from defender_assets_tests.faults.exports import FaultyExport, changed, refused
from defender_assets_tests.faults.scenario_setup import NEXT_HOUR, SLOT, Ground
from defender_assets_tests.support.export_accounts import Account
from defender_assets_tests.support.exports import DAY

THREE = ("good", "not_json", "good")


# the export


def lines_are_torn_at_every_byte(ground: Ground) -> None:
    ground.write(*THREE, cut=0)
    while ground.truth.append(SLOT, [], cut=97):
        ground.run()
    ground.truth.check()


def a_blob_is_written_anew_and_shorter(ground: Ground) -> None:
    ground.write(*THREE)
    ground.run()
    ground.recreate("good", first=7)
    ground.run()
    ground.truth.check()


def a_blob_gets_shorter_between_listing_and_reading(ground: Ground) -> None:
    ground.write(*THREE)
    ground.run()
    ground.write("good", first=4)
    faulty = ground.faulty_export("before_read", 1, lambda: ground.recreate("good", first=7))
    ground.run_on(ground.lake, faulty)
    assert faulty.met
    ground.truth.check()


def a_blob_ends_before_its_listed_size(ground: Ground) -> None:
    ground.write("good")
    (blob,) = ground.export.blobs_of_day(ALERT_INFO.container, DAY)
    with suppress(BlobChangedError):
        content = ground.export.read(ALERT_INFO.container, blob, 5, blob.size + 7)
        raise AssertionError(f"{len(content)} bytes passed for {blob.size + 2}")


def a_blob_vanishes_between_listing_and_reading(ground: Ground) -> None:
    ground.write(*THREE)
    ground.write(*THREE, slot=NEXT_HOUR)
    faulty = ground.faulty_export("before_read", 1, lambda: ground.truth.vanish(SLOT))
    ground.run_on(ground.lake, faulty)
    assert faulty.met
    ground.truth.check()


def a_blob_grows_while_it_is_read(ground: Ground) -> None:
    ground.write(*THREE)
    for call in ("after_list", "after_read"):
        faulty = ground.faulty_export(call, 1, lambda: ground.write("good", "good", first=5, cut=700))
        ground.run_on(ground.lake, faulty)
        assert faulty.met
    ground.run()
    ground.truth.check()


def an_empty_blob_lies_beside_a_full_one(ground: Ground) -> None:
    ground.write("good", cut=0)
    ground.write("good", slot=NEXT_HOUR)
    ground.run()
    ground.truth.check()


def one_blob_cannot_be_read(ground: Ground) -> None:
    ground.write(*THREE)
    ground.write(*THREE, slot=NEXT_HOUR)
    with pytest.raises(ExportError):
        ingest(ground.lake, ground.faulty_export("before_read", 1, refused), ALERT_INFO, DAY)
    assert not ground.truth.held(SLOT)
    assert ground.truth.held(NEXT_HOUR)
    ground.run()
    ground.truth.check()


def the_middle_of_a_long_line_cannot_be_read(ground: Ground) -> None:
    ground.write("good", "long", "good")
    # the line is passed over within six reads, then read again
    faulty = FaultyExport(ground.export, "before_read", 9, refused, lasting=True)
    with suppress(TornLineError):
        ingest(ground.lake, faulty, ALERT_INFO, DAY)
    assert faulty.met
    ground.run()
    ground.truth.check()


def a_long_line_is_wider_than_a_commit(ground: Ground) -> None:
    ground.write("good", "long", "good")
    ingest(ground.lake, ground.export, ALERT_INFO, DAY, commit_bytes=600)
    ground.run()
    ground.truth.check()


def a_blob_changes_each_time_it_is_read(ground: Ground) -> None:
    ground.write(*THREE)

    def changed_again() -> None:
        assert restless.met < 50, "it is listed and read for ever"
        changed()

    restless = FaultyExport(ground.export, "before_read", 1, changed_again, lasting=True)
    with pytest.raises(ExportError, match="changes each time"):
        ingest(ground.lake, restless, ALERT_INFO, DAY)
    ground.run()
    ground.truth.check()


# full refreshes


def a_blob_vanishes_during_a_full_refresh(ground: Ground) -> None:
    ground.write(*THREE, *THREE)
    ground.run()
    held = ground.truth.held(SLOT)
    faulty = ground.faulty_export("before_read", 2, lambda: ground.truth.vanish(SLOT))
    with suppress(ExportError):
        refresh(ground.lake, faulty, ALERT_INFO, DAY)
    assert faulty.met
    assert ground.truth.held(SLOT) == held, "a refresh has lost what was held"


def the_account_fails_during_a_full_refresh(ground: Ground) -> None:
    ground.write(*THREE, *THREE)
    ground.run()
    held = ground.truth.held(SLOT)
    faulty = FaultyExport(ground.export, "before_read", 2, refused, lasting=True)
    with suppress(ExportError):
        refresh(ground.lake, faulty, ALERT_INFO, DAY)
    assert faulty.met
    assert ground.truth.held(SLOT) == held, "a refresh has lost what was held"


def an_older_generation_outlives_a_full_refresh(ground: Ground) -> None:
    ground.write(*THREE)
    ground.run()
    ground.recreate("good", first=7)
    ground.run()
    held = ground.truth.held(SLOT)
    ground.run(refresh=True)
    assert ground.truth.held(SLOT) == held
    ground.truth.check()


def lines_come_again_in_a_full_refresh(ground: Ground) -> None:
    ground.write(*THREE)
    ground.run()
    refresh(ground.lake, ground.export, ALERT_INFO, DAY)
    ground.run()
    ground.truth.check()


# an account: what a directory cannot tell


def a_blob_is_written_anew_and_longer(ground: Ground) -> None:
    ground.write("good")
    ground.run()
    ground.truth.renew(SLOT, ground.lines(*THREE, first=5))
    ground.run()
    ground.truth.check()


def a_blob_is_written_anew_and_longer_between_listing_and_reading(ground: Ground) -> None:
    ground.write("good")
    ground.run()
    ground.write("good", first=1)
    longer = ground.lines(*THREE, *THREE, first=5)
    faulty = ground.faulty_export("before_read", 1, lambda: ground.truth.renew(SLOT, longer))
    ground.run_on(ground.lake, faulty)
    assert faulty.met
    ground.truth.check()


def another_first_run_makes_the_container(ground: Ground) -> None:
    assert isinstance(ground.place, Account)
    account = from_connection_string("AZURE_STORAGE_CONNECTION_STRING", ground.place.connection_string)
    with account.service() as service, patch.object(ContainerClient, "exists", return_value=False):
        service.create_container("lake")
        create_container(account, "az://lake/tables")


def another_first_run_makes_the_container_that_was_not_found(ground: Ground) -> None:
    assert isinstance(ground.place, Account)
    account = from_connection_string("AZURE_STORAGE_CONNECTION_STRING", ground.place.connection_string)
    with account.service() as service:

        def made_meanwhile(*_: object) -> bool:
            with suppress(ResourceExistsError):
                service.create_container("lake")
            return False

        with patch.object(lake, "is_missing", made_meanwhile):
            first = Lake("az://lake/tables", LAKE_TABLES, account)
            assert not first.exists(ALERT_INFO.raw)
            assert first.open(ALERT_INFO.raw).version() == 0
