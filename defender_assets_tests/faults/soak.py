"""`make soak`: the long version of what `make test` does a few times: the state machine, growth between runs, random
kills and runs at once, with a seed, and their figures.

What is asked for stands in the environment: SOAK_STEPS, SOAK_MINUTES (an end to the state machine before its steps),
SOAK_GROWTHS, SOAK_KILLS, SOAK_PAIRS and SEED. A failure ends it with a traceback and, for the state machine, the steps
to it.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from defender_assets_tests.faults.kills import Storm, kill_at_random, two_at_once
from defender_assets_tests.faults.machine import Interruptions, InterruptionsInAzure
from defender_assets_tests.faults.test_interruptions import calm_day, grow_and_run, growths
from defender_assets_tests.support.emulator import Emulator, run_emulator

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
class Asked:
    """What is to be run. Kills and pairs are shared out evenly between a directory and Azurite."""

    steps: int
    minutes: int
    growths: int
    kills: int
    pairs: int
    seed: int


def run_steps(asked: Asked, machine: type[Interruptions], steps: int, place: str) -> None:
    """Run the state machine for so many steps, or minutes."""
    began, rounds = time.monotonic(), 0
    machine.steps = 0
    while machine.steps < steps and time.monotonic() - began < 60 * asked.minutes:
        run_state_machine_as_test(seed(asked.seed + rounds)(machine), settings=BUDGET)
        rounds += 1
        if rounds % 10 == 0:
            _tell(began, f"{machine.steps} steps so far")
    _tell(began, f"{machine.steps} steps over {place} ended with the truth, in {rounds * EXAMPLES_AT_ONCE} examples")


def run_growths(asked: Asked) -> None:
    """Let a simulated day grow in any order and be run in between, so many times."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        calm = calm_day(Path(folder))

        @seed(asked.seed)
        @settings(BUDGET, max_examples=asked.growths)
        @given(steps=growths(calm.blobs))
        def grow(steps: list[tuple[str, bytes] | None]) -> None:
            grow_and_run(calm, steps)

        grow()
    _tell(began, f"{asked.growths} interleavings of growth and runs ended like a day ingested at once")


def run_in_azurite_too(asked: Asked) -> None:
    """Run the state machine over an account, kill runs, and let runs meet, in a directory and in Azurite."""
    with tempfile.TemporaryDirectory() as folder, run_emulator() as emulator:
        InterruptionsInAzure.emulator = emulator
        run_steps(asked, InterruptionsInAzure, asked.steps // ONE_STEP_IN_AZURE_IN, "an account")
        places: dict[str, Callable[[Path], Storm]] = {
            "a directory": lambda below: Storm.in_directory(below, asked.seed),
            "Azurite": lambda below: Storm.in_azurite(_emptied(emulator), below, asked.seed),
        }
        for number, (name, storm_in) in enumerate(places.items()):
            began = time.monotonic()
            told = _killed(storm_in(Path(folder, f"kills-{number}")), asked.kills // 2)
            _tell(began, f"{asked.kills // 2} kills in {name} ended with the truth: {told}")
            began = time.monotonic()
            two_at_once(storm_in(Path(folder, f"pairs-{number}")), asked.pairs // 2)
            _tell(began, f"{asked.pairs // 2} pairs of runs at once in {name} ended with the truth")


def _emptied(emulator: Emulator) -> Emulator:
    emulator.clear()
    return emulator


def _killed(storm: Storm, count: int) -> str:
    return ", ".join(f"{at} {times}" for at, times in sorted(kill_at_random(storm, count).items()))


def _tell(began: float, what: str) -> None:
    print(f"{time.monotonic() - began:6.0f} s  {what}", flush=True)  # noqa: T201 (a command prints)


def main() -> None:
    """Run what the environment asks for."""
    asked = Asked(
        *(
            int(os.environ.get(name) or otherwise)
            for name, otherwise in (
                ("SOAK_STEPS", 1_000),
                ("SOAK_MINUTES", 60),
                ("SOAK_GROWTHS", 20),
                ("SOAK_KILLS", 20),
                ("SOAK_PAIRS", 8),
                ("SEED", 1),
            )
        )
    )
    packages = ("deltalake", "polars", "azure-storage-blob", "hypothesis")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    _tell(time.monotonic(), f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {asked}, {versions}")
    run_steps(asked, Interruptions, asked.steps, "a directory")
    run_growths(asked)
    run_in_azurite_too(asked)


if __name__ == "__main__":
    main()
