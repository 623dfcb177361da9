"""A day of the demo materialized through Dagster in this process, and what the run told. Nothing is printed here."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

    from defender_assets.settings import Settings

# the run's own log is kept in the instance; on the console only what this command says
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

# what Dagster gives the runs that it launches itself, and finds them by: its UI lists these under their job as well
_OF_THE_LOCATION = {".dagster/repository": "__repository__@defender_assets"}


@dataclass(frozen=True)
class DayRun:
    """What a day's run did; `problems` is empty when it succeeded."""

    day: date
    seconds: float
    new_bytes: int
    rows: int
    duplicates: int
    quarantined: int
    leads: int
    stories: int
    problems: tuple[str, ...]


def materialize_days(settings: "Settings", days: Sequence[date], instance: "dg.DagsterInstance") -> Iterator[DayRun]:
    """Run the job of each day, the oldest first, and yield what it told."""
    from defender_assets.definitions import build_defs
    from defender_assets.jobs import INGEST_DAY

    job = build_defs(settings).resolve_job_def(INGEST_DAY.name)
    for day in sorted(days):
        began = time.monotonic()
        result = job.execute_in_process(
            run_config=_QUIET,
            tags=_OF_THE_LOCATION,
            instance=instance,
            partition_key=day.isoformat(),
            raise_on_error=False,
        )
        yield _told(day, time.monotonic() - began, result)


def _told(day: date, seconds: float, result: "dg.ExecuteInProcessResult") -> DayRun:
    from defender_assets.catalog import LEADS, STORIES

    totals: dict[str, int] = {}
    partition: dict[str, int] = {}
    for event in result.get_asset_materialization_events():
        told = event.step_materialization_data.materialization
        for name, value in told.metadata.items():
            if isinstance(value.value, int):
                totals[name] = totals.get(name, 0) + value.value
                if name == "dagster/partition_row_count":
                    partition[told.asset_key.path[-1]] = value.value
    return DayRun(
        day,
        seconds,
        new_bytes=totals.get("new_bytes", 0),
        rows=totals.get("new_rows", 0),
        duplicates=totals.get("duplicates_dropped", 0),
        quarantined=totals.get("quarantined_lines", 0),
        leads=partition.get(LEADS.name, 0),
        stories=partition.get(STORIES.name, 0),
        problems=() if result.success else tuple(_problems(result)) or ("the run failed",),
    )


def _problems(result: "dg.ExecuteInProcessResult") -> Iterator[str]:
    for event in result.get_step_failure_events():
        failure = event.step_failure_data
        said = failure.user_failure_data.description if failure.user_failure_data else None
        if said is None and failure.error is not None:
            cause = failure.error.cause or failure.error
            said = cause.message
        yield f"{event.step_key}: {' '.join((said or 'failed').split())}"
