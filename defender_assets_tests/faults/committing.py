"""Scenarios with single faults of a lake, around its commits; each ends with the truth.

The guard against each fault, and the proof that the scenario fails without it, is in `test_mutations`.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from defender_assets.catalog import DERIVED, LEADS, STORIES
from defender_assets.core.lake.compaction import compact_day
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO
from defender_assets_tests.faults.equal_lakes import assert_same_tables, built_at_once
from defender_assets_tests.faults.lakes import DiedError, Moment, OvertakenLake, conflicted, died
from defender_assets_tests.faults.reading import THREE
from defender_assets_tests.faults.scenario_setup import NEXT_HOUR, SLOT, ScenarioSetup
from defender_assets_tests.faults.small_runs import WHOLE_DAY, Sizes
from defender_assets_tests.support.exports import DAY

CHAIN = (LEADS, STORIES)
"""Leads and one table above them."""

# commits


def another_run_takes_the_same_bytes_first(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    faulty = setup.faulty_export("after_read", 1, setup.run)
    setup.run_on(setup.lake, faulty)
    assert faulty.hits
    setup.truth.check()


def another_run_commits_the_same_rows_first(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    # after the commit of quarantine and before the commit of the rows
    faulty = setup.faulty_lake(2, "after", setup.run)
    setup.run_on(faulty)
    assert faulty.fault.hits
    setup.truth.check()


def a_newer_run_overtakes_leads(setup: ScenarioSetup) -> None:
    evidence = replace(SLOT, table_name=ALERT_EVIDENCE.name)
    setup.write(*THREE)
    setup.run()

    def build(*read: Any) -> pl.DataFrame:
        if not setup.truth.generations[evidence]:
            setup.write("good", "good", "good", slot=evidence)
            setup.run(ALERT_EVIDENCE.name)
            for derived in CHAIN:
                build_partition(setup.lake, derived, DAY)
        return LEADS.build(*read)

    build_partition(setup.lake, replace(LEADS, build=build, update=None), DAY)
    assert setup.truth.generations[evidence]
    build_partition(setup.lake, STORIES, DAY)
    assert_same_tables(setup.lake, built_at_once(setup.lake, setup.folder / "at-once", derivations=CHAIN), CHAIN)


def a_commit_conflicts_without_a_reason(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    _each_commit_conflicts(setup, "before")


def a_commit_succeeds_and_is_reported_as_a_conflict(setup: ScenarioSetup) -> None:
    _each_commit_conflicts(setup, "after")


def _each_commit_conflicts(setup: ScenarioSetup, moment: Moment) -> None:
    for number in (1, 2, 3):
        setup.write(*THREE, first=number)
        faulty = setup.faulty_lake(number, moment, conflicted)
        setup.run_on(faulty)
        assert faulty.fault.hits
    setup.truth.check()


def a_portion_begins_again_while_the_next_one_is_parsed(setup: ScenarioSetup) -> None:
    setup.write(*["good"] * 24)
    # raw commits several batches, each of them a portion
    ingest(setup.lake, setup.export, ALERT_INFO, DAY, commit_bytes=Sizes().commit)
    faulty = setup.faulty_lake(2, "before", conflicted)
    setup.run_on(faulty)
    assert faulty.fault.hits
    assert faulty.fault.seen.count(ALERT_INFO.name) > 2
    setup.truth.check()


def a_run_dies_between_quarantine_and_rows(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    with pytest.raises(DiedError):
        setup.run_on(setup.faulty_lake(2, "after", died))
    setup.run()
    setup.truth.check()


def a_run_dies_while_rows_are_written(setup: ScenarioSetup) -> None:
    for number in (1, 2, 3):
        setup.write(*THREE, first=number)
        with suppress(DiedError):
            setup.run_on(setup.faulty_lake(number, "during", died))
        assert not setup.truth.raw_bytes(SLOT) or number > 1, "an interrupted commit was written"
        setup.run()
    setup.truth.check()


def a_record_is_delivered_again_in_a_later_batch(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    setup.run()
    setup.write(*THREE, slot=NEXT_HOUR)
    setup.run()
    setup.truth.check()


def a_record_is_delivered_again_in_one_batch(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    setup.write(*THREE)
    setup.write(*THREE, slot=NEXT_HOUR)
    setup.run()
    setup.truth.check()


def a_run_commits_during_a_compaction(setup: ScenarioSetup) -> None:
    setup.write("good")
    setup.run()
    setup.write("good", first=1)
    setup.run()

    def append_and_run() -> None:
        setup.write("good", first=len(setup.truth.generations[SLOT][-1].planned))
        setup.run()

    for name in (ALERT_INFO.raw, ALERT_INFO.name):
        overtaken = OvertakenLake.of(setup.lake, append_and_run)
        compact_day(overtaken, name, DAY)
        assert not overtaken.events
    setup.truth.check()


# days behind


def a_day_of_the_look_back_grows(setup: ScenarioSetup) -> None:
    following = DAY + timedelta(days=1)
    devices = replace(SLOT, table_name=DEVICE_INFO.name)
    later = replace(SLOT, table_name=ALERT_EVIDENCE.name, day=following)
    setup.write("good", "good", slot=later, first=1)
    setup.run(WHOLE_DAY, following)
    setup.write("good", "good", slot=devices)
    setup.run(WHOLE_DAY)
    for derived in DERIVED:
        build_partition(setup.lake, derived, following)
    assert find_stale_days(setup.lake, setup.export, [DAY, following]) == []
    assert_same_tables(setup.lake, built_at_once(setup.lake, setup.folder / "at-once"))


def a_run_dies_after_each_commit(setup: ScenarioSetup) -> None:
    setup.write(*THREE)
    for _ in range(20):
        behind = find_stale_days(setup.lake, setup.export, [DAY])
        try:
            setup.run_on(setup.faulty_lake(1, "after", died), part=WHOLE_DAY)
        except DiedError:
            assert behind, "the day is up to date although a run still finds something to commit"
        else:
            break
    assert find_stale_days(setup.lake, setup.export, [DAY]) == []
    setup.truth.check()
