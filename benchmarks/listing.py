"""A sensor tick over many hourly blobs in the emulator, compared in turn with a bare listing of the same prefixes.

Every blob has one record, and all days are up to date, so the tick requests no run. The memory is that of this
process, which does the listing.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.arguments import at_least_one
from benchmarks.backfill import resident_mb
from defender_assets.catalog import DERIVED, LAKE_TABLES
from defender_assets.core.azure.account import from_connection_string
from defender_assets.core.export.azure import AzureExport
from defender_assets.core.export.blobs import day_prefix
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.raw import ingest
from defender_assets.core.schemas import TABLES, Table
from defender_assets.core.tables import build
from defender_assets_tests.support.emulator import Emulator, run_emulator
from defender_assets_tests.support.exports import records

DAY = date(2026, 11, 3)
TARGET = 1.5


def tenant(number: int) -> str:
    return f"{number:08}-2222-4333-8444-555555555555"


def fill(emulator: Emulator, tenants: int, days: list[date]) -> int:
    """Write a blob of one record for each table, tenant, day and hour; return the number of blobs."""
    with emulator.service() as service, ThreadPoolExecutor(4) as pool:

        def put(table: Table, number: int, day: date, hour: int) -> None:
            path = f"{day_prefix(tenant(number), day)}h={hour:02}/m=00/PT1H.json"
            content = records(table, hour, 1, tenant=tenant(number))
            service.get_blob_client(table.container, path).upload_blob(content, blob_type="AppendBlob")

        for table in TABLES:
            service.create_container(table.container)
        slots = [
            (table, number, day, hour)
            for table in TABLES
            for number in range(tenants)
            for day in days
            for hour in range(24)
        ]
        list(pool.map(lambda slot: put(*slot), slots))
        return len(slots)


def bare(export: AzureExport, tenants: int, days: list[date]) -> int:
    """List the same prefixes with the SDK alone; return the number of blobs."""
    service = export.account.service()
    return sum(
        1
        for table in TABLES
        for number in range(tenants)
        for day in days
        for _ in service.get_container_client(table.container).list_blobs(
            name_starts_with=day_prefix(tenant(number), day)
        )
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks listing", description=__doc__)
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--rounds", type=at_least_one, default=7)
    options = parser.parse_args(arguments)
    days = [DAY - timedelta(days=back) for back in range(options.days)][::-1]
    with TemporaryDirectory(prefix="listing-") as folder, run_emulator() as emulator:
        written = fill(emulator, options.tenants, days)
        export = AzureExport(from_connection_string("BENCHMARK", emulator.connection_string))
        lake = Lake(str(Path(folder) / "lake"), LAKE_TABLES)
        for day in days:
            for table in TABLES:
                ingest.ingest(lake, export, table, day)
                build.build_table_day(lake, table, day)
            for derived in DERIVED:
                build_partition(lake, derived, day)
        ways: dict[str, Callable[[], object]] = {
            "bare listing": lambda: bare(export, options.tenants, days),
            "tick": lambda: find_stale_days(lake, export, days),
        }
        spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        resident = [resident_mb()]
        for _ in range(options.rounds):
            for name, way in ways.items():
                wall, cpu = time.perf_counter(), time.process_time()
                found = way()
                spent[name].append((time.perf_counter() - wall, time.process_time() - cpu))
                if found != (written if name == "bare listing" else []):
                    raise RuntimeError(f"{name}: {found}")
            resident.append(resident_mb())
        print(f"{written} blobs, medians of {options.rounds}")
        print(f"{'':<16}{'seconds':>10}{'CPU-s':>10}")
        for name, each in spent.items():
            print(f"{name:<16}{median(w for w, _ in each):>10.2f}{median(c for _, c in each):>10.2f}")
        walls, cpus = ([median(each[which] for each in spent[name]) for name in ways] for which in (0, 1))
        print(f"tick against bare listing: {walls[1] / walls[0]:.2f}, by CPU {cpus[1] / cpus[0]:.2f}; target {TARGET}")
        print(f"Resident MB before and after each round: {', '.join(f'{mb:.0f}' for mb in resident)}")
