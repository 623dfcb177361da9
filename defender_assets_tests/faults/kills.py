"""Runs as separate processes, killed at random moments or two at the same time, in a directory or in Azurite.

The export grows between them. At the end, after undisturbed runs, the lake matches the truth and a lake built once.
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.settings import load_settings
from defender_assets_tests.faults.equal_lakes import assert_same_tables, built_at_once
from defender_assets_tests.faults.small_runs import run_day
from defender_assets_tests.faults.streams import KINDS, make_line
from defender_assets_tests.faults.truth import DAYS, SLOTS, TABLES_BY_NAME, Truth
from defender_assets_tests.faults.worker import DONE, READY, Worker
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.export_accounts import Directory, ExportStorage, account_storage
from defender_assets_tests.support.exports import local_lake

# an undisturbed run of both days sends at most this many messages; a kill comes up to this many seconds after one
MOST_MESSAGES, KILL_DELAY_SECONDS = 44, 0.04
ONE_REFRESH_IN = 4
PAIRS_TO_A_REFRESH = 2
# `long` lines are only too long with small sizes
ORDINARY = tuple(kind for kind in KINDS if kind != "long")


@dataclass
class WorkerSetup:
    """An export that grows at random, a lake, and the settings of workers that use both."""

    truth: Truth
    settings: Mapping[str, str]
    folder: Path
    rng: random.Random

    @classmethod
    def in_directory(cls, folder: Path, seed: int) -> "WorkerSetup":
        """In a directory."""
        settings = {"DEFENDER_EXPORT_DIR": str(folder / "export"), "DEFENDER_LAKE_URI": str(folder / "lake")}
        return cls._of(Directory(folder / "export"), settings, folder, seed)

    @classmethod
    def in_azurite(cls, emulator: Emulator, folder: Path, seed: int) -> "WorkerSetup":
        """Export and lake in the account of the emulator."""
        string = emulator.connection_string
        settings = {"AZURE_STORAGE_CONNECTION_STRING": string, "DEFENDER_LAKE_URI": "az://lake/tables"}
        return cls._of(account_storage(emulator, emulator.service()), settings, folder, seed)

    @classmethod
    def _of(cls, storage: ExportStorage, settings: Mapping[str, str], folder: Path, seed: int) -> "WorkerSetup":
        return cls(Truth(storage, load_settings(settings, folder).lake()), settings, folder, random.Random(seed))

    def grow(self) -> None:
        """Append a few lines to a few blobs, cut anywhere."""
        for slot in self.rng.sample(SLOTS, 5):
            kinds = self.rng.choices(ORDINARY, k=self.rng.randint(1, 4))
            lines = [
                make_line(TABLES_BY_NAME[slot.table_name], slot.tenant, kind, self.rng.randint(0, 40)) for kind in kinds
            ]
            self.truth.append(slot, lines, self.rng.choice((None, None, self.rng.randint(0, 900))))

    def check(self) -> None:
        """Run undisturbed, then check the truth."""
        lake, export = self.truth.lake, self.truth.storage.export
        for day in DAYS:
            run_day(lake, export, day)
        self.truth.check()
        assert [behind.stale for behind in find_stale_days(lake, export, DAYS) if behind.stale] == []
        assert_same_tables(lake, self._undisturbed())

    def _undisturbed(self) -> Lake:
        if self.truth.lake.account is None:
            return built_at_once(self.truth.lake, self.folder / "undisturbed")
        undisturbed = local_lake(self.folder / "undisturbed")
        for day in DAYS:
            run_day(undisturbed, self.truth.storage.export, day)
        return undisturbed


def kill_at_random(setup: WorkerSetup, count: int) -> Counter[str]:
    """Kill `count` runs (SIGKILL) at random moments, then check; return the number of kills after each message."""
    killed: Counter[str] = Counter()
    spare = Worker.start(setup.settings, setup.folder)
    try:
        while killed.total() < count:
            setup.grow()
            worker, spare = spare, Worker.start(setup.settings, setup.folder)
            worker.wait_for(READY)
            worker.send("run" if setup.rng.randrange(ONE_REFRESH_IN) else "refresh", DAYS)
            worker.wait_for(DONE, most=setup.rng.randrange(MOST_MESSAGES))
            at = worker.kill(setup.rng, KILL_DELAY_SECONDS)
            if at != DONE:
                killed[at] += 1
    finally:
        spare.end()
    setup.check()
    return killed


def two_at_once(setup: WorkerSetup, count: int) -> None:
    """Let two workers run the same days at the same time, `count` times while the export grows, then check."""
    workers = [Worker.start(setup.settings, setup.folder) for _ in range(2)]
    try:
        for worker in workers:
            worker.wait_for(READY)
        for number in range(count):
            setup.grow()
            for worker in workers:
                worker.send("run" if (number + 1) % PAIRS_TO_A_REFRESH else "refresh", DAYS)
            for worker in workers:
                worker.wait_for(DONE)
    finally:
        errors = [worker.end() for worker in workers]
    assert errors == ["", ""]
    setup.check()
