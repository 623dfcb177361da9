"""`make soak`: many repetitions of what `make test` runs a few times: the state machine, growth between runs, random
kills, concurrent runs, mutated lines and updates of leads, with a seed; and the tests that `make test` leaves out. It
prints their figures.

The environment sets SOAK_STEPS, SOAK_MINUTES (a time limit for the state machine), SOAK_GROWTHS, SOAK_KILLS,
SOAK_PAIRS, SOAK_LINES, SOAK_WORLDS and SEED. A failure stops it with a traceback and, for the state machine, the steps
that led to it.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from defender_assets.core.leads import build
from defender_assets_tests.faults.kills import WorkerSetup, kill_at_random, two_at_once
from defender_assets_tests.faults.machine import Interruptions, InterruptionsInAzure
from defender_assets_tests.faults.mutated_lines import check_with_bounds
from defender_assets_tests.faults.test_interruptions import grow_and_run, growths, simulate_reference_day
from defender_assets_tests.support.emulator import Emulator, run_emulator
from defender_assets_tests.support.exhaustive import MARK
from defender_assets_tests.support.growing_worlds import compare_updates
from defender_assets_tests.support.random_leads import compare_reach, random_leads

EXAMPLES_AT_ONCE, STEPS_OF_AN_EXAMPLE = 4, 50
ONE_STEP_IN_AZURE_IN = 20
BUDGET = settings(
    max_examples=EXAMPLES_AT_ONCE,
    stateful_step_count=STEPS_OF_AN_EXAMPLE,
    derandomize=False,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class SoakOptions:
    """What to run. Kills and pairs are divided evenly between a directory and Azurite."""

    steps: int
    minutes: int
    growths: int
    kills: int
    pairs: int
    lines: int
    worlds: int
    seed: int


def run_steps(options: SoakOptions, machine: type[Interruptions], steps: int, location: str) -> None:
    """Run the state machine for `steps`, or until the time limit."""
    began, rounds = time.monotonic(), 0
    machine.steps = 0
    while machine.steps < steps and time.monotonic() - began < 60 * options.minutes:
        run_state_machine_as_test(seed(options.seed + rounds)(machine), settings=BUDGET)
        rounds += 1
        _report(began, f"{machine.steps} steps so far, by seeds {options.seed} to {options.seed + rounds - 1}")
    _report(
        began, f"{machine.steps} steps over {location} ended with the truth, in {rounds * EXAMPLES_AT_ONCE} examples"
    )


def run_growths(options: SoakOptions) -> None:
    """Let a simulated day grow in any order, with runs in between, `growths` times."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        reference = simulate_reference_day(Path(folder))

        @seed(options.seed)
        @settings(BUDGET, max_examples=options.growths)
        @given(steps=growths(reference.blobs))
        def grow(steps: list[tuple[str, bytes] | None]) -> None:
            grow_and_run(reference, steps)

        grow()
    _report(began, f"{options.growths} interleavings of growth and runs ended like a day ingested at once")


def run_exhaustive_tests() -> None:
    """Run the tests that `make test` leaves out, because it runs others of their kind."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-m", MARK], check=True)
    _report(began, "the tests that make test leaves out passed")


def run_mutations(options: SoakOptions) -> None:
    """Parse mutated lines with both readers, the compiled one with checked bounds."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        _report(began, ", ".join(check_with_bounds(options.lines, options.seed, Path(folder)).splitlines()))


def run_updates(options: SoakOptions) -> None:
    """Let random worlds grow, and compare the leads that are updated with those of full builds; likewise stories."""
    began, at_once = time.monotonic(), 60
    with patch.object(build, "LEAST_KEPT", 0):
        changed = sum(compare_updates(at_once, options.seed + n, 10) for n in range(options.worlds // at_once))
    _report(began, f"{options.worlds} worlds: leads that were updated {changed} times were those of full builds")
    began = time.monotonic()
    worlds = (random_leads(at_once, options.seed + n) for n in range(options.worlds // at_once))
    stories = sum(compare_reach(leads).height for leads in worlds)
    _report(began, f"{options.worlds} worlds: {stories} stories of the leads that matter were those of all leads")


def run_in_azurite_too(options: SoakOptions) -> None:
    """Run the state machine over an account; kill runs and run pairs, in a directory and in Azurite."""
    with tempfile.TemporaryDirectory() as folder, run_emulator() as emulator:
        InterruptionsInAzure.emulator = emulator
        run_steps(options, InterruptionsInAzure, options.steps // ONE_STEP_IN_AZURE_IN, "an account")
        setups: dict[str, Callable[[Path], WorkerSetup]] = {
            "a directory": lambda below: WorkerSetup.in_directory(below, options.seed),
            "Azurite": lambda below: WorkerSetup.in_azurite(_emptied(emulator), below, options.seed),
        }
        for number, (name, make_setup) in enumerate(setups.items()):
            began = time.monotonic()
            killed = _killed(make_setup(_made(Path(folder, f"kills-{number}"))), options.kills // 2)
            _report(began, f"{options.kills // 2} kills in {name} ended with the truth: {killed}")
            began = time.monotonic()
            two_at_once(make_setup(_made(Path(folder, f"pairs-{number}"))), options.pairs // 2)
            _report(began, f"{options.pairs // 2} pairs of runs at once in {name} ended with the truth")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _emptied(emulator: Emulator) -> Emulator:
    emulator.clear()
    return emulator


def _killed(setup: WorkerSetup, count: int) -> str:
    return ", ".join(f"{at} {times}" for at, times in sorted(kill_at_random(setup, count).items()))


def _report(began: float, what: str) -> None:
    print(f"{time.monotonic() - began:6.0f} s  {what}", flush=True)  # noqa: T201 (a command prints)


def main() -> None:
    """Run what the environment requests."""
    options = SoakOptions(
        *(
            int(os.environ.get(name) or otherwise)
            for name, otherwise in (
                ("SOAK_STEPS", 1_000),
                ("SOAK_MINUTES", 60),
                ("SOAK_GROWTHS", 20),
                ("SOAK_KILLS", 20),
                ("SOAK_PAIRS", 8),
                ("SOAK_LINES", 1_000_000),
                ("SOAK_WORLDS", 600),
                ("SEED", 1),
            )
        )
    )
    packages = ("deltalake", "polars", "azure-storage-blob", "hypothesis")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    _report(time.monotonic(), f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {options}, {versions}")
    run_steps(options, Interruptions, options.steps, "a directory")
    run_exhaustive_tests()
    run_growths(options)
    run_mutations(options)
    run_updates(options)
    run_in_azurite_too(options)


if __name__ == "__main__":
    main()
