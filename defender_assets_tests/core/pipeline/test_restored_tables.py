"""Any tables of a chain taken back to any earlier state end with the truth, by runs of days that are behind alone.

A table is taken back by its files (a backup, or an empty folder) or by Delta's `restore()`.
"""

import shutil
from dataclasses import dataclass, replace
from datetime import date
from itertools import product
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from deltalake import DeltaTable

from defender_assets.catalog import LEADS, QUARANTINED, RAW, TYPED
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import build_partition
from defender_assets.core.pipeline.staleness import StaleDay, find_stale_days
from defender_assets.core.raw.ingest import ingest
from defender_assets.core.schemas import ALERT_INFO, QUARANTINE
from defender_assets.core.tables.build import TypedReport, build_table_day
from defender_assets_tests.faults.streams import make_line
from defender_assets_tests.support.exhaustive import some_of
from defender_assets_tests.support.exports import DAY, TENANT, Folder, blob_path

COLUMNS = ("tenant_id", "export_date", "lead_id", "title", "built_version")


def build_titles(day: date, info: pl.LazyFrame, *_: pl.LazyFrame) -> pl.DataFrame:
    """A row per alert with its titles: what leads are to this test, in a hundredth of their time."""
    rows = info.group_by("tenant_id", lead_id=pl.col("AlertId")).agg(
        pl.col("Title").sort().str.join(" ").alias("title")
    )
    return rows.with_columns(export_date=pl.lit(day)).select(COLUMNS[:-1]).collect()


TITLES = replace(
    LEADS,
    columns=tuple(
        each for each in LEADS.columns if each.name in {"tenant_id", "export_date", "lead_id", "title", "built_version"}
    ),
    upstreams=tuple(each for each in LEADS.upstreams if each.name == ALERT_INFO.name),
    build=build_titles,
    update=None,
)
CHAIN = (ALERT_INFO.raw, QUARANTINE, ALERT_INFO.name, LEADS.name)
LAKE_OF_CHAIN = (*(spec for spec in (*RAW, QUARANTINED, *TYPED) if spec.name in CHAIN), TITLES)
SUBSETS = [
    frozenset(name for name, back in zip(CHAIN, backs, strict=True) if back) for backs in product((0, 1), repeat=4)
]
STATES = 3

Way = Literal["files", "restore"]
Truth = tuple[set[str], set[bytes]]


def content(batch: int) -> bytes:
    """The lines of a batch: two records of an alert of their own, and a bad one."""
    numbers = range(10 * batch, 10 * batch + 2)
    good = [make_line(ALERT_INFO, TENANT, "good", number).text for number in numbers]
    own = [
        text.replace(b'"da' + str(number % 4).encode(), f'"da{number}'.encode())
        for number, text in zip(numbers, good, strict=True)
    ]
    return b"".join(own) + make_line(ALERT_INFO, TENANT, "not_json", batch).text


@dataclass(frozen=True)
class Chain:
    """An export with a blob an hour, a lake of it, and what its tables were after each batch."""

    root: Path

    @property
    def lake(self) -> Lake:
        return Lake(str(self.root / "lake"), LAKE_OF_CHAIN)

    @property
    def export(self) -> DirectoryExport:
        return DirectoryExport(self.root / "export")

    def grow(self, batch: int) -> None:
        Folder(self.export.root).append(ALERT_INFO, blob_path(hour=batch), content(batch))

    def run(self) -> TypedReport:
        ingest(self.lake, self.export, ALERT_INFO, DAY)
        report = build_table_day(self.lake, ALERT_INFO, DAY)
        assert report.balanced
        build_partition(self.lake, TITLES, DAY)
        return report

    def behind(self) -> list[StaleDay]:
        """Whether the chain is behind; the tables after the leads are not built here."""
        days = find_stale_days(self.lake, self.export, [DAY])
        return [day for day in days if day.missing or any(set(stale.table.split()) & set(CHAIN) for stale in day.stale)]

    def catch_up(self) -> None:
        """Run the day for as long as it is behind."""
        for _ in range(3):
            if not self.behind():
                return
            self.run()
        raise AssertionError(self.behind())

    def keep_state(self, state: int) -> None:
        for name in CHAIN:
            shutil.copytree(self.lake.table_uri(name), self.root / f"state{state}" / name)

    def take_back(self, name: str, state: int, way: Way) -> None:
        folder = Path(self.lake.table_uri(name))
        kept = self.root / f"state{state}" / name
        if way == "restore":
            DeltaTable(folder).restore(DeltaTable(kept).version() if state else 0)
            return
        shutil.rmtree(folder)
        if state:
            shutil.copytree(kept, folder)

    def held(self) -> Truth:
        """The titles of the records and the bad lines that any table before the leads holds."""
        titles, bad = self.tables()
        for raw in self.lake.read(ALERT_INFO.raw).collect()["content"]:
            for line in raw.splitlines():
                found = line.split(b'"Title": "')[1:]
                (titles.add(found[0].split(b'"')[0].decode()) if found else bad.add(line))
        return titles, bad

    def tables(self) -> Truth:
        typed = self.lake.read(ALERT_INFO.name).collect()["Title"].to_list()
        lines = self.lake.read(QUARANTINE).collect()["content"].to_list()
        assert len(typed) == len(set(typed))
        assert len(lines) == len(set(lines))
        return set(typed), set(lines)

    def check_leads(self) -> None:
        """The rows are those that the upstreams give now."""
        expected = build_titles(DAY, self.lake.read(ALERT_INFO.name))
        found = self.lake.read(LEADS.name).select(expected.columns).collect()
        assert found.sort("lead_id").equals(expected.sort("lead_id"))


def truth(batches: int) -> Truth:
    lines = b"".join(map(content, range(1, batches + 1))).splitlines()
    titles = {line.split(b'"Title": "')[1].split(b'"')[0].decode() for line in lines if b"Title" in line}
    return titles, {line for line in lines if b"Title" not in line}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A chain of three batches."""
    chain = Chain(tmp_path_factory.mktemp("chain"))
    for batch in range(1, STATES + 1):
        chain.grow(batch)
        chain.run()
        chain.keep_state(batch)
    assert chain.tables() == truth(STATES)
    return chain


@pytest.fixture
def chain(built: Chain, tmp_path: Path) -> Chain:
    """A copy of that chain."""
    shutil.copytree(built.root, tmp_path / "chain")
    return Chain(tmp_path / "chain")


subsets = pytest.mark.parametrize(
    "subset",
    some_of(SUBSETS, lambda names: len(names) in {0, 1, len(CHAIN)}),
    ids=lambda names: "+".join(each[:10] for each in sorted(names)) or "none",
)


@subsets
def test_any_tables_taken_back_end_with_the_truth(chain: Chain, subset: frozenset[str]) -> None:
    ways: tuple[Way, ...] = ("files", "restore", "files")
    for growth, way in enumerate(ways, 1):
        # each table to another state; at last to states of before, which the lake has left since
        for number, name in enumerate(sorted(subset)):
            chain.take_back(name, (1, 2, 0, 1)[number] if growth < len(ways) else 2, way)
        chain.grow(STATES + growth)
        chain.catch_up()
        assert chain.tables() == truth(STATES + growth)
        chain.check_leads()


@subsets
def test_nothing_that_a_table_holds_is_lost_without_the_blobs(chain: Chain, subset: frozenset[str]) -> None:
    shutil.rmtree(chain.export.root)
    ways: tuple[Way, ...] = ("restore", "files")
    for way in ways:
        for number, name in enumerate(sorted(subset)):
            chain.take_back(name, (2, 1, 1, 2)[number], way)
        held = chain.held()
        chain.catch_up()
        assert chain.tables() == held
        chain.check_leads()
    # no job removes it either
    assert build_table_day(chain.lake, ALERT_INFO, DAY, rebuild=True).balanced
    assert chain.tables() == held
