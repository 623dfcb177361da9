"""The schedules, and the jobs that maintain the lake, measure the detections and audit all ended days."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg
import polars as pl

from defender_assets.catalog import LEADS
from defender_assets.check_results import evaluations, known_results
from defender_assets.checks import AUDIT
from defender_assets.core.enums import VERDICTS
from defender_assets.core.errors import LakeError
from defender_assets.core.lake.clock import read_clock
from defender_assets.core.lake.maintenance import apply_retention, maintain
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.text import pluralize
from defender_assets.core.triage.precision import ALL_BANDS, QUALITY_TABLE, store_quality
from defender_assets.jobs import AUDIT_JOB, CHECK_DAYS, MAINTENANCE_JOB, op_job
from defender_assets.metadata.reports import Metadata, table_preview
from defender_assets.resources import ExportResource, LakeResource, user_facing_errors


def all_schedules(
    sweep: dg.JobDefinition, maintenance: dg.JobDefinition, quality: dg.JobDefinition, audit: dg.JobDefinition
) -> list[dg.ScheduleDefinition]:
    """Return the schedules, in UTC and on by default."""
    return [
        dg.ScheduleDefinition(
            name=name,
            job=job,
            cron_schedule=cron,
            execution_timezone="UTC",
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=description,
        )
        for name, job, cron, description in (
            ("daily_sweep", sweep, "17 3 * * *", "Checks all older days, daily at 03:17 UTC."),
            (
                "hourly_check",
                CHECK_DAYS,
                "47 * * * *",
                "Checks recent days and the export, at minute 47 of every hour.",
            ),
            ("hourly_maintenance", maintenance, "31 * * * *", "Maintains the lake, at minute 31 of every hour."),
            ("hourly_quality", quality, "7 * * * *", "Measures the detections, at minute 7 of every hour."),
            ("weekly_audit", audit, "23 4 * * 0", "Audits all ended days, on Sundays at 04:23 UTC."),
        )
    ]


def maintenance_job(resources: Mapping[str, object]) -> dg.JobDefinition:
    """Return the job that maintains the lake, table by table; a table that fails does not stop the others."""

    @dg.op(
        name="maintain_tables", description="Applies retention, compacts fragmented days, deletes unreferenced files."
    )
    def maintain_tables(context: dg.OpExecutionContext, export: ExportResource, lake: LakeResource) -> None:
        failed = []
        with user_facing_errors(lake):
            clock = read_clock(lake, export.service_time())
        try:
            for name, rows in apply_retention(lake, clock).items():
                context.log.info("%s: deleted %d rows of days past retention", name, rows)
        except LakeError as error:
            failed.append(str(error))
        for table in lake.tables:
            try:
                report = maintain(lake, table.name, clock)
            except LakeError as error:
                failed.append(str(error))
                continue
            context.log.info(report.describe())
            failed += [report.damage] if report.damage else []
            if report.files_spared:
                context.log.warning("%s: %s", table.name, clock.doubt)
        if failed:
            raise dg.Failure("; ".join(failed))

    return op_job(
        MAINTENANCE_JOB,
        maintain_tables,
        resources,
        "Compacts days of more than 100 files, deletes days older than DEFENDER_RETENTION_DAYS, deletes files that "
        "the tables have not used for 7 days, writes checkpoints, and looks for damaged files: it fails if there "
        "are any, and names the remedy. Safe while the sensor runs. The schedule runs it every hour.",
    )


def quality_job(resources: Mapping[str, object]) -> dg.JobDefinition:
    """Return the job that replaces `detection_quality`, and shows it at its asset."""

    @dg.op(name="measure_detections", description="Counts verdicts by detection and band of priority.")
    def measure_detections(context: dg.OpExecutionContext, lake: LakeResource) -> None:
        with user_facing_errors(lake):
            rows = store_quality(lake)
        of_all = rows.filter(pl.col("band") == ALL_BANDS)
        shown = of_all.select("title", "precision", "precision_low", "precision_high", *VERDICTS, "leads")
        metadata: Metadata = {
            "dagster/row_count": rows.height,
            "detections": of_all.height,
            "preview": table_preview(shown),
        }
        context.log_event(dg.AssetMaterialization(QUALITY_TABLE, metadata=metadata))

    return op_job(
        "measure_quality",
        measure_detections,
        resources,
        "Computes how often each detection was right from the verdicts of analysts, and replaces "
        "`detection_quality`. The schedule runs it every hour.",
    )


def audit_job(resources: Mapping[str, object]) -> dg.JobDefinition:
    """Return the job that audits all ended days, and evaluates the check `audit` of the leads."""

    @dg.op(name="audit_days", description="Compares export, raw, typed tables, quarantine and leads of each ended day.")
    def audit_ended_days(
        context: dg.OpExecutionContext, export: ExportResource, lake: LakeResource
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        # its libraries are loaded for the audit alone
        from defender_assets.core.audit.outcome import audit_outcome  # noqa: PLC0415
        from defender_assets.core.audit.walk import audit_days, days_held  # noqa: PLC0415

        now = datetime.now(UTC)
        known = {day for results in known_results(context.instance, LEADS.name, AUDIT) for day in results}
        outcomes = {}
        with user_facing_errors(lake):
            days = [day for day in days_held(lake, export) if day < now.date()]
            for audit in audit_days(lake, export, days):
                outcome = audit_outcome(audit)
                context.log.info("%s: %s", audit.day, outcome.summary)
                # a sound day says so only to take back an earlier failure
                if not outcome.passed or audit.day.isoformat() in known:
                    outcomes[audit.day.isoformat()] = outcome
        summary = f"{pluralize(len(days), 'ended day')} were audited."
        of_check = {AUDIT: {"lake": CheckOutcome(passed=True, summary=summary), **outcomes}}
        yield from evaluations(context.instance, LEADS.name, of_check, context.run_id, now, only=[AUDIT])
        yield dg.Output(None)

    return op_job(
        AUDIT_JOB,
        audit_ended_days,
        resources,
        "Compares export, raw, typed tables, quarantine and leads of all ended days from their contents, as "
        "`defender-assets audit` does. It reads the whole lake and changes nothing. The schedule runs it weekly.",
    )
