"""Kills at random moments and concurrent runs: one of each here, hundreds in `make soak`."""

from pathlib import Path

import pytest

from defender_assets_tests.faults.kills import WorkerSetup, kill_at_random, two_at_once
from defender_assets_tests.support.emulator import Emulator

pytestmark = pytest.mark.long

SEED = 1


@pytest.mark.live
def test_runs_killed_at_random_moments_end_with_the_truth(tmp_path: Path) -> None:
    assert kill_at_random(WorkerSetup.in_directory(tmp_path, SEED), 1).total() == 1


@pytest.mark.live
@pytest.mark.azure
def test_runs_killed_at_random_moments_in_azure_end_with_the_truth(tmp_path: Path, account: Emulator) -> None:
    assert kill_at_random(WorkerSetup.in_azurite(account, tmp_path, SEED), 1).total() == 1


@pytest.mark.live
def test_two_runs_at_once_end_with_the_truth(tmp_path: Path) -> None:
    two_at_once(WorkerSetup.in_directory(tmp_path, SEED), 1)


@pytest.mark.live
@pytest.mark.azure
def test_two_runs_at_once_in_azure_end_with_the_truth(tmp_path: Path, account: Emulator) -> None:
    two_at_once(WorkerSetup.in_azurite(account, tmp_path, SEED), 1)
