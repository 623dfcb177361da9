"""The schedules, and the hourly maintenance of the lake. What the sweep and the check do stands with their jobs."""

from collections.abc import Mapping

import dagster as dg

from defender_assets.core.errors import LakeError
from defender_assets.core.lake.maintenance import apply_retention, maintain
from defender_assets.jobs import CHECK_DAYS
from defender_assets.resources import LakeResource


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
            for name, rows in apply_retention(lake).items():
                context.log.info("%s: %d rows of old days left", name, rows)
        except LakeError as error:
            failed.append(str(error))
        for table in lake.tables:
            try:
                done = maintain(lake, table.name)
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
