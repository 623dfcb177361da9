"""The cost of 100 KB more on a big day, compared with an empty day of the same lake and of a new lake.

All are measured in turn in one warm process: the start of a run costs the same for any size of the lake.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.arguments import at_least_one
from benchmarks.data import DAY, chunk, write
from defender_assets.catalog import LAKE_TABLES
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.raw import ingest
from defender_assets.core.schemas import DEVICE_INFO
from defender_assets.core.tables import build

TARGET = 1.5


@dataclass
class Site:
    """A lake, its export, and the cost of each step in it: (wall seconds, CPU seconds)."""

    root: Path
    spent: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @property
    def lake(self) -> Lake:
        return Lake(str(self.root / "lake"), LAKE_TABLES)

    @property
    def export(self) -> DirectoryExport:
        return DirectoryExport(self.root / "export")

    def append(self, day: date, folder: str, content: bytes) -> None:
        path = f"{folder}/y={day:%Y}/m={day:%m}/d={day:%d}/h=23/m=00/PT1H.json"
        file = self.export.root / DEVICE_INFO.container / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab") as opened:
            opened.write(content)

    def process(self, day: date) -> None:
        """Process new bytes through raw into the typed table, and record the cost."""
        steps: dict[str, Callable[[], object]] = {
            "raw": lambda: ingest.ingest(self.lake, self.export, DEVICE_INFO, day),
            "typed": lambda: build.build_table_day(self.lake, DEVICE_INFO, day),
        }
        for name, step in steps.items():
            wall, cpu = time.perf_counter(), time.process_time()
            step()
            self.spent.setdefault(name, []).append((time.perf_counter() - wall, time.process_time() - cpu))


def medians(spent: list[tuple[float, float]]) -> tuple[float, float]:
    return median(wall for wall, _ in spent), median(cpu for _, cpu in spent)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks increment", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="size of the day before")
    parser.add_argument("--rounds", type=at_least_one, default=21)
    options = parser.parse_args(arguments)
    folder, content = chunk(DEVICE_INFO, 100_000)
    content = content[: content.rindex(b"\n", 0, 100_000) + 1]
    with TemporaryDirectory(prefix="increment-") as made:
        full, fresh = Site(Path(made) / "full"), Site(Path(made) / "fresh")
        size = write(full.export.root, DEVICE_INFO, options.megabytes)
        full.process(DAY)
        full.spent.clear()
        beside = Site(full.root)
        for number in range(options.rounds):
            # new records: repeated ones would only be dropped
            more = content.replace(b'"ReportId":', b'"ReportId":9%03d' % number)
            empty = DAY + timedelta(days=number + 1)
            for site, day in ((full, DAY), (beside, empty), (fresh, empty)):
                site.append(day, folder, more)
                site.process(day)
        print(f"{len(content) / 1000:.0f} KB more, medians of {options.rounds}; wall ms and CPU ms")
        print(f"{'':<44}{'raw':>8}{'CPU':>8}{'typed':>8}{'CPU':>8}{'both':>8}{'CPU':>8}")
        totals = {}
        for name, site in {
            f"on a day of {size / 1e6:.0f} MB": full,
            "on an empty day of the same lake": beside,
            "on an empty day of a lake without that day": fresh,
        }.items():
            steps = [medians(site.spent[step]) for step in ("raw", "typed")]
            totals[name] = tuple(map(sum, zip(*steps, strict=True)))
            shown = [*steps, totals[name]]
            print(f"{name:<44}" + "".join(f"{wall * 1000:>8.0f}{cpu * 1000:>8.0f}" for wall, cpu in shown))
        first, *others = totals.values()
        for name, other in zip(("same lake", "other lake"), others, strict=True):
            print(f"against the empty day, {name}: {first[0] / other[0]:.2f}, by CPU {first[1] / other[1]:.2f}")
        print(f"target: at most {TARGET}")
