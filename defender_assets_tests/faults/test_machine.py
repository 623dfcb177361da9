"""Any interleaving of growth, faults, crashes, retries, concurrent runs and refreshes ends with exactly the truth.

A few examples here, hundreds in `make soak`.
"""

import shutil

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from defender_assets.catalog import LEADS
from defender_assets.core.schemas import ALERT_INFO, QUARANTINE
from defender_assets_tests.faults.damage import KINDS, all_damage
from defender_assets_tests.faults.machine import Interruptions, InterruptionsInAzure
from defender_assets_tests.faults.small_runs import run_day, run_part
from defender_assets_tests.faults.truth import SLOTS
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exhaustive import some_of

pytestmark = pytest.mark.long

BUDGET = settings(
    max_examples=1,
    stateful_step_count=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def test_any_interleaving_in_a_directory_ends_with_the_truth() -> None:
    run_state_machine_as_test(Interruptions, settings=BUDGET)


def test_rows_that_only_a_damaged_file_had_are_not_required() -> None:
    """Raw fell back and the blob is gone: what quarantine and the typed table keep is nowhere else."""
    machine = Interruptions()
    slot = SLOTS[0]
    machine.truth.append(slot, machine.lines(slot, [("good", 1), ("not_json", 2)]))
    run_part(ALERT_INFO.name, machine.lake, machine.export, slot.day)
    machine.truth.vanish(slot)
    machine.take_back(frozenset({ALERT_INFO.raw}), lambda name: shutil.rmtree(machine.lake.table_uri(name)))
    machine.run_what_is_behind()
    for name in (QUARANTINE, ALERT_INFO.name):
        machine.damage_and_follow(slot.day, name, "garbage")
    machine.teardown()


def test_a_hint_may_be_damaged_twice() -> None:
    machine = Interruptions()
    slot = SLOTS[0]
    machine.truth.append(slot, machine.lines(slot, [("good", 1)]))
    run_part(ALERT_INFO.name, machine.lake, machine.export, slot.day)
    for kind in (*KINDS, *KINDS):
        machine.damage_a_log(ALERT_INFO, kind, hint=True)
    machine.teardown()


@pytest.mark.parametrize(
    "name",
    some_of((ALERT_INFO.name, QUARANTINE, ALERT_INFO.raw, LEADS.name), {LEADS.name}.__contains__),
)
def test_a_restored_version_with_a_damaged_file_is_repaired(name: str) -> None:
    machine = Interruptions()
    slot = SLOTS[0]
    machine.truth.append(slot, machine.lines(slot, [("good", 1), ("not_json", 2)]))
    run_day(machine.lake, machine.export, slot.day)
    if name == ALERT_INFO.raw:
        machine.damage_raw(slot, "cut", 0)
    else:
        machine.damage_and_follow(slot.day, name, "cut")
    for steps in (1, 2, 3):
        machine.restore_versions(frozenset({name}), steps)
    assert all_damage(machine.lake) == []
    machine.teardown()


@pytest.mark.azure
def test_any_interleaving_in_an_account_ends_with_the_truth(account: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InterruptionsInAzure, "emulator", account, raising=False)
    run_state_machine_as_test(InterruptionsInAzure, settings=settings(BUDGET, stateful_step_count=10))
