"""Single faults of a lake, each met by a guard: what happens around its commits, and that the truth comes out.

Which guard that is, and that the scenario fails without it, stands in `test_guards`.
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
from defender_assets_tests.faults.lakes import DiedError, Moment, Overtaken, conflicted, died
from defender_assets_tests.faults.reading import THREE
from defender_assets_tests.faults.scenario_setup import NEXT_HOUR, SLOT, Ground
from defender_assets_tests.faults.small_runs import WHOLE_DAY, Sizes
from defender_assets_tests.support.exports import DAY

# commits


def another_run_takes_the_same_bytes_first(ground: Ground) -> None:
    ground.write(*THREE)
    faulty = ground.faulty_export("after_read", 1, ground.run)
    ground.run_on(ground.lake, faulty)
    assert faulty.met
    ground.truth.check()


def another_run_commits_the_same_rows_first(ground: Ground) -> None:
    ground.write(*THREE)
    # behind the commit of quarantine, before that of the rows
    faulty = ground.faulty_lake(2, "after", ground.run)
    ground.run_on(faulty)
    assert faulty.fault.met
    ground.truth.check()


def a_newer_run_overtakes_leads(ground: Ground) -> None:
    evidence = replace(SLOT, table_name=ALERT_EVIDENCE.name)
    ground.write(*THREE)
    ground.run()

    def build(*read: Any) -> pl.DataFrame:
        if not ground.truth.ever[evidence]:
            ground.write("good", "good", "good", slot=evidence)
            ground.run(WHOLE_DAY)
        return LEADS.build(*read)

    build_partition(ground.lake, replace(LEADS, build=build), DAY)
    assert ground.truth.ever[evidence]
    build_partition(ground.lake, STORIES, DAY)
    assert_same_tables(ground.lake, built_at_once(ground.lake, ground.folder / "at-once"))


def a_commit_conflicts_for_no_reason(ground: Ground) -> None:
    ground.write(*THREE)
    _each_commit_conflicts(ground, "before")


def a_commit_lands_and_is_called_a_conflict(ground: Ground) -> None:
    _each_commit_conflicts(ground, "after")


def _each_commit_conflicts(ground: Ground, moment: Moment) -> None:
    for number in (1, 2, 3):
        ground.write(*THREE, first=number)
        faulty = ground.faulty_lake(number, moment, conflicted)
        ground.run_on(faulty)
        assert faulty.fault.met
    ground.truth.check()


def a_share_begins_again_while_the_next_one_is_parsed(ground: Ground) -> None:
    ground.write(*["good"] * 24)
    # raw commits several batches, and each is a share
    ingest(ground.lake, ground.export, ALERT_INFO, DAY, commit_bytes=Sizes().commit)
    faulty = ground.faulty_lake(2, "before", conflicted)
    ground.run_on(faulty)
    assert faulty.fault.met
    assert faulty.fault.seen.count(ALERT_INFO.name) > 2
    ground.truth.check()


def a_run_dies_between_quarantine_and_rows(ground: Ground) -> None:
    ground.write(*THREE)
    with pytest.raises(DiedError):
        ground.run_on(ground.faulty_lake(2, "after", died))
    ground.run()
    ground.truth.check()


def a_run_dies_while_rows_are_written(ground: Ground) -> None:
    for number in (1, 2, 3):
        ground.write(*THREE, first=number)
        with suppress(DiedError):
            ground.run_on(ground.faulty_lake(number, "during", died))
        assert not ground.truth.held(SLOT) or number > 1, "a commit that was broken off has landed"
        ground.run()
    ground.truth.check()


def a_record_is_delivered_again_in_a_later_batch(ground: Ground) -> None:
    ground.write(*THREE)
    ground.run()
    ground.write(*THREE, slot=NEXT_HOUR)
    ground.run()
    ground.truth.check()


def a_record_is_delivered_again_in_one_batch(ground: Ground) -> None:
    ground.write(*THREE)
    ground.write(*THREE)
    ground.write(*THREE, slot=NEXT_HOUR)
    ground.run()
    ground.truth.check()


def a_compaction_meets_a_run(ground: Ground) -> None:
    ground.write("good")
    ground.run()
    ground.write("good", first=1)
    ground.run()

    def more() -> None:
        ground.write("good", first=len(ground.truth.ever[SLOT][-1].planned))
        ground.run()

    for name in (ALERT_INFO.raw, ALERT_INFO.name):
        overtaken = Overtaken.of(ground.lake, more)
        compact_day(overtaken, name, DAY)
        assert not overtaken.events
    ground.truth.check()


# days behind


def a_day_of_the_look_back_grows(ground: Ground) -> None:
    following = DAY + timedelta(days=1)
    devices = replace(SLOT, table_name=DEVICE_INFO.name)
    later = replace(SLOT, table_name=ALERT_EVIDENCE.name, day=following)
    ground.write("good", "good", slot=later, first=1)
    ground.run(WHOLE_DAY, following)
    ground.write("good", "good", slot=devices)
    ground.run(WHOLE_DAY)
    for derived in DERIVED:
        build_partition(ground.lake, derived, following)
    assert find_stale_days(ground.lake, ground.export, [DAY, following]) == []
    assert_same_tables(ground.lake, built_at_once(ground.lake, ground.folder / "at-once"))


def a_run_dies_behind_each_commit(ground: Ground) -> None:
    ground.write(*THREE)
    for _ in range(20):
        behind = find_stale_days(ground.lake, ground.export, [DAY])
        try:
            ground.run_on(ground.faulty_lake(1, "after", died), part=WHOLE_DAY)
        except DiedError:
            assert behind, "a day is not behind though a run still finds something to commit"
        else:
            break
    assert find_stale_days(ground.lake, ground.export, [DAY]) == []
    ground.truth.check()
