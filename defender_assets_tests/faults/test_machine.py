"""Any interleaving of growth, faults, crashes, retries, concurrent runs and refreshes ends with exactly the truth.

A few examples here, hundreds in `make soak`.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from defender_assets_tests.faults.machine import Interruptions, InterruptionsInAzure
from defender_assets_tests.support.emulator import Emulator

pytestmark = pytest.mark.long

BUDGET = settings(
    max_examples=2,
    stateful_step_count=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def test_any_interleaving_in_a_directory_ends_with_the_truth() -> None:
    run_state_machine_as_test(Interruptions, settings=BUDGET)


@pytest.mark.azure
def test_any_interleaving_in_an_account_ends_with_the_truth(account: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InterruptionsInAzure, "emulator", account, raising=False)
    run_state_machine_as_test(InterruptionsInAzure, settings=settings(BUDGET, max_examples=1))
