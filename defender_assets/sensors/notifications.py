"""`notify_sensor`, and the failing runs and checks that it reads from the Dagster instance.

What was sent is recorded in the lake, so a lost Dagster database repeats and loses nothing.
"""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

from defender_assets.core.errors import redact
from defender_assets.jobs import CHECK_DAYS, PARTITION_TAG
from defender_assets.outputs.notifications import NotificationConfig
from defender_assets.outputs.notifications.delivery import Notifier
from defender_assets.outputs.notifications.incidents import CHECK_FAILED, RUN_FAILED, Incident, Incidents
from defender_assets.resources import LakeResource, user_facing_errors
from defender_assets.sensors.sweep import SWEEP_JOB

# jobs whose runs have no day
WATCHED_JOBS = (CHECK_DAYS.name, SWEEP_JOB, "maintain_lake")
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
LONGEST_SUMMARY = 400


def find_incidents(instance: dg.DagsterInstance, today: date, lookback_days: int) -> Incidents:
    """Return what fails in the newest finished run of each look-back day, and of each job without a day."""
    days = [(today - timedelta(days=back)).isoformat() for back in range(lookback_days + 1)]
    newest = [(day, dg.RunsFilter(tags={PARTITION_TAG: day}, statuses=ENDED)) for day in days]
    newest += [(job, dg.RunsFilter(job_name=job, statuses=ENDED)) for job in WATCHED_JOBS]
    failing: list[Incident] = []
    examined: set[tuple[str, str]] = set()
    for scope, filters in newest:
        for record in instance.get_run_records(filters, limit=1):
            run = record.dagster_run
            examined.add((RUN_FAILED, scope))
            if run.status == dg.DagsterRunStatus.FAILURE:
                title = f"The run of {scope} failed"
                failing.append(Incident(RUN_FAILED, scope, title, _why(instance, run.run_id), run.run_id))
            checked = list(_checks(instance, scope, run.run_id))
            examined.update((CHECK_FAILED, name) for name, _ in checked)
            failing.extend(incident for _, incident in checked if incident)
    return Incidents(tuple(failing), frozenset(examined))


def notify_sensor(config: NotificationConfig, lookback_days: int) -> dg.SensorDefinition:
    """Return the sensor that sends each destination every notification once."""

    @dg.sensor(
        name="notify_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Posts new leads of high risk, new and grown stories, and failing runs and checks to Teams or Slack, once "
            "each; what was sent is recorded in the table `sent_notices`. Starts no runs. A receiver that is down is "
            "tried again with pauses that grow up to an hour; the tick says what it answered."
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
    """Return the message of the failed step without secrets; our own errors are one line."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        error = event.step_failure_data.error if event else None
        if event and error:
            # the innermost cause is what the step raised
            while error.cause is not None:
                error = error.cause
            return redact(f"{event.step_key}: {error.message}")[:LONGEST_SUMMARY]
    return ""


def _checks(instance: dg.DagsterInstance, scope: str, run_id: str) -> Iterator[tuple[str, Incident | None]]:
    """Yield the name of each check that the run evaluated, and the incident if it failed."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        event = entry.dagster_event
        if event is None:
            continue
        found = event.asset_check_evaluation_data
        name = f"{scope} {found.check_name} of {found.asset_key.to_user_string()}"
        title = f"Check {found.check_name} of {found.asset_key.to_user_string()} failed ({scope})"
        failed = Incident(CHECK_FAILED, name, title, redact(found.description or "")[:LONGEST_SUMMARY], run_id)
        yield name, None if found.passed else failed
