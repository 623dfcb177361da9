"""The sensor: asks for a run of each day that is behind, for as long as it is behind.

Level-triggered: what is behind is seen afresh at each tick by `core.pending`; nothing that Dagster could lose decides
what is read. Dagster's memory of runs only spares work: days in flight are left alone, retries wait longer each time.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from defender_assets.core.errors import ExportError
from defender_assets.core.export import Blob, Export
from defender_assets.core.pipeline.staleness import StaleDay, find_stale_days, list_days
from defender_assets.core.retries import exponential_backoff
from defender_assets.core.schemas import Table
from defender_assets.core.text import pluralize
from defender_assets.jobs import INGEST_DAY, PARTITION_TAG
from defender_assets.resources import ExportResource, LakeResource, user_facing_errors
from defender_assets.sensors.sweep import SWEEP_JOB, days_of_last_sweep, never_read

DIGEST_TAG = "defender/digest"
DEFAULT_MAX_RUNTIME = 3600
SWEPT_AT_ONCE = 31
# Dagster ends an evaluation after 60 seconds
DEADLINE_SECONDS = 40
UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


@dataclass(frozen=True)
class AttemptHistory:
    """Earlier runs for the same digest: how many, and when the last of them ended or was last heard of."""

    attempts: int
    last: datetime | None


def is_due(earlier: AttemptHistory, now: datetime) -> bool:
    """Return whether the pause after the earlier attempts is over."""
    return earlier.last is None or now - earlier.last >= exponential_backoff(earlier.attempts)


def request_for(behind: StaleDay, earlier: AttemptHistory, job_name: str) -> dg.RunRequest:
    """Return the request: its key holds day, digest and attempt, so that a failed run does not burn it."""
    return dg.RunRequest(
        run_key=f"{behind.day}:{behind.digest}:{earlier.attempts}",
        job_name=job_name,
        partition_key=behind.day.isoformat(),
        tags={DIGEST_TAG: behind.digest},
    )


def window(today: date, start: date, lookback_days: int, swept: Iterable[date]) -> list[date]:
    """Return the days to look at: today, the look-back, and what the last sweep found; partitions only."""
    recent = {today - timedelta(days=back) for back in range(lookback_days + 1)}
    return sorted(day for day in recent | set(swept) if start <= day <= today)


def rotated(days: Sequence[date], tick: int) -> list[date]:
    """Return the days starting at another one each tick, so that a deadline never starves the same ones."""
    cut = tick % len(days) if days else 0
    return [*days[cut:], *days[:cut]]


def share_of_sweep(swept: Sequence[date], tick: int) -> list[date]:
    """Return the swept days that a tick looks at: the next ones each time, so that a few ticks see them all."""
    return rotated(swept, tick * SWEPT_AT_ONCE)[:SWEPT_AT_ONCE]


def days_in_flight(instance: dg.DagsterInstance, days: Sequence[date], now: datetime) -> set[date]:
    """Return the days that a run holds. A run older than the instance's maximum does not count: its worker is gone."""
    oldest = now - timedelta(seconds=instance.run_monitoring_max_runtime_seconds or DEFAULT_MAX_RUNTIME)
    records = instance.get_run_records(
        dg.RunsFilter(tags={PARTITION_TAG: [day.isoformat() for day in days]}, statuses=list(UNFINISHED))
    )
    held = set()
    for record in records:
        queued = record.dagster_run.status == dg.DagsterRunStatus.QUEUED
        began = datetime.fromtimestamp(record.start_time, UTC) if record.start_time else _utc(record.create_timestamp)
        if queued or began > oldest:
            held.add(date.fromisoformat(record.dagster_run.tags[PARTITION_TAG]))
    return held


def earlier_runs(instance: dg.DagsterInstance, behind: StaleDay) -> AttemptHistory:
    """Return the runs that were asked for because of the same digest, whatever their end."""
    return _earlier(instance, dg.RunsFilter(tags={PARTITION_TAG: behind.day.isoformat(), DIGEST_TAG: behind.digest}))


def first_sweep(instance: dg.DagsterInstance, start: date, now: datetime) -> list[dg.RunRequest]:
    """Return the request of a first sweep, when none is in flight and the pause after failed ones is over."""
    if instance.get_run_records(dg.RunsFilter(job_name=SWEEP_JOB, statuses=list(UNFINISHED)), limit=1):
        return []
    earlier = _earlier(instance, dg.RunsFilter(job_name=SWEEP_JOB))
    if not is_due(earlier, now):
        return []
    return [dg.RunRequest(run_key=f"first-sweep:{start}:{earlier.attempts}", job_name=SWEEP_JOB)]


def _earlier(instance: dg.DagsterInstance, runs: dg.RunsFilter) -> AttemptHistory:
    records = instance.get_run_records(runs)
    ends = [
        datetime.fromtimestamp(record.end_time, UTC) if record.end_time else _utc(record.update_timestamp)
        for record in records
    ]
    return AttemptHistory(len(records), max(ends, default=None))


def list_in_time(
    export: Export, days: Sequence[date], deadline: float
) -> tuple[dict[date, list[tuple[Table, Blob]]], list[str]]:
    """Return the blobs of the days that could be listed in time, and notes on those that could not.

    Raises:
        ExportError: when no day could be listed.
    """
    listing: dict[date, list[tuple[Table, Blob]]] = {}
    notes: list[str] = []
    problem: ExportError | None = None
    for day in days:
        if time.monotonic() > deadline:
            notes.append(f"only {len(listing)} of {len(days)} days listed in time, the others come next")
            break
        try:
            listing |= list_days(export, [day])
        except ExportError as error:
            problem = error
            notes.append(f"{day} cannot be listed: {error}")
    if problem is not None and not listing:
        raise problem
    return listing, notes


def new_blobs_sensor(sweep: dg.JobDefinition, start: date, lookback_days: int) -> dg.SensorDefinition:
    """Return the sensor that brings every day up to what the containers hold."""

    @dg.sensor(
        name="new_blobs_sensor",
        jobs=[INGEST_DAY, sweep],
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Asks for a run of each day that is behind: the containers hold bytes that raw lacks, or a table is below "
            "what its upstream holds. Looks at today, the look-back days, and the older days that the last daily "
            "sweep named. Failing days are asked for again with pauses that grow up to an hour."
        ),
    )
    def sensor(context: dg.SensorEvaluationContext, export: ExportResource, lake: LakeResource) -> dg.SensorResult:
        now = datetime.now(UTC)
        sweep_found = days_of_last_sweep(context.instance)
        requests = [] if sweep_found.ran else first_sweep(context.instance, start, now)
        tick = int(now.timestamp()) // 30
        days = window(now.date(), start, lookback_days, share_of_sweep(sweep_found.days, tick))
        held = days_in_flight(context.instance, days, now)
        with user_facing_errors(lake):
            free = rotated([day for day in days if day not in held], tick)
            listing, waiting = list_in_time(export, free, time.monotonic() + DEADLINE_SECONDS)
            behind_days = find_stale_days(lake, export, listing, listing)
        for behind in behind_days:
            earlier = earlier_runs(context.instance, behind)
            if is_due(earlier, now):
                requests.append(request_for(behind, earlier, INGEST_DAY.name))
                context.log.info(behind.describe())
            else:
                waiting.append(f"{behind.describe()} (attempt {earlier.attempts}, waiting)")
        requests.sort(key=lambda request: request.partition_key or "")
        if requests:
            return dg.SensorResult(run_requests=requests)
        notes = [f"{pluralize(len(listing), 'day')} looked at, none to run", *waiting]
        if held:
            notes.append(f"{len(held)} in flight")
        if sweep_found.before_start:
            notes.append(never_read(sweep_found.before_start, start))
        return dg.SensorResult(skip_reason="; ".join(notes))

    return sensor


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
