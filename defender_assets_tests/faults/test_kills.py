"""Kills at random moments and runs at once: a few here, hundreds in `make soak`."""

from pathlib import Path

import pytest

from defender_assets_tests.emulator import Emulator
from defender_assets_tests.faults.kills import Scene, kill_at_random, two_at_once


@pytest.mark.live
def test_runs_killed_at_random_moments_end_like_a_calm_run(tmp_path: Path) -> None:
    assert kill_at_random(Scene(tmp_path).prepare(), count=5, seed=1)["kills"] == 5


@pytest.mark.live
@pytest.mark.azure
def test_runs_killed_at_random_moments_in_azure_end_like_a_calm_run(tmp_path: Path, account: Emulator) -> None:
    scene = Scene(tmp_path, account).prepare()
    assert kill_at_random(scene, count=3, seed=1)["kills"] == 3


@pytest.mark.live
@pytest.mark.azure
def test_two_runs_at_once_in_azure_end_like_a_calm_run(tmp_path: Path, account: Emulator) -> None:
    assert two_at_once(Scene(tmp_path, account).prepare(), pairs=1) == 1
