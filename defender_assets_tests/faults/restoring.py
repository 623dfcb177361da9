"""Scenarios in which tables fall back, by their files or by Delta's `restore()`; each ends with the truth.

The guard against each fault, and the proof that the scenario fails without it, is in `test_mutations`.
"""

import shutil
from pathlib import Path

from deltalake import DeltaTable

from defender_assets.catalog import LEADS, STORIES
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.schemas import ALERT_INFO, QUARANTINE
from defender_assets_tests.faults.equal_lakes import assert_same_tables, built_at_once
from defender_assets_tests.faults.reading import THREE
from defender_assets_tests.faults.scenario_setup import SLOT, ScenarioSetup
from defender_assets_tests.support.exports import DAY

CHAIN = (LEADS, STORIES)
TABLES_BEFORE_LEADS = (ALERT_INFO.raw, QUARANTINE, ALERT_INFO.name)


def a_table_is_set_back(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    setup.run()
    setup.write(*THREE, first=5)
    setup.run()
    DeltaTable(setup.lake.table_uri(ALERT_INFO.name)).restore(1)
    assert setup.behind(), "a table has lost rows, and the day is not behind"
    setup.run()
    setup.truth.check()


def raw_is_removed_after_its_blob_has_gone(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    setup.run()
    setup.truth.vanish(SLOT)
    setup.truth.take_back([ALERT_INFO.raw], lambda name: shutil.rmtree(setup.lake.table_uri(name)))
    assert setup.behind(), "a table is above its upstream, and the day is not behind"
    setup.run()
    setup.truth.check()
    setup.run(refresh=True)
    setup.truth.check()


def a_table_is_restored_from_a_history_that_was_left(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    setup.run()
    before = setup.back_up()
    setup.write(*THREE, first=5)
    setup.run()
    left = setup.back_up()
    setup.truth.take_back(TABLES_BEFORE_LEADS, lambda name: restore_files(setup, before, name))
    # they reach the same versions, with one more record
    setup.write("good", first=9)
    setup.run()
    setup.truth.take_back([ALERT_INFO.name], lambda name: restore_files(setup, left, name))
    assert setup.behind(), "a table was parsed from other bytes, and the day is not behind"
    setup.run()
    setup.truth.check()


def all_tables_but_leads_are_restored_and_grow(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    run_through_stories(setup)
    backup = setup.back_up()
    setup.write("good", first=3)
    run_through_stories(setup)
    # they reach the versions that they had, with one more record
    setup.write("good", first=6)
    setup.truth.take_back(TABLES_BEFORE_LEADS, lambda name: restore_files(setup, backup, name))
    run_through_stories(setup)
    setup.truth.check()
    assert_same_tables(setup.lake, built_at_once(setup.lake, setup.folder / "at-once", derivations=CHAIN), CHAIN)


def leads_are_set_back_to_as_many_rows(setup: ScenarioSetup) -> None:
    setup.write("good", first=1)
    run_through_stories(setup)
    before = DeltaTable(setup.lake.table_uri(LEADS.name)).version()
    # another record of the same alert
    setup.write("good", first=5)
    run_through_stories(setup)
    DeltaTable(setup.lake.table_uri(LEADS.name)).restore(before)
    build_partition(setup.lake, LEADS, DAY)
    run_through_stories(setup)
    assert_same_tables(setup.lake, built_at_once(setup.lake, setup.folder / "at-once", derivations=CHAIN), CHAIN)


def run_through_stories(setup: ScenarioSetup) -> None:
    """Run the day as far as one table above leads: the tables after it are built by the same function."""
    setup.run()
    for derived in CHAIN:
        build_partition(setup.lake, derived, DAY)


def restore_files(setup: ScenarioSetup, backup: Path, name: str) -> None:
    shutil.rmtree(setup.lake.table_uri(name))
    shutil.copytree(backup / name, setup.lake.table_uri(name))
