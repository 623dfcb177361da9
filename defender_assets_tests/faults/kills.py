"""Runs as processes of their own: killed at random moments, or two at once; in a directory or in Azurite.

The export grows in between. In the end, after calm runs, the lake is the truth, and equal to a lake made at once.
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
from defender_assets_tests.faults.truth import DAYS, NAMED, SLOTS, Truth
from defender_assets_tests.faults.worker import DONE, READY, Worker
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.export_accounts import Directory, Place, account_place
from defender_assets_tests.support.exports import local_lake

# a calm run of both days says this many words at most; a kill comes up to so many seconds behind one of them
WORDS, SECONDS = 44, 0.04
ONE_REFRESH_IN = 4
PAIRS_TO_A_REFRESH = 2
# a line of the kind `long` is only long where sizes are small
ORDINARY = tuple(kind for kind in KINDS if kind != "long")


@dataclass
class Storm:
    """An export that grows by chance, a lake, and the settings with which workers find both."""

    truth: Truth
    settings: Mapping[str, str]
    folder: Path
    seeded_rng: random.Random

    @classmethod
    def in_directory(cls, folder: Path, seed: int) -> "Storm":
        """In a folder."""
        settings = {"DEFENDER_EXPORT_DIR": str(folder / "export"), "DEFENDER_LAKE_URI": str(folder / "lake")}
        return cls._of(Directory(folder / "export"), settings, folder, seed)

    @classmethod
    def in_azurite(cls, emulator: Emulator, folder: Path, seed: int) -> "Storm":
        """In the emulator's account, export and lake."""
        string = emulator.connection_string
        settings = {"AZURE_STORAGE_CONNECTION_STRING": string, "DEFENDER_LAKE_URI": "az://lake/tables"}
        return cls._of(account_place(emulator, emulator.service()), settings, folder, seed)

    @classmethod
    def _of(cls, place: Place, settings: Mapping[str, str], folder: Path, seed: int) -> "Storm":
        return cls(Truth(place, load_settings(settings, folder).lake()), settings, folder, random.Random(seed))

    def grow(self) -> None:
        """Append a few lines to a few blobs, cut anywhere."""
        for slot in self.seeded_rng.sample(SLOTS, 5):
            kinds = self.seeded_rng.choices(ORDINARY, k=self.seeded_rng.randint(1, 4))
            lines = [
                make_line(NAMED[slot.table_name], slot.tenant, kind, self.seeded_rng.randint(0, 40)) for kind in kinds
            ]
            self.truth.append(slot, lines, self.seeded_rng.choice((None, None, self.seeded_rng.randint(0, 900))))

    def check(self) -> None:
        """Calm runs, then the truth."""
        lake, export = self.truth.lake, self.truth.place.export
        for day in DAYS:
            run_day(lake, export, day)
        self.truth.check()
        assert [behind.stale for behind in find_stale_days(lake, export, DAYS) if behind.stale] == []
        assert_same_tables(lake, self._calm())

    def _calm(self) -> Lake:
        if self.truth.lake.account is None:
            return built_at_once(self.truth.lake, self.folder / "calm")
        calm = local_lake(self.folder / "calm")
        for day in DAYS:
            run_day(calm, self.truth.place.export, day)
        return calm


def kill_at_random(storm: Storm, count: int) -> Counter[str]:
    """SIGKILL `count` runs at random moments, then check; returns how many were killed at what."""
    killed: Counter[str] = Counter()
    spare = Worker.start(storm.settings)
    try:
        while killed.total() < count:
            storm.grow()
            worker, spare = spare, Worker.start(storm.settings)
            worker.wait_for(READY)
            worker.tell("run" if storm.seeded_rng.randrange(ONE_REFRESH_IN) else "refresh", *DAYS)
            worker.wait_for(DONE, most=storm.seeded_rng.randrange(WORDS))
            at = worker.kill(storm.seeded_rng, SECONDS)
            if at != DONE:
                killed[at] += 1
    finally:
        spare.end()
    storm.check()
    return killed


def two_at_once(storm: Storm, count: int) -> None:
    """Let two workers run the same days at the same time, `count` times over a growing export, then check."""
    workers = [Worker.start(storm.settings) for _ in range(2)]
    try:
        for worker in workers:
            worker.wait_for(READY)
        for number in range(count):
            storm.grow()
            for worker in workers:
                worker.tell("run" if (number + 1) % PAIRS_TO_A_REFRESH else "refresh", *DAYS)
            for worker in workers:
                worker.wait_for(DONE)
    finally:
        complaints = [worker.end() for worker in workers]
    assert complaints == ["", ""]
    storm.check()
