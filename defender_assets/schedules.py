"""The schedules, and the daily sweep: it looks at every blob once a day and names the days that are behind.

It asks for no runs itself. The sensor looks again at the days that the last sweep named, so a lost sweep costs a day
of delay and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import dagster as dg

from defender_assets.core.failures import LakeError
from defender_assets.core.maintenance import let_old_days_leave, maintain
from defender_assets.core.pending import list_all, survey
from defender_assets.jobs import CHECK_DAYS
from defender_assets.resources import ExportResource, LakeResource, told_plainly

SWEEP_JOB = "sweep_older_days"
_DAYS = "days_behind"
_BEFORE = "days_before_start"


@dataclass(frozen=True)
class SweepFound:
    """What the last successful sweep said; `ran` is False when there never was one."""

    ran: bool
    days: tuple[date, ...] = ()
    before_start: int = 0


def sweep_job(start: date, resources: Mapping[str, object]) -> dg.JobDefinition:
    """Return the job that looks at every blob of the export and names the days that are behind.

    It is bound to its resources here: a sensor whose op job `Definitions` has to bind is made anew with an `owners`
    parameter, which is in beta and warns.
    """

    @dg.op(name="name_days_behind", description="Lists all blobs and compares them with raw's cursors, day by day.")
    def name_days_behind(context: dg.OpExecutionContext, export: ExportResource, lake: LakeResource) -> None:
        today = datetime.now(UTC).date()
        with told_plainly(lake):
            listing = list_all(export)
            before = sum(day < start for day in listing)
            behind = survey(lake, export, [day for day in listing if start <= day <= today], listing)
        for day in behind:
            context.log.info(day.describe())
        if before:
            context.log.warning(
                "%d days before %s (DEFENDER_START_DATE) hold blobs and are no partitions", before, start
            )
        context.add_output_metadata({_DAYS: " ".join(day.day.isoformat() for day in behind), _BEFORE: before})

    @dg.job(
        name=SWEEP_JOB,
        executor_def=dg.in_process_executor,
        resource_defs={name: dg.ResourceDefinition.hardcoded_resource(resources[name]) for name in ("export", "lake")},
        description=(
            "Looks at every blob of the export, however old, and names the days that are behind. The sensor then asks "
            "for their runs. Daily, by schedule; run it by hand after old blobs were restored."
        ),
    )
    def sweep() -> None:
        name_days_behind()

    return sweep


def daily_sweep(sweep: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Return the schedule of the sweep: once a day, on by default."""
    return dg.ScheduleDefinition(
        name="daily_sweep",
        job=sweep,
        cron_schedule="17 3 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Sweeps all older days at 03:17 UTC.",
    )


def hourly_check() -> dg.ScheduleDefinition:
    """Return the schedule of the check that no day stays behind: once an hour, on by default."""
    return dg.ScheduleDefinition(
        name="hourly_check",
        job=CHECK_DAYS,
        cron_schedule="47 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Looks at minute 47 of each hour whether a day of the look-back stays behind.",
    )


def maintenance_job(resources: Mapping[str, object]) -> dg.JobDefinition:
    """Return the job that keeps the lake quick and small, table by table; a table that fails stops no other."""

    @dg.op(name="maintain_tables", description="Lets old days leave, compacts full days, deletes dead files.")
    def maintain_tables(context: dg.OpExecutionContext, lake: LakeResource) -> None:
        failed = []
        try:
            for name, rows in let_old_days_leave(lake).items():
                context.log.info("%s: %d rows of old days left", name, rows)
        except LakeError as error:
            failed.append(str(error))
        for layout in lake.layouts:
            try:
                done = maintain(lake, layout.name)
            except LakeError as error:
                failed.append(str(error))
                continue
            context.log.info(done.describe())
        if failed:
            raise dg.Failure("; ".join(failed))

    @dg.job(
        name="maintain_lake",
        executor_def=dg.in_process_executor,
        resource_defs={"lake": dg.ResourceDefinition.hardcoded_resource(resources["lake"])},
        description=(
            "Rewrites days of more than 100 files into few, lets days older than DEFENDER_RETENTION_DAYS leave, "
            "deletes files that have been dead for 7 days, writes checkpoints. Safe while the sensor runs. Hourly."
        ),
    )
    def maintain_lake() -> None:
        maintain_tables()

    return maintain_lake


def hourly_maintenance(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Return the schedule of the maintenance: once an hour, on by default."""
    return dg.ScheduleDefinition(
        name="hourly_maintenance",
        job=job,
        cron_schedule="31 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Keeps the lake quick and small, at minute 31 of each hour.",
    )


def days_of_last_sweep(instance: dg.DagsterInstance) -> SweepFound:
    """Return what the newest successful sweep named."""
    records = instance.get_run_records(dg.RunsFilter(job_name=SWEEP_JOB), limit=20)
    finished = [record for record in records if record.dagster_run.status == dg.DagsterRunStatus.SUCCESS]
    if not finished:
        return SweepFound(ran=False)
    for entry in instance.all_logs(finished[0].dagster_run.run_id, of_type=dg.DagsterEventType.STEP_OUTPUT):
        event = entry.dagster_event
        metadata = event.step_output_data.metadata if event else {}
        if _DAYS in metadata:
            named = tuple(date.fromisoformat(day) for day in str(metadata[_DAYS].value).split())
            return SweepFound(ran=True, days=named, before_start=int(str(metadata[_BEFORE].value)))
    return SweepFound(ran=True)
