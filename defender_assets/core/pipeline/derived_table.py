"""The engine that builds and writes a partition of a derived table. The derived tables are listed in `catalog`."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import polars as pl
from deltalake import DeltaTable
from polars.exceptions import PolarsError

from defender_assets.core.errors import LakeError, is_panic
from defender_assets.core.lake.damage import naming_damage
from defender_assets.core.lake.data_files import HeldPartition, held_partitions
from defender_assets.core.lake.fences import NOTHING, Versions, hash_inputs
from defender_assets.core.lake.lake import Built, Commit, Lake
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.lake.table_spec import BUILT_VERSION, TableSpec
from defender_assets.core.pipeline.upstream_changes import UpstreamFiles, is_as_written
from defender_assets.core.retries import retry_on_conflict
from defender_assets.core.text import pluralize
from defender_assets.core.timings import StageTimings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DerivedTable(TableSpec):
    """A table whose partition D is a function of upstream partitions ≤ D and is replaced as a whole.

    `build` takes the day and one LazyFrame per upstream, in order, with the rows of its look-back. `update`, if there
    is one, returns the same rows from those that the partition has and a few changes, None if it cannot tell. It takes
    the day, these rows, a Change per upstream, then the LazyFrames that `build` takes. `made_with` identifies what both
    depend on beside the upstreams' rows and the code.
    """

    build: Callable[..., pl.DataFrame]
    update: Callable[..., pl.DataFrame | None] | None = None
    made_with: str = ""


@dataclass(frozen=True)
class UpstreamState:
    """What partition D is built from: the sum of the upstream versions, look-back included, and their identity."""

    version: int
    inputs: int


@dataclass(frozen=True)
class DerivedReport:
    """A partition: its rows, its version, and whether this run wrote it, by `update` or in full.

    The stages are look, build and commit.
    """

    rows: pl.DataFrame
    version: int
    written: bool
    updated: bool = False
    timings: StageTimings = field(default_factory=StageTimings)


def upstream_state(spec: TableSpec, day: date, versions: Mapping[str, Versions]) -> UpstreamState:
    """Return the state of the upstreams of partition `day`; a table without versions counts as empty.

    Versions alone do not identify them: a restored table that grows reaches a version again with other rows.
    """
    inputs = []
    for name, upstream_day in spec.upstream_days(day):
        of_table = versions.get(name, NOTHING)
        version = of_table(name, upstream_day)
        if version:
            inputs.append((name, upstream_day, version, of_table.commit(name, upstream_day)))
    return UpstreamState(sum(version for _, _, version, _ in inputs), hash_inputs(inputs))


def staleness_of(
    spec: TableSpec, day: date, versions: Versions, held: HeldPartition, upstream: UpstreamState
) -> str | None:
    """Return why partition `day` of a derived table has to be built; None if it is up to date.

    A partition of an older version has no recorded inputs: the sum of the upstream versions decides.
    """
    version, inputs = versions(spec.name, day), versions.inputs(spec.name, day)
    at_version = f"at version {version} of {upstream.version}"
    if not version:
        return at_version if upstream.version else None
    if inputs is None and version != upstream.version:
        return at_version
    if inputs is not None and inputs != upstream.inputs:
        return at_version if version < upstream.version else f"{at_version}, built from other rows"
    if problem := versions.lost_rows(spec.name, day, held.rows):
        return problem
    if held.built_version not in {None, version}:
        return f"at version {version} with the rows of version {held.built_version}"
    return None


def opened_if_current(lake: Lake, derived: DerivedTable, day: date) -> tuple[pl.LazyFrame, list[pl.LazyFrame]] | None:
    """Return the rows of a partition, and of each upstream's look-back; None if it has to be built first.

    The table is opened before its upstreams: a partition that another run is about to build is not current.
    """
    if not lake.is_retained(day):
        return None
    table = lake.snapshot(derived.name, create=True)
    snapshots = _snapshots(lake, derived)
    of_table, versions = lake.versions(table), {name: lake.versions(each) for name, each in snapshots.items()}
    held = held_partitions(table, derived, [day]).get((derived.name, day), HeldPartition())
    if not of_table(derived.name, day) or staleness_of(
        derived, day, of_table, held, upstream_state(derived, day, versions)
    ):
        return None
    return scan_days(table, day, day), _look_backs(derived, day, snapshots)


def _snapshots(lake: Lake, derived: DerivedTable) -> dict[str, DeltaTable]:
    return {upstream.name: lake.snapshot(upstream.name, create=True) for upstream in derived.upstreams}


def _look_backs(derived: DerivedTable, day: date, snapshots: Mapping[str, DeltaTable]) -> list[pl.LazyFrame]:
    return [
        scan_days(snapshots[upstream.name], day - timedelta(days=upstream.days), day) for upstream in derived.upstreams
    ]


def build_partition(lake: Lake, derived: DerivedTable, day: date, *, force: bool = False) -> DerivedReport:
    """Bring partition D up to date with its upstreams, built from one snapshot of each.

    Writes nothing if no upstream has changed and the rows are those that were written, unless `force`, which also
    replaces damaged files. Each write raises the version.

    Raises:
        DamagedFilesError: when a file that has to be read is damaged; it names the file and the remedy.
    """
    if not lake.is_retained(day):
        return DerivedReport(pl.DataFrame(schema=derived.schema), 0, written=False)

    timings = StageTimings()

    def attempt() -> DerivedReport:
        with timings.stage("look"):
            target = lake.fenced(derived.name, day)
            held = held_partitions(target.table, derived, [day]).get((derived.name, day), HeldPartition())
            snapshots = _snapshots(lake, derived)
            versions = {name: lake.versions(table) for name, table in snapshots.items()}
            upstream = upstream_state(derived, day, versions)
            written = lake.versions(target.table)
            stale = staleness_of(derived, day, written, held, upstream)
            if stale is None and not force:
                rows = scan_days(target.table, day, day).collect()
                return DerivedReport(rows, target.version, written=False, timings=timings)
        with timings.stage("build"):
            look_backs = _look_backs(derived, day, snapshots)
            files = UpstreamFiles(derived, day, snapshots) if derived.update else None
            updated = None
            if files and not force and is_as_written(derived, day, written, held):
                updated = _updated(derived, lake, target.table, written, files, look_backs)
            rows = derived.build(day, *look_backs) if updated is None else updated
        version = max(upstream.version, target.version + 1)
        rows = rows.with_columns(pl.lit(version, pl.Int64).alias(BUILT_VERSION.name)).select(derived.schema.names())
        with timings.stage("commit"):
            built = Built(upstream.inputs, rows.height)
            if files:
                built = replace(built, files=files.hash_all((version, built.commit, derived.made_with)))
            lake.commit(target, Commit([rows], version, replaces="", built=built))
        way = "built" if updated is None else "updated"
        logger.info(
            "%s %s: %s %s at version %d, %.1f s",
            *(derived.name, day, pluralize(rows.height, "row"), way, version, timings.total),
        )
        return DerivedReport(rows, version, written=True, updated=updated is not None, timings=timings)

    reads = {upstream.name: (day - timedelta(days=upstream.days), day) for upstream in derived.upstreams}
    with naming_damage(lake, {**reads, derived.name: (day, day)}):
        return retry_on_conflict(attempt)


def _updated(
    derived: DerivedTable,
    lake: Lake,
    table: DeltaTable,
    written: Versions,
    files: UpstreamFiles,
    look_backs: list[pl.LazyFrame],
) -> pl.DataFrame | None:
    """Return the rows of a partition from those that it has and what changed since; None in any doubt."""
    day, recorded = files.day, written.files(derived.name, files.day)
    if derived.update is None or recorded is None:
        return None
    seed = (written(derived.name, day), written.commit(derived.name, day), derived.made_with)
    try:
        changes = files.changes_since(recorded, seed, lake)
        if changes is None:
            return None
        return derived.update(day, scan_days(table, day, day).collect(), changes, *look_backs)
    except BaseException as error:
        if not (isinstance(error, PolarsError | OSError | LakeError) or is_panic(error)):
            raise
        # damaged files of the partition itself, which building it replaces; files that an upstream had and lost
        logger.warning("%s %s is built in full: %s", derived.name, day, type(error).__name__)
        return None
