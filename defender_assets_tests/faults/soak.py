"""`make soak`: the state machine, random kills and runs at once, for as long as asked, with a seed and figures."""

import argparse
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from defender_assets_tests.emulator import run_emulator
from defender_assets_tests.faults.kills import Scene, kill_at_random, two_at_once
from defender_assets_tests.faults.machine import Interruptions

EXAMPLES_AT_ONCE = 5


def main() -> None:
    """Run what is asked for; an assertion that fails ends it with a traceback."""
    asked = argparse.ArgumentParser(prog="make soak")
    asked.add_argument("--steps", type=int, default=1_000, help="steps of the state machine")
    asked.add_argument("--kills", type=int, default=50, help="random kills, half in a directory and half in Azurite")
    asked.add_argument("--pairs", type=int, default=10, help="pairs of runs at once, in Azurite")
    asked.add_argument("--seed", type=int, default=1)
    wanted = asked.parse_args()
    packages = ("dagster", "polars", "deltalake", "hypothesis")
    print(", ".join(f"{name} {version(name)}" for name in packages), f"seed {wanted.seed}", flush=True)  # noqa: T201
    _steps(wanted.steps, wanted.seed)
    with tempfile.TemporaryDirectory() as folder, run_emulator() as emulator:
        for name, scene in (
            ("directory", Scene(Path(folder, "directory")).prepare()),
            ("Azurite", Scene(Path(folder, "azure"), emulator).prepare()),
        ):
            began = time.monotonic()
            told = kill_at_random(scene, wanted.kills // 2, wanted.seed) if wanted.kills else {}
            print(f"{name}: {told}, {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201
        began = time.monotonic()
        done = two_at_once(scene, wanted.pairs, first=1000)
        print(f"{done} pairs of runs at once in Azurite, {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201


def _steps(count: int, seed: int) -> None:
    began = time.monotonic()
    batch = 0
    while Interruptions.steps < count:
        Interruptions._hypothesis_internal_use_seed = seed + batch  # noqa: SLF001 (as @seed does)
        run_state_machine_as_test(
            Interruptions,
            settings=settings(
                max_examples=EXAMPLES_AT_ONCE,
                stateful_step_count=25,
                derandomize=False,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        batch += 1
        told = f"{Interruptions.steps} steps in {batch * EXAMPLES_AT_ONCE} examples, {time.monotonic() - began:.0f} s"
        print(told, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
