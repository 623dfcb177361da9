"""Tables derived from the typed ones: the one way in which a partition of them is built and written.

How a lead, a story, an OCSF event or a brief is made is decided by `build`; which derived tables exist, by `catalog`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

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

    `build` takes the day and, for each upstream in order, the rows of its partitions; it returns the partition's rows.
    """

    build: Callable[..., pl.DataFrame]


@dataclass(frozen=True)
class DerivedReport:
    """A partition: its rows, its version, and whether this run wrote it. Stages: look, build, commit."""

    rows: pl.DataFrame
    version: int
    written: bool
    timings: StageTimings = field(default_factory=StageTimings)


def build_partition(lake: Lake, derived: DerivedTable, day: date, *, force: bool = False) -> DerivedReport:
    """Bring partition D up to its upstreams: built from one opening of each, replaced as a whole.

    Where nothing upstream has changed since, nothing is written, unless `force`.
    """
    if not lake.is_retained(day):
        return DerivedReport(pl.DataFrame(schema=derived.schema), 0, written=False)

    timings = StageTimings()

    def one_round() -> DerivedReport:
        with timings.stage("look"):
            target = lake.fenced(derived.name, day)
            opened = {upstream.name: lake.open(upstream.name) for upstream in derived.upstreams}
            held = {name: lake.versions(table) for name, table in opened.items()}
            version = derived.upstream_version(day, lambda name, of: held[name](name, of))
            if version <= target.version and not force:
                rows = scan_days(target.table, day, day).collect()
                return DerivedReport(rows, target.version, written=False, timings=timings)
        with timings.stage("build"):
            spans = [
                scan_days(opened[upstream.name], day - timedelta(days=upstream.days), day)
                for upstream in derived.upstreams
            ]
            rows = derived.build(day, *spans)
        version = max(version, target.version)
        with timings.stage("commit"):
            lake.commit(target, Commit([rows], version, replaces=""))
        logger.info(
            "%s %s: %s at version %d, %.1f s", derived.name, day, pluralize(rows.height, "row"), version, timings.total
        )
        return DerivedReport(rows, version, written=True, timings=timings)

    return retry_on_conflict(one_round)
