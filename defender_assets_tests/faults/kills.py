"""Runs of a day as processes of their own: killed at random moments, or two at once; in a directory or in Azurite.

Both kinds end, after one more run, with the tables of a calm run. How a day runs and dies stands in `day_runs`.
"""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake import Lake
from defender_assets.settings import load_settings
from defender_assets.simulator import Append, Scenario, simulate, write_account, write_directory
from defender_assets_tests.day_runs import assert_same, run_day
from defender_assets_tests.emulator import Emulator
from defender_assets_tests.exports import DAY, local_lake

# a run's own work begins behind its imports, and its last commit is some way before its end
EARLIEST, LATEST = 0.6, 1.0


@dataclass(frozen=True)
class Scene:
    """A small day, its calm lake, and where the killed runs find export and lake (as settings in the environment)."""

    root: Path
    emulator: Emulator | None = None

    @property
    def calm(self) -> Lake:
        return local_lake(self.root / "calm")

    def prepare(self) -> "Scene":
        """Write the export and make the calm lake."""
        scenario = Scenario(
            start=DAY, days=1, devices=4, tenants=2, alerts_per_day=3, campaigns_per_tenant=1, heartbeat_minutes=360
        )
        hours = ("h=08", "h=09", "h=16", "h=23")
        appends: list[Append] = [append for append in simulate(scenario) if any(hour in append.blob for hour in hours)]
        write_directory(appends, self.root / "export")
        run_day(self.calm, DirectoryExport(self.root / "export"), DAY)
        if self.emulator is not None:
            self.emulator.clear()
            with self.service() as service:
                write_account(appends, service)
        return self

    def service(self) -> BlobServiceClient:
        assert self.emulator is not None
        return self.emulator.service()

    def environment(self, number: int) -> dict[str, str]:
        """The settings of the number-th lake."""
        if self.emulator is None:
            return {
                "DEFENDER_EXPORT_DIR": str(self.root / "export"),
                "DEFENDER_LAKE_URI": str(self.root / f"lake-{number}"),
            }
        return {
            "AZURE_STORAGE_CONNECTION_STRING": self.emulator.connection_string,
            "DEFENDER_LAKE_URI": f"az://lake-{number}/tables",
        }

    def start(self, number: int) -> subprocess.Popen[bytes]:
        """A process that runs the day on the number-th lake."""
        return subprocess.Popen(
            [sys.executable, "-m", "defender_assets_tests.faults.kills"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **self.environment(number)},
            stderr=subprocess.PIPE,
        )

    def check(self, number: int) -> None:
        """One more run, and the lake is that of a calm run."""
        settings = load_settings(self.environment(number), self.root)
        run_day(settings.lake(), settings.export(), DAY)
        assert_same(settings.lake(), self.calm)


def kill_at_random(scene: Scene, count: int, seed: int, first: int = 0) -> dict[str, int]:
    """Kill `count` runs at random moments, on as many lakes as that takes; returns kills, lakes and runs that ended."""
    dice = random.Random(seed)
    kills, ended, lake = 0, 0, first
    longest = 2.5 if scene.emulator is None else 5.0
    while kills < count:
        run = scene.start(lake)
        time.sleep(dice.uniform(EARLIEST, longest * LATEST))
        run.send_signal(signal.SIGKILL)
        _, errors = run.communicate(timeout=120)
        assert run.returncode in (0, -signal.SIGKILL), errors.decode()
        kills += run.returncode != 0
        if run.returncode == 0:
            ended += 1
            scene.check(lake)
            lake += 1
    scene.check(lake)
    return {"kills": kills, "lakes": lake + 1 - first, "runs that ended first": ended}


def two_at_once(scene: Scene, pairs: int, first: int = 0) -> int:
    """Start two runs of the day at once, on a lake of their own each pair; returns the pairs."""
    for number in range(first, first + pairs):
        runs = [scene.start(number) for _ in range(2)]
        for run in runs:
            _, errors = run.communicate(timeout=300)
            assert run.returncode == 0, errors.decode()
        scene.check(number)
    return pairs


if __name__ == "__main__":
    found = load_settings()
    run_day(found.lake(), found.export(), DAY)
