"""The engine that builds and writes a partition of a derived table. The derived tables are listed in `catalog`."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from defender_assets.core.lake.damage import naming_damage
from defender_assets.core.lake.lake import Commit, Lake
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.lake.table_spec import TableSpec
from defender_assets.core.retries import retry_on_conflict
from defender_assets.core.text import pluralize
from defender_assets.core.timings import StageTimings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DerivedTable(TableSpec):
    """A table whose partition D is a function of upstream partitions ≤ D and is replaced as a whole.

    `build` takes the day and one LazyFrame per upstream, in order, with the rows of its look-back.
    """

    build: Callable[..., pl.DataFrame]


@dataclass(frozen=True)
class DerivedReport:
    """A partition: its rows, its version, and whether this run wrote it. The stages are look, build and commit."""

    rows: pl.DataFrame
    version: int
    written: bool
    timings: StageTimings = field(default_factory=StageTimings)


def build_partition(lake: Lake, derived: DerivedTable, day: date, *, force: bool = False) -> DerivedReport:
    """Bring partition D up to date with its upstreams, built from one snapshot of each.

    Writes nothing if no upstream has changed, unless `force`, which also replaces damaged files.

    Raises:
        DamagedFilesError: when a file that has to be read is damaged; it names the file and the remedy.
    """
    if not lake.is_retained(day):
        return DerivedReport(pl.DataFrame(schema=derived.schema), 0, written=False)

    timings = StageTimings()

    def attempt() -> DerivedReport:
        with timings.stage("look"):
            target = lake.fenced(derived.name, day)
            snapshots = {upstream.name: lake.open(upstream.name) for upstream in derived.upstreams}
            versions = {name: lake.versions(table) for name, table in snapshots.items()}
            version = derived.upstream_version(day, lambda name, day: versions[name](name, day))
            if version <= target.version and not force:
                rows = scan_days(target.table, day, day).collect()
                return DerivedReport(rows, target.version, written=False, timings=timings)
        with timings.stage("build"):
            look_backs = [
                scan_days(snapshots[upstream.name], day - timedelta(days=upstream.days), day)
                for upstream in derived.upstreams
            ]
            rows = derived.build(day, *look_backs)
        version = max(version, target.version)
        with timings.stage("commit"):
            lake.commit(target, Commit([rows], version, replaces=""))
        logger.info(
            "%s %s: %s at version %d, %.1f s", derived.name, day, pluralize(rows.height, "row"), version, timings.total
        )
        return DerivedReport(rows, version, written=True, timings=timings)

    reads = {upstream.name: (day - timedelta(days=upstream.days), day) for upstream in derived.upstreams}
    with naming_damage(lake, {**reads, derived.name: (day, day)}):
        return retry_on_conflict(attempt)
