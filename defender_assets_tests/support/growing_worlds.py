"""Worlds of random records that grow step by step, to compare leads that are updated with leads that are built."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl
from polars.testing import assert_frame_equal

from defender_assets.core.lake.snapshots import Change
from defender_assets.core.leads import build_leads, update_leads
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Table
from defender_assets_tests.support.alert_rows import DAY, Row, at, frame
from defender_assets_tests.support.random_records import random_heartbeat, random_record

Records = list[tuple[Table, Row]]
TYPED = (ALERT_INFO, ALERT_EVIDENCE, DEVICE_INFO)
ALERTS = (ALERT_INFO, ALERT_EVIDENCE)
SIZE, HEARTBEATS, COPIES = 40, 6, 20


@dataclass
class GrowingWorlds:
    """Worlds whose tenants share nothing, so that one build has all of them. Call `grow`, then compare."""

    count: int
    seed: int
    records: Records = field(default_factory=list)
    step: int = 0

    def __post_init__(self) -> None:
        self.records = [*self.draw(SIZE), *self.draw(HEARTBEATS, (DEVICE_INFO,))]

    def draw(self, size: int, tables: Iterable[Table] = TYPED) -> Records:
        """Return random records of some tables, about as many for each world."""
        return list(self._drawn(size, set(tables)))

    def _drawn(self, size: int, tables: set[Table]) -> Iterator[tuple[Table, Row]]:
        for world in range(self.count):
            seeded_rng = random.Random(f"{self.seed} {self.step} {world} {size}")
            for _ in range(size):
                if tables == {DEVICE_INFO}:
                    table, row = DEVICE_INFO, random_heartbeat(seeded_rng)
                else:
                    table, row = random_record(seeded_rng)
                if table in tables:
                    yield table, row | {"tenant_id": f"{world}:{row['tenant_id']}"}

    def grow(self) -> Records:
        """Add some records of alerts, some heartbeats, or both, and copies of older records, and return them."""
        self.step += 1
        seeded_rng = random.Random(f"{self.seed} {self.step}")
        alerts, beats = seeded_rng.choice(((2, 0), (0, 1), (0, 1), (2, 1)))
        new = [*self.draw(alerts, ALERTS), *self.draw(beats, (DEVICE_INFO,))]
        for table, row in seeded_rng.sample(self.records, COPIES):
            day = DAY - timedelta(days=seeded_rng.choice((0, 0, 1, 3)))
            new.append((table, row | {"blob": "later", "exported_at": at(14), "export_date": day}))
        self.records += new
        return new

    def build(self) -> pl.DataFrame:
        """Build the leads of all records."""
        return build_leads(DAY, *frames(self.records))


def frames(records: Records) -> list[pl.LazyFrame]:
    """Return the three typed tables."""
    return [frame(table, (row for of, row in records if of is table)) for table in TYPED]


def changes_of(records: Records) -> list[Change]:
    """Return new records as the changes of the three tables."""
    has = {table.name for table, _ in records}
    new = zip(TYPED, frames(records), strict=True)
    return [Change(each if table.name in has else None, None) for table, each in new]


def updated(leads: pl.DataFrame, before: Records, new: Records) -> pl.DataFrame | None:
    """Update the leads of the records before with new ones."""
    return update_leads(DAY, leads, changes_of(new), *frames([*before, *new]))


def compare_updates(count: int, seed: int, steps: int) -> int:
    """Let worlds grow; leads that are updated must be those of a full build. Return the steps that changed some."""
    worlds, changed = GrowingWorlds(count, seed), 0
    leads = worlds.build()
    for _ in range(steps):
        before = list(worlds.records)
        now = updated(leads, before, worlds.grow())
        assert now is not None
        assert_frame_equal(now, worlds.build())
        changed += not now.equals(leads)
        leads = now
    return changed
