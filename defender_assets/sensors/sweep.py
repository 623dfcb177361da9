"""The daily sweep: checks every blob of the export and lists the days that are behind and the days without blobs.

It requests no runs. The sensor checks the listed days again, so a missed sweep only costs a day of delay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from defender_assets.catalog import DAILY
from defender_assets.check_results import evaluations
from defender_assets.core.pipeline.staleness import days_without_blobs, find_stale_days, list_all
from defender_assets.core.text import pluralize
from defender_assets.jobs import op_job
from defender_assets.metadata.reports import empty_metadata
from defender_assets.resources import ExportResource, LakeResource, user_facing_errors

SWEEP_JOB = "sweep_older_days"
_DAYS = "days_behind"
_BEFORE = "days_before_start"


@dataclass(frozen=True)
class SweepFound:
    """The result of the last successful sweep, its run and when that was created; `ran` is False if there was none."""

    ran: bool
    days: tuple[date, ...] = ()
    before_start: int = 0
    run_id: str = field(default="", compare=False)
    at: datetime | None = field(default=None, compare=False)


def sweep_job(start: date, resources: Mapping[str, object]) -> dg.JobDefinition:
    """Return the job of the sweep."""

    @dg.op(name="name_days_behind", description="Lists all blobs and compares them with the cursors in raw.")
    def name_days_behind(context: dg.OpExecutionContext, export: ExportResource, lake: LakeResource) -> None:
        today = datetime.now(UTC).date()
        with user_facing_errors(lake):
            listing, unreadable = list_all(export)
            before = sum(day < start for day in listing)
            # also days whose blobs the account has deleted: a table of a newer version may be missing there
            days = [start + timedelta(days=number) for number in range((today - start).days + 1)]
            behind = find_stale_days(lake, export, days, listing)
            # a part that cannot be listed may have blobs of any day
            empty = [] if unreadable else days_without_blobs(lake, listing, start, today - timedelta(days=1))
        for part in unreadable:
            context.log.warning(part.reason)
        for day in behind:
            context.log.info(day.describe())
        if before:
            context.log.warning(never_read(before, start))
        new = _mark_empty(context, empty)
        context.log.info("%s without blobs, %d of them newly marked", pluralize(len(empty), "ended day"), new)
        context.add_output_metadata({_DAYS: " ".join(day.day.isoformat() for day in behind), _BEFORE: before})

    return op_job(
        SWEEP_JOB,
        name_days_behind,
        resources,
        "Checks every blob of the export, however old, and lists the days that are behind. The sensor then "
        "requests their runs. Ended days without blobs become green, with no rows, if they are after the first "
        "blob of the export; a later day that is still grey has not been checked. The schedule runs it daily; run "
        "it yourself after old blobs were restored.",
    )


def never_read(days: int, start: date) -> str:
    """Return the note that days before the first partition hold blobs."""
    return f"{pluralize(days, 'day')} with blobs before DEFENDER_START_DATE={start} are never read"


def _mark_empty(context: dg.OpExecutionContext, empty: Sequence[date]) -> int:
    """Report empty materializations of all assets, where Dagster has none; return how many days were new."""
    keys = [day.isoformat() for day in empty]
    marked = set()
    for name in DAILY:
        asset = dg.AssetKey(name)
        new = sorted(set(keys) - context.instance.get_materialized_partitions(asset))
        for key in new:
            context.log_event(dg.AssetMaterialization(asset, partition=key, metadata=empty_metadata()))
        if new:
            # Dagster shows no result of a check that is older than the newest materialization
            for evaluation in evaluations(context.instance, name, {}, context.run_id, datetime.now(UTC)):
                context.log_event(evaluation)  # type: ignore[arg-type]  # it takes evaluations, its annotation does not
        marked.update(new)
    return len(marked)


def days_of_last_sweep(instance: dg.DagsterInstance) -> SweepFound:
    """Return the result of the newest successful sweep."""
    records = instance.get_run_records(dg.RunsFilter(job_name=SWEEP_JOB), limit=20)
    finished = [record for record in records if record.dagster_run.status == dg.DagsterRunStatus.SUCCESS]
    if not finished:
        return SweepFound(ran=False)
    newest = finished[0]
    run_id, at = newest.dagster_run.run_id, newest.create_timestamp
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_OUTPUT):
        event = entry.dagster_event
        metadata = event.step_output_data.metadata if event else {}
        if _DAYS in metadata:
            days = tuple(date.fromisoformat(day) for day in str(metadata[_DAYS].value).split())
            before = int(str(metadata[_BEFORE].value))
            return SweepFound(ran=True, days=days, before_start=before, run_id=run_id, at=at)
    return SweepFound(ran=True)
