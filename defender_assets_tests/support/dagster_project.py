"""A small project for tests of the Dagster shell: an export in a directory, a lake, definitions, a Dagster instance.

Days are relative to today, because the sensor checks the current day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import dagster as dg

from defender_assets.catalog import DERIVED
from defender_assets.core.export import DirectoryExport
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import DerivedTable
from defender_assets.core.schemas import TABLES, Table
from defender_assets.definitions import build_defs
from defender_assets.metadata.reports import figures
from defender_assets.settings import Settings
from defender_assets_tests.support.day_runs import run_day
from defender_assets_tests.support.days import day_before
from defender_assets_tests.support.exports import Folder, blob_path, records

LOOKBACK_DAYS = 3
RAW = tuple(table.raw for table in TABLES)
TYPED = tuple(table.name for table in TABLES)


def start() -> date:
    """The first day of the partitions."""
    return day_before(9)


@dataclass(frozen=True)
class Tick:
    """The run requests of a tick of the sensor, or the reason why there are none; and what it observed."""

    requests: list[dg.RunRequest]
    reason: str
    observed: Mapping[str, Mapping[str, object]]

    @property
    def days(self) -> list[str | None]:
        """The requested days; None for the sweep."""
        return [request.partition_key for request in self.requests]


@dataclass(frozen=True)
class DagsterProject:
    """Settings, a Dagster instance, and the steps of tests. `resources` replaces the export or the lake."""

    settings: Settings
    instance: dg.DagsterInstance
    resources: Mapping[str, object] = field(default_factory=dict)

    @property
    def folder(self) -> Folder:
        return Folder(self.settings.export_dir)

    @property
    def lake(self) -> Lake:
        return self.settings.lake()

    @property
    def export(self) -> DirectoryExport:
        return DirectoryExport(self.settings.export_dir)

    def with_resources(self, **resources: object) -> "DagsterProject":
        """The same project with the export or the lake replaced."""
        return replace(self, resources=resources)

    def definitions(self) -> dg.Definitions:
        """The definitions, built once as in a process of Dagster. What a test patches in them, it patches before."""
        return self._definitions

    @cached_property
    def _definitions(self) -> dg.Definitions:
        return build_defs(self.settings, resources=self.resources)

    def put(self, day: date, first: int = 0, count: int = 2, tables: tuple[Table, ...] = TABLES) -> None:
        """Append numbered records to a blob of the day, in all tables or some."""
        for table in tables:
            self.folder.append(table, blob_path(day=day), records(table, first, count))

    def fill(self, day: date, derived: Sequence[DerivedTable] = DERIVED) -> None:
        """Bring a day into the lake without Dagster, where a test is about what comes after; `derived` may be fewer."""
        run_day(self.lake, self.export, day, derived)

    def run(
        self,
        day: date | None = None,
        *assets: str,
        tags: Mapping[str, str] | None = None,
        refresh: tuple[str, ...] = (),
    ) -> dg.ExecuteInProcessResult:
        """Run `ingest_day` for a day, or with tags only; all its assets, or those that the test is about.

        `refresh` are the assets configured with `full_refresh`.
        """
        config = {"ops": {name: {"config": {"full_refresh": True}} for name in refresh}}
        return self._day_job(assets).execute_in_process(
            partition_key=day.isoformat() if day else None,
            tags=dict(tags or {}),
            run_config=config if refresh else None,
            instance=self.instance,
            raise_on_error=False,
        )

    def _day_job(self, assets: Sequence[str]) -> dg.JobDefinition:
        """The job `ingest_day`, or the part of it that materializes some assets."""
        job = self.definitions().resolve_job_def("ingest_day")
        if not assets:
            return job
        # without an explicit selection of checks, Dagster adds the step of the hourly checks
        return job.get_subset(asset_selection=set(map(dg.AssetKey, assets)), asset_check_selection=set())

    def check(self, *checks: tuple[str, str]) -> dg.ExecuteInProcessResult:
        """Run `check_days`, as its schedule does every hour; or only some checks, each an asset and a name."""
        job = self.definitions().resolve_job_def("check_days")
        if checks:
            keys = {dg.AssetCheckKey(dg.AssetKey(asset), name) for asset, name in checks}
            job = job.get_subset(asset_check_selection=keys)
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def run_assets(self, *assets: str, days: Iterable[date]) -> dg.ExecuteInProcessResult:
        """Run some assets of `ingest_day` for one day, or for a range of days as one run."""
        keys = sorted(day.isoformat() for day in days)
        span = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
        return self._day_job(assets).execute_in_process(
            partition_key=keys[0] if len(keys) == 1 else None,
            tags=span if len(keys) > 1 else None,
            instance=self.instance,
            raise_on_error=False,
        )

    def sweep(self) -> dg.ExecuteInProcessResult:
        """Run the sweep."""
        return self.definitions().resolve_job_def("sweep_older_days").execute_in_process(instance=self.instance)

    def tick(self) -> Tick:
        """Evaluate the sensor as the daemon does."""
        definitions = self.definitions()
        sensor = definitions.resolve_sensor_def("new_blobs_sensor")
        resources = {"export": self.export, "lake": self.lake, **self.resources}
        with dg.build_sensor_context(
            instance=self.instance, definitions=definitions, resources=resources, sensor_name=sensor.name
        ) as context:
            result = sensor.evaluate_tick(context)
        observed = {}
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
            observed[event.asset_key.to_user_string()] = {name: each.value for name, each in event.metadata.items()}
        return Tick(list(result.run_requests or []), result.skip_message or "", observed)

    def follow(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Run what the sensor requested."""
        assert request.job_name == "ingest_day"
        return self.run(date.fromisoformat(str(request.partition_key)), tags=request.tags)


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    """The values of the only materialization of an asset in a run, those of its internals included."""
    (event,) = result.asset_materializations_for_node(asset)
    return figures(event.metadata)
