"""Ten tenants' export in an emulated account, what its writer says it holds, and the lake of one quiet process."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from defender_assets.core.export import Export
from defender_assets.core.lake import Lake
from defender_assets.core.pending import survey
from defender_assets.core.tables import TABLES
from defender_assets.simulator import GroundTruth, Scenario, simulate, write_account
from defender_assets_tests.day_runs import promised, run_day
from defender_assets_tests.emulator import Emulator
from defender_assets_tests.exports import local_lake

TODAY = datetime.now(UTC).date()


@dataclass(frozen=True)
class Written:
    """An export that does not grow any more."""

    days: list[date]
    truth: dict[str, Any] = field(repr=False)

    def distinct(self) -> dict[tuple[str, str, date], int]:
        """How many distinct records each table (of Microsoft), tenant and day holds."""
        return {
            (total["table"], total["tenant_id"], date.fromisoformat(total["day"])): total["distinct"]
            for total in self.truth["totals"]
            if total["distinct"]
        }

    @property
    def pending(self) -> int:
        """How many bytes stand after last line ends."""
        return sum(total["pending"] for total in self.truth["totals"])


def write(emulator: Emulator, days: int, tenants: int) -> Written:
    """Write the days before today into the account."""
    scenario = Scenario(
        TODAY - timedelta(days=days),
        days=days,
        devices=5,
        tenants=tenants,
        alerts_per_day=3,
        campaigns_per_tenant=2,
        heartbeat_minutes=360,
        seed=23,
        # fewer, larger appends: the emulator takes some 9 ms for each
        append_bytes=200_000,
        until=datetime.combine(TODAY, datetime.min.time(), UTC),
    )
    observed = GroundTruth(scenario)
    with emulator.service() as service:
        write_account(observed.watch(simulate(scenario)), service)
    return Written([scenario.start + timedelta(days=number) for number in range(days)], observed.as_dict())


def at_the_truth(lake: Lake, export: Export, written: Written) -> bool:
    """Whether no day is behind but by the bytes after last line ends."""
    behind = survey(lake, export, written.days)
    return sum(day.missing_bytes for day in behind) == written.pending and not any(day.stale for day in behind)


def assert_exact(lake: Lake, export: Export, written: Written, folder: Path) -> None:
    """The lake holds what the writer wrote, once, and is what one quiet process makes of it, leads included."""
    held = {}
    for table in TABLES:
        rows = lake.read(table.name).select("tenant_id", "export_date", "record_id").collect()
        counted = rows.group_by("tenant_id", "export_date").agg(count=pl.len(), distinct=pl.col("record_id").n_unique())
        for tenant_id, day, count, distinct in counted.iter_rows():
            assert count == distinct
            held[table.hunting_name, tenant_id, day] = count
    assert held == written.distinct()
    quiet = local_lake(folder / "quiet")
    for day in written.days:
        run_day(quiet, export, day)
    found = promised(lake)
    for name, frame in promised(quiet).items():
        assert frame.height, name
        assert found[name].equals(frame), name
