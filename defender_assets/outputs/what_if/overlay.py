"""Partitions of leads, stories and queue in memory, by the rules of each side, from one snapshot of each table.

A table of the lake is only opened to read from: none is created or changed.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import polars as pl

from defender_assets.core.lake.damage import naming_damage
from defender_assets.core.lake.data_files import HeldPartition, data_files, held_partitions
from defender_assets.core.lake.fences import NOTHING, Versions
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import Snapshot, scan_days
from defender_assets.core.lake.table_spec import BUILT_VERSION
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.pipeline.derived_table import DerivedTable, staleness_of, upstream_state
from defender_assets.core.queue.schema import QUEUE_TABLE
from defender_assets.core.schemas import TABLES
from defender_assets.core.stories.schema import STORIES_TABLE

BUILT = (LEADS_TABLE, STORIES_TABLE, QUEUE_TABLE)
"""The tables that are built and compared, each after its upstreams."""


@dataclass(frozen=True)
class Rules:
    """The derived tables of a side, built by its rules, and the `scoring_version` of these.

    Args:
        tables: the catalog's derived tables with this scoring.
        version: `ScoringConfig.version`.
        stored: whether stored partitions that these rules judged are used instead of built ones.
        judged_by_any: whether stored partitions that other rules judged are used as well.
    """

    tables: Iterable[DerivedTable]
    version: str
    stored: bool = False
    judged_by_any: bool = False

    @cached_property
    def by_name(self) -> Mapping[str, DerivedTable]:
        """Return the tables of BUILT by name."""
        return {table.name: table for table in self.tables if table.name in BUILT}


@dataclass(frozen=True)
class HeldLake:
    """One snapshot of each table that is read; a table that was never written is missing."""

    lake: Lake
    tables: Mapping[str, DerivedTable]
    snapshots: Mapping[str, Snapshot]

    @classmethod
    def opened(cls, lake: Lake, tables: Mapping[str, DerivedTable]) -> "HeldLake":
        """Open the tables, downstream first, so that none is ahead of its upstream.

        Raises:
            LakeError: when the lake cannot be reached, or a table has another schema.
        """
        names = [*reversed(BUILT), *(table.name for table in TABLES), *(table.raw for table in TABLES)]
        return cls(lake, tables, {name: lake.snapshot(name) for name in names if lake.exists(name)})

    @cached_property
    def versions(self) -> Mapping[str, Versions]:
        """Return the versions of each table's partitions."""
        return {name: self.lake.versions(table) for name, table in self.snapshots.items()}

    @cached_property
    def held(self) -> Mapping[tuple[str, date], HeldPartition]:
        """Return the partitions of the derived tables that have rows."""
        return {
            key: partition
            for name in BUILT
            if name in self.snapshots
            for key, partition in held_partitions(self.snapshots[name], self.lake.spec(name)).items()
        }

    @cached_property
    def days(self) -> Mapping[str, frozenset[date]]:
        """Return the days of which each table has a data file."""
        return {name: frozenset(data_files(table)["export_date"]) for name, table in self.snapshots.items()}

    def days_gone(self, day: date) -> list[date]:
        """Return the days of the look-back of the leads of `day` that the lake held once and holds no longer."""
        raw = {table.name: table.raw for table in TABLES}
        return sorted(
            {
                upstream_day
                for name, upstream_day in self.tables[LEADS_TABLE].upstream_days(day)
                if self.versions.get(name, NOTHING)(name, upstream_day)
                and (upstream_day < self.lake.first_day() or not self._holds(upstream_day, name, raw[name]))
            }
        )

    def _holds(self, day: date, *names: str) -> bool:
        return any(day in self.days.get(name, ()) for name in names)

    def rows(self, name: str, first: date, last: date) -> pl.LazyFrame:
        """Return the stored rows of some days of a table."""
        if name not in self.snapshots:
            return pl.LazyFrame(schema=self.lake.spec(name).schema)
        return scan_days(self.snapshots[name], first, last)

    def stored(self, name: str, day: date) -> pl.DataFrame | None:
        """Return a stored partition of a derived table; None if it was built from something else than is held."""
        table = self.tables[name]
        stale = staleness_of(
            table,
            day,
            self.versions.get(name, NOTHING),
            self.held.get((name, day), HeldPartition()),
            upstream_state(table, day, self.versions),
        )
        if stale is not None:
            return None
        return self.rows(name, day, day).drop(BUILT_VERSION.name, strict=False).collect()


@dataclass(frozen=True)
class Partition:
    """A partition of a side. Two partitions of the same identity have the same rows."""

    rows: pl.DataFrame
    identity: Hashable
    is_stored: bool


@dataclass
class Overlay:
    """Builds the partitions of both sides; what both build from the same inputs is built once.

    `close` forgets the partitions that no later day reads.
    """

    held: HeldLake
    _known: dict[Hashable, Partition] = field(default_factory=dict)
    _of_side: dict[tuple[int, str, date], Partition] = field(default_factory=dict)

    def partition(self, rules: Rules, name: str, day: date) -> Partition:
        """Return a partition of a side.

        Raises:
            DamagedFilesError: when a file that has to be read is damaged.
        """
        key = (id(rules), name, day)
        if key not in self._of_side:
            table = rules.by_name[name]
            reads = {each.name: (day - timedelta(days=each.days), day) for each in table.upstreams}
            with naming_damage(self.held.lake, {**reads, name: (day, day)}):
                self._of_side[key] = self._stored(rules, table, day) or self._built(rules, table, day)
        return self._of_side[key]

    def close(self, day: date) -> None:
        """Forget the partitions before `day`."""
        self._of_side = {key: kept for key, kept in self._of_side.items() if key[2] >= day}
        kept = {partition.identity for partition in self._of_side.values()}
        self._known = {identity: partition for identity, partition in self._known.items() if identity in kept}

    def _upstreams(self, rules: Rules, table: DerivedTable, day: date) -> list[Partition]:
        """Return the partitions that a partition is built from, of the tables that the overlay builds."""
        return [self.partition(rules, *each) for each in table.upstream_days(day) if each[0] in rules.by_name]

    def _stored(self, rules: Rules, table: DerivedTable, day: date) -> Partition | None:
        if not rules.stored:
            return None
        if table.name == LEADS_TABLE:
            # built from less than it was
            if self.held.days_gone(day):
                return None
        elif not all(upstream.is_stored for upstream in self._upstreams(rules, table, day)):
            return None
        rows = self.held.stored(table.name, day)
        if rows is None:
            return None
        if table.name == LEADS_TABLE and not rules.judged_by_any:
            judged = rows["scoring_version"].eq_missing(pl.Series([rules.version]))
            if not judged.all():
                return None
        return Partition(rows, ("stored", table.name, day), is_stored=True)

    def _built(self, rules: Rules, table: DerivedTable, day: date) -> Partition:
        upstreams = self._upstreams(rules, table, day)
        judged_by = rules.version if table.name == LEADS_TABLE else None
        identity = (table.name, day, judged_by, tuple(upstream.identity for upstream in upstreams))
        if identity not in self._known:
            look_backs = [
                self._look_back(rules, upstream.name, day - timedelta(days=upstream.days), day)
                for upstream in table.upstreams
            ]
            self._known[identity] = Partition(table.build(day, *look_backs), identity, is_stored=False)
        return self._known[identity]

    def _look_back(self, rules: Rules, name: str, first: date, last: date) -> pl.LazyFrame:
        if name not in rules.by_name:
            return self.held.rows(name, first, last)
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        return pl.concat([self.partition(rules, name, day).rows for day in days]).lazy()
