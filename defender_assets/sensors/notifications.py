"""The sensor that sends notifications, and the incidents that Dagster knows of: failing runs and checks.

Sent notifications are recorded in the lake, so losing the Dagster database neither repeats nor loses any.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

from defender_assets.core.errors import redact
from defender_assets.jobs import CHECK_DAYS, MAINTENANCE_JOB, PARTITION_TAG
from defender_assets.outputs.notifications import NotificationConfig
from defender_assets.outputs.notifications.delivery import Notifier
from defender_assets.outputs.notifications.incidents import CHECK_FAILED, RUN_FAILED, Incident, Incidents
from defender_assets.resources import LakeResource, user_facing_errors
from defender_assets.sensors.sweep import SWEEP_JOB

# jobs that are not runs of a day
WATCHED_JOBS = (CHECK_DAYS.name, SWEEP_JOB, MAINTENANCE_JOB)
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
LONGEST_SUMMARY = 400


def find_incidents(instance: dg.DagsterInstance, today: date, lookback_days: int) -> Incidents:
    """Return the incidents of the newest ended run of each day of the look-back and of each job without a day."""
    days = [(today - timedelta(days=back)).isoformat() for back in range(lookback_days + 1)]
    subjects = [(day, dg.RunsFilter(tags={PARTITION_TAG: day}, statuses=ENDED)) for day in days]
    subjects += [(job, dg.RunsFilter(job_name=job, statuses=ENDED)) for job in WATCHED_JOBS]
    failing: list[Incident] = []
    examined: set[tuple[str, str]] = set()
    for subject, runs in subjects:
        for record in instance.get_run_records(runs, limit=1):
            run = record.dagster_run
            examined.add((RUN_FAILED, subject))
            if run.status == dg.DagsterRunStatus.FAILURE:
                title = f"The run of {subject} failed"
                failing.append(Incident(RUN_FAILED, subject, title, _why(instance, run.run_id), run.run_id))
            checked = list(_checks(instance, subject, run.run_id))
            examined.update((CHECK_FAILED, name) for name, _ in checked)
            failing.extend(incident for _, incident in checked if incident)
    return Incidents(tuple(failing), frozenset(examined))


def notify_sensor(config: NotificationConfig, lookback_days: int) -> dg.SensorDefinition:
    """Return the sensor that sends each notification once to each receiver."""

    @dg.sensor(
        name="notify_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Posts new high-risk leads, new and grown stories, and failing runs and checks to Teams or Slack, each "
            "once. The table `sent_notices` records what was sent. Starts no runs. If a receiver is down, the sensor "
            "tries again after pauses that grow to one hour, and the tick shows the receiver's answer."
        ),
    )
    def sensor(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SkipReason:
        notifier = Notifier(lake, config)
        with user_facing_errors(lake):
            reports = notifier.deliver(find_incidents(context.instance, notifier.clock().date(), lookback_days))
        for report in reports:
            (context.log.warning if report.problem else context.log.info)(report.describe())
        return dg.SkipReason("; ".join(report.describe() for report in reports))

    return sensor


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the error of the failed step, without secrets."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        error = event.step_failure_data.error if event else None
        if event and error:
            # the innermost cause was raised in the step
            while error.cause is not None:
                error = error.cause
            return redact(f"{event.step_key}: {error.message}")[:LONGEST_SUMMARY]
    return ""


def _checks(instance: dg.DagsterInstance, subject: str, run_id: str) -> Iterator[tuple[str, Incident | None]]:
    """Yield the name of each check that a run evaluated, and its incident if it failed."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        event = entry.dagster_event
        if event is None:
            continue
        result = event.asset_check_evaluation_data
        check = f"{result.check_name} of {result.asset_key.to_user_string()}"
        name, title = f"{subject} {check}", f"Check {check} failed ({subject})"
        failed = Incident(CHECK_FAILED, name, title, redact(result.description or "")[:LONGEST_SUMMARY], run_id)
        yield name, None if result.passed else failed
