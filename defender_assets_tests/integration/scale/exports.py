"""An export of several tenants in an emulated account, its ground truth, and the comparison of a lake with both."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from azure.storage.blob import BlobServiceClient

from defender_assets.core.export import Export
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.schemas import TABLES
from defender_assets.simulator import GroundTruth, Scenario, simulate
from defender_assets_tests.support.day_runs import promised, run_day
from defender_assets_tests.support.days import day_before, today
from defender_assets_tests.support.emulator import Emulator
from defender_assets_tests.support.exports import local_lake
from defender_assets_tests.support.simulated_exports import distinct_records

# these hours, a quarter of the day, have every kind of record; each hour costs a file per tenant
HOURS = tuple(f"/h={hour:02}/" for hour in (8, 9, 10, 16, 17, 23))


@dataclass(frozen=True)
class Written:
    """An export that is complete."""

    days: list[date]
    truth: dict[str, Any] = field(repr=False)

    def distinct(self) -> dict[tuple[str, str, date], int]:
        """The number of distinct records by table (Microsoft's name), tenant and day."""
        return distinct_records(self.truth)

    @property
    def pending(self) -> int:
        """The number of bytes after the last newlines of all blobs."""
        return sum(total["pending"] for total in self.truth["totals"])


def write(emulator: Emulator, days: int, tenants: int) -> Written:
    """Write the days before today into the account."""
    scenario = Scenario(
        day_before(days),
        days=days,
        devices=5,
        tenants=tenants,
        alerts_per_day=3,
        campaigns_per_tenant=2,
        heartbeat_minutes=360,
        seed=23,
        until=datetime.combine(today(), datetime.min.time(), UTC),
    )
    observed = GroundTruth(scenario)
    blobs: dict[tuple[str, str], bytearray] = defaultdict(bytearray)
    for append in observed.watch(a for a in simulate(scenario) if any(hour in a.blob for hour in HOURS)):
        blobs[append.container, append.blob] += append.data
    with emulator.service() as service, ThreadPoolExecutor(8) as threads:
        for container in {container for container, _ in blobs}:
            service.create_container(container)
        # each blob in one append: growth is tested elsewhere and would take minutes here
        for done in threads.map(lambda blob: _write(service, blob, bytes(blobs[blob])), blobs):
            assert done is None
    return Written([scenario.start + timedelta(days=number) for number in range(days)], observed.as_dict())


def _write(service: BlobServiceClient, blob: tuple[str, str], content: bytes) -> None:
    client = service.get_blob_client(*blob)
    client.create_append_blob()
    if content:
        client.append_block(content)


def matches_truth(lake: Lake, export: Export, written: Written) -> bool:
    """Whether no day is behind, except for the bytes after the last newlines."""
    behind = find_stale_days(lake, export, written.days)
    # the next run looks through the bytes after the last newlines, then none is behind
    return sum(day.missing_bytes for day in behind) in {0, written.pending} and not any(day.stale for day in behind)


def assert_exact(lake: Lake, export: Export, written: Written, folder: Path) -> None:
    """Check that the lake has each written record once, and equals that of one undisturbed process, leads included."""
    counts = {}
    for table in TABLES:
        rows = lake.read(table.name).select("tenant_id", "export_date", "record_id").collect()
        grouped = rows.group_by("tenant_id", "export_date").agg(count=pl.len(), distinct=pl.col("record_id").n_unique())
        for tenant_id, day, count, distinct in grouped.iter_rows():
            assert count == distinct
            counts[table.hunting_name, tenant_id, day] = count
    assert counts == written.distinct()
    undisturbed = local_lake(folder / "undisturbed")
    for day in written.days:
        run_day(undisturbed, export, day)
    found = promised(lake)
    for name, frame in promised(undisturbed).items():
        assert frame.height, name
        assert found[name].equals(frame), name
