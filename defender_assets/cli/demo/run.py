"""The demo's Dagster instance, and its days materialized through Dagster in this process. Nothing is printed here."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from defender_assets.cli.dagster_home import prepare_home
from defender_assets.settings import DEMO_DAGSTER_HOME

if TYPE_CHECKING:
    import dagster as dg

    from defender_assets.settings import Settings

# the instance keeps the run's log; the console shows only what the command prints
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

# the code location of workspace.yaml, and Dagster's name for the definitions of a module
_LOCATION, _REPOSITORY = "defender_assets", "__repository__"


@dataclass(frozen=True)
class DayRun:
    """The result of a day's run; `problems` is empty when it succeeded."""

    day: date
    seconds: float
    new_bytes: int
    rows: int
    duplicates: int
    quarantined: int
    leads: int
    stories: int
    problems: tuple[str, ...]


def demo_instance(folder: Path) -> "dg.DagsterInstance":
    """Return the demo's own instance."""
    import dagster as dg

    return dg.DagsterInstance.from_config(str(prepare_home(folder / DEMO_DAGSTER_HOME)))


def quarantine_readable_line(settings: "Settings", file: Path, line: bytes, day: date) -> None:
    """Add a file of one line to the export, as read by an older version that did not know the category of its record.

    This version can parse the line, so that `replay` moves it into its table, and an audit says so until then.
    """
    from defender_assets.core.export import DirectoryExport
    from defender_assets.core.raw.ingest import ingest
    from defender_assets.core.schemas import ALERT_INFO
    from defender_assets.core.tables.build import build_table_day

    lake = settings.lake()
    with tempfile.TemporaryDirectory() as before:
        alone = Path(before) / file.relative_to(settings.export_dir)
        alone.parent.mkdir(parents=True)
        alone.write_bytes(line)
        ingest(lake, DirectoryExport(Path(before)), ALERT_INFO, day)
        build_table_day(lake, replace(ALERT_INFO, hunting_name=f"{ALERT_INFO.hunting_name}Preview"), day)
        shutil.copy2(alone, file)


def audit_days(settings: "Settings", instance: "dg.DagsterInstance") -> None:
    """Run the job that audits all ended days."""
    from defender_assets.definitions import build_defs
    from defender_assets.jobs import AUDIT_JOB

    _run(build_defs(settings).resolve_job_def(AUDIT_JOB), None, instance)


def materialize_days(settings: "Settings", days: Sequence[date], instance: "dg.DagsterInstance") -> Iterator[DayRun]:
    """Run the job of each day, the oldest first, and yield its result."""
    from defender_assets.definitions import build_defs
    from defender_assets.jobs import INGEST_DAY

    job = build_defs(settings).resolve_job_def(INGEST_DAY.name)
    for day in sorted(days):
        began = time.monotonic()
        result = _run(job, day, instance)
        yield _day_run(day, time.monotonic() - began, result)


def _run(job: "dg.JobDefinition", day: date | None, instance: "dg.DagsterInstance") -> "dg.JobExecutionResult":
    """Run a job, of a day if one is given, in this process, as a run that looks launched from the workspace.

    Dagster's timeline groups runs by the code location that launched them, and leaves out runs without one, such as
    those of `execute_in_process`. A process for each run, as the daemon starts it, would import everything each time.
    """
    from dagster._core.definitions.job_base import InMemoryJob
    from dagster._core.execution.api import execute_run
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(_LOCATION), _REPOSITORY)
    of_day = job.get_tags_for_partition_key(day.isoformat(), selected_asset_keys=None) if day else {}
    run = instance.create_run_for_job(
        job,
        run_config=_QUIET,
        # a job's page lists the runs with this tag
        tags={**of_day, ".dagster/repository": repository.get_label()},
        remote_job_origin=RemoteJobOrigin(repository, job.name),
    )
    return execute_run(InMemoryJob(job), run, instance)


def _day_run(day: date, seconds: float, result: "dg.JobExecutionResult") -> DayRun:
    from defender_assets.catalog import LEADS, STORIES
    from defender_assets.metadata.reports import figures

    totals: dict[str, int] = {}
    row_counts: dict[str, int] = {}
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        for name, value in figures(materialization.metadata).items():
            if isinstance(value, int):
                totals[name] = totals.get(name, 0) + value
                if name == "dagster/partition_row_count":
                    row_counts[materialization.asset_key.path[-1]] = value
    return DayRun(
        day,
        seconds,
        new_bytes=totals.get("new_bytes", 0),
        rows=totals.get("new_rows", 0),
        duplicates=totals.get("duplicates_dropped", 0),
        quarantined=totals.get("quarantined_lines", 0),
        leads=row_counts.get(LEADS.name, 0),
        stories=row_counts.get(STORIES.name, 0),
        problems=() if result.success else tuple(_problems(result)) or ("the run failed",),
    )


def _problems(result: "dg.JobExecutionResult") -> Iterator[str]:
    for event in result.get_step_failure_events():
        failure = event.step_failure_data
        message = failure.user_failure_data.description if failure.user_failure_data else None
        if message is None and failure.error is not None:
            message = (failure.error.cause or failure.error).message
        yield f"{event.step_key}: {' '.join((message or 'failed').split())}"
