"""The sensor that requests a run of each day that is behind.

It is level-triggered: each tick compares the containers with the lake, so nothing that Dagster could lose decides what
is read. Dagster's run history only avoids needless runs: of days in flight, and of failing days during their back-off.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import dagster as dg

from defender_assets.core.export.timed_listing import TimedListing, list_in_time
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.retries import MAX_CLOCK_SKEW, exponential_backoff
from defender_assets.core.text import pluralize
from defender_assets.jobs import INGEST_DAY, PARTITION_TAG
from defender_assets.resources import ExportResource, LakeResource, user_facing_errors
from defender_assets.sensors.observations import observe
from defender_assets.sensors.sweep import SWEEP_JOB, SweepFound, days_of_last_sweep, never_read

DIGEST_TAG = "defender/digest"
DEFAULT_MAX_RUNTIME = 3600
SWEPT_AT_ONCE = 20
# Dagster ends an evaluation after 60 seconds
DEADLINE_SECONDS = 40
# a day that is not listed completely is requested at most every 4 minutes: its digest depends on what was listed
INCOMPLETE_ATTEMPTS = 3
UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


class DayBehind(Protocol):
    """A day to run, with a digest of the reasons."""

    @property
    def day(self) -> date: ...

    @property
    def digest(self) -> str: ...

    def describe(self) -> str: ...


@dataclass(frozen=True)
class BehindAtSweep:
    """A day that the sweep listed as behind, and that a tick cannot list completely."""

    day: date
    sweep_run: str

    @property
    def digest(self) -> str:
        """Return a digest that the next sweep changes."""
        return f"sweep-{self.sweep_run}"

    def describe(self) -> str:
        """Return one line of text for logs."""
        return f"{self.day}: behind at the last sweep, cannot be listed in time"


@dataclass(frozen=True)
class AttemptHistory:
    """Earlier runs for the same digest: how many, and when the last one ended or was last updated."""

    attempts: int
    last: datetime | None


def is_due(earlier: AttemptHistory, now: datetime) -> bool:
    """Return whether the back-off after the earlier attempts is over."""
    return earlier.last is None or now - earlier.last >= exponential_backoff(earlier.attempts)


def request_for(behind: DayBehind, earlier: AttemptHistory, job_name: str) -> dg.RunRequest:
    """Return the request; its key includes the attempt, because Dagster skips known keys, even of failed runs."""
    return dg.RunRequest(
        run_key=f"{behind.day}:{behind.digest}:{earlier.attempts}",
        job_name=job_name,
        partition_key=behind.day.isoformat(),
        tags={DIGEST_TAG: behind.digest},
    )


def window(today: date, start: date, lookback_days: int, swept: Iterable[date]) -> list[date]:
    """Return the days to check, oldest first: those of today, the look-back and the sweep that are partitions."""
    recent = {today - timedelta(days=back) for back in range(lookback_days + 1)}
    return sorted(day for day in recent | set(swept) if start <= day <= today)


def rotated(days: Sequence[date], tick: int) -> list[date]:
    """Return the days, starting at another one each tick, so that a deadline never starves the same days."""
    cut = tick % len(days) if days else 0
    return [*days[cut:], *days[:cut]]


def share_of_sweep(swept: Sequence[date], tick: int) -> list[date]:
    """Return the swept days to check at this tick; a few consecutive ticks check all of them."""
    return rotated(swept, tick * SWEPT_AT_ONCE)[:SWEPT_AT_ONCE]


def days_in_flight(instance: dg.DagsterInstance, days: Sequence[date], now: datetime) -> set[date]:
    """Return the days with an unfinished run, except runs past the instance's maximum: their worker is gone."""
    oldest = now - timedelta(seconds=instance.run_monitoring_max_runtime_seconds or DEFAULT_MAX_RUNTIME)
    records = instance.get_run_records(
        dg.RunsFilter(tags={PARTITION_TAG: [day.isoformat() for day in days]}, statuses=list(UNFINISHED))
    )
    in_flight = set()
    for record in records:
        queued = record.dagster_run.status == dg.DagsterRunStatus.QUEUED
        started = _past(now, record.start_time, record.create_timestamp)
        # a start in the future is from a clock that was ahead: the run is not known to be young
        if queued or (started is not None and started > oldest):
            in_flight.add(date.fromisoformat(record.dagster_run.tags[PARTITION_TAG]))
    return in_flight


def earlier_runs(instance: dg.DagsterInstance, behind: DayBehind, now: datetime) -> AttemptHistory:
    """Return the history of runs for the same day and digest."""
    runs = dg.RunsFilter(tags={PARTITION_TAG: behind.day.isoformat(), DIGEST_TAG: behind.digest})
    return _history(instance, runs, now)


def first_sweep(instance: dg.DagsterInstance, start: date, now: datetime) -> list[dg.RunRequest]:
    """Return the request for a first sweep, unless one is in flight or the back-off after a failed one is not over."""
    if instance.get_run_records(dg.RunsFilter(job_name=SWEEP_JOB, statuses=list(UNFINISHED)), limit=1):
        return []
    earlier = _history(instance, dg.RunsFilter(job_name=SWEEP_JOB), now)
    if not is_due(earlier, now):
        return []
    return [dg.RunRequest(run_key=f"first-sweep:{start}:{earlier.attempts}", job_name=SWEEP_JOB)]


def _history(
    instance: dg.DagsterInstance, runs: dg.RunsFilter, now: datetime, limit: int | None = None
) -> AttemptHistory:
    """Return the history of runs; an end in the future, from a clock that was ahead, delays no further run."""
    records = instance.get_run_records(runs, limit=limit)
    ends = (_past(now, record.end_time, record.update_timestamp, record.create_timestamp) for record in records)
    return AttemptHistory(len(records), max((end for end in ends if end), default=None))


def unseen_since_sweep(
    instance: dg.DagsterInstance, swept: SweepFound, listing: TimedListing, found: Iterable[DayBehind]
) -> list[BehindAtSweep]:
    """Return the days of the sweep that this tick cannot list completely and that no run has brought up to date since.

    The sweep lists whole containers without a time limit, so it sees what no tick can.
    """
    days = (listing.incomplete & set(swept.days)) - {behind.day for behind in found}
    return [
        BehindAtSweep(day, swept.run_id)
        for day in sorted(days)
        if not instance.get_run_records(
            dg.RunsFilter(
                tags={PARTITION_TAG: day.isoformat()}, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=swept.at
            ),
            limit=1,
        )
    ]


def rested(instance: dg.DagsterInstance, day: date, now: datetime) -> bool:
    """Return whether the last run of a day, whatever its digest, is long enough ago for an incompletely listed day."""
    ends = _history(instance, dg.RunsFilter(tags={PARTITION_TAG: day.isoformat()}), now, limit=1)
    return is_due(AttemptHistory(INCOMPLETE_ATTEMPTS, ends.last), now)


def new_blobs_sensor(
    sweep: dg.JobDefinition, start: date, lookback_days: int, interval_seconds: int
) -> dg.SensorDefinition:
    """Return the sensor that keeps every day up to date with the containers, one tick in each interval."""

    @dg.sensor(
        name="new_blobs_sensor",
        jobs=[INGEST_DAY, sweep],
        minimum_interval_seconds=interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Requests a run for each day that is behind: the containers hold bytes that raw lacks, or a table is older "
            "than its upstream. Checks today, the days of the look-back, and the older days that the last daily sweep "
            "listed. Requests a failing day again after pauses that grow to one hour. Observes the containers of the "
            "export when their size or number of blobs changed."
        ),
    )
    def sensor(context: dg.SensorEvaluationContext, export: ExportResource, lake: LakeResource) -> dg.SensorResult:
        now = datetime.now(UTC)
        swept = days_of_last_sweep(context.instance)
        requests = [] if swept.ran else first_sweep(context.instance, start, now)
        tick = int(now.timestamp()) // interval_seconds
        days = window(now.date(), start, lookback_days, share_of_sweep(swept.days, tick))
        in_flight = days_in_flight(context.instance, days, now)
        with user_facing_errors(lake):
            free = rotated([day for day in days if day not in in_flight], tick)
            listing = list_in_time(export, free, DEADLINE_SECONDS, tick)
            stale_days = find_stale_days(lake, export, listing.days, listing.days)
        observed = observe(context.instance, listing, window(now.date(), start, lookback_days, ()), now)
        waiting = listing.notes
        unseen = unseen_since_sweep(context.instance, swept, listing, stale_days)
        all_behind: list[DayBehind] = [*stale_days, *unseen]
        for behind in all_behind:
            earlier = earlier_runs(context.instance, behind, now)
            complete = behind.day not in listing.incomplete
            if is_due(earlier, now) and (complete or rested(context.instance, behind.day, now)):
                requests.append(request_for(behind, earlier, INGEST_DAY.name))
                context.log.info(behind.describe())
            else:
                waiting.append(f"{behind.describe()} (attempt {earlier.attempts}, waiting)")
        requests.sort(key=lambda request: request.partition_key or "")
        if requests:
            return dg.SensorResult(run_requests=requests, asset_events=observed)
        notes = [f"{pluralize(len(listing.days), 'day')} checked, none to run", *waiting]
        if in_flight:
            notes.append(f"{len(in_flight)} in flight")
        if swept.before_start:
            notes.append(never_read(swept.before_start, start))
        return dg.SensorResult(skip_reason="; ".join(notes), asset_events=observed)

    return sensor


def _past(now: datetime, *times: float | datetime | None) -> datetime | None:
    """Return the first time that is known and not in the future; one that is slightly ahead counts as now."""
    for each in times:
        if not each:
            continue
        moment = each if isinstance(each, datetime) else datetime.fromtimestamp(each, UTC)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment - now < MAX_CLOCK_SKEW:
            return min(moment, now)
    return None
