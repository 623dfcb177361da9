"""The sensor that sends notifications, and the incidents that Dagster knows of: failing runs and checks.

Sent notifications are recorded in the lake, so losing the Dagster database neither repeats nor loses any.
"""

from datetime import date, datetime, timedelta

import dagster as dg

from defender_assets.check_results import current_failures
from defender_assets.checks import CHECKS, QUIET_OR_BROKEN
from defender_assets.core.errors import redact
from defender_assets.core.quality.day_results import Results, SubjectResult
from defender_assets.core.quality.silence import EXPORT, outage_of
from defender_assets.jobs import CHECK_DAYS, MAINTENANCE_JOB, PARTITION_TAG
from defender_assets.outputs.notifications.incidents import CHECK_FAILED, RUN_FAILED, SILENCE, Incident, Incidents
from defender_assets.outputs.notifications.webhooks import NotificationConfig
from defender_assets.resources import LakeResource, user_facing_errors
from defender_assets.sensors.sweep import SWEEP_JOB

# jobs that are not runs of a day
WATCHED_JOBS = (CHECK_DAYS.name, SWEEP_JOB, MAINTENANCE_JOB)
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
LONGEST_SUMMARY = 400


def find_incidents(instance: dg.DagsterInstance, now: datetime, lookback_days: int) -> Incidents:
    """Return the newest ended runs that failed, of each day of the look-back and of each job, and the failed checks.

    A check fails for a day of the look-back; failures of older days are only shown. Of a silence, the tenant or the
    container is an incident, and no day or check that fails because of it.
    """
    days = [(now.date() - timedelta(days=back)).isoformat() for back in range(lookback_days + 1)]
    subjects = [(day, dg.RunsFilter(tags={PARTITION_TAG: day}, statuses=ENDED)) for day in days]
    subjects += [(job, dg.RunsFilter(job_name=job, statuses=ENDED)) for job in WATCHED_JOBS]
    failing: list[Incident] = []
    ended: list[Incident] = []
    examined: set[tuple[str, str]] = set()
    for subject, runs in subjects:
        for record in instance.get_run_records(runs, limit=1):
            run = record.dagster_run
            examined.add((RUN_FAILED, subject))
            if run.status == dg.DagsterRunStatus.FAILURE:
                title = f"The run of {subject} failed"
                failing.append(Incident(RUN_FAILED, subject, title, _why(instance, run.run_id), run.run_id))
    for asset, check in CHECKS:
        results, red = current_failures(instance, asset, check, now)
        if check is QUIET_OR_BROKEN:
            silent, over = _silences(results)
            failing += silent
            ended += over
        for subject, result in results.items():
            of_silence = result.silence or (check is QUIET_OR_BROKEN and not _is_day(subject))
            if of_silence or (_is_day(subject) and subject not in days):
                continue
            name = f"{check.name} of {asset}"
            examined.add((CHECK_FAILED, f"{subject} {name}"))
            if subject in red:
                title, summary = f"Check {name} failed ({subject})", redact(result.summary)[:LONGEST_SUMMARY]
                failing.append(Incident(CHECK_FAILED, f"{subject} {name}", title, summary, result.run_id))
    return Incidents(tuple(failing), frozenset(examined), tuple(ended))


def _silences(results: Results) -> tuple[list[Incident], list[Incident]]:
    """Return the silences that last and those that are over: of each tenant, container, and of the export.

    A silence lasts until all its subjects were evaluated again and passed, however old its results are.
    """
    by_outage: dict[str, dict[str, SubjectResult]] = {}
    for subject, result in sorted(results.items()):
        if not _is_day(subject):
            by_outage.setdefault(outage_of(subject), {})[subject] = result
    silent, over = [], []
    for outage, parts in by_outage.items():
        failed = [result for result in parts.values() if not result.passed]
        if failed:
            summary = redact(failed[0].summary)[:LONGEST_SUMMARY]
            title = "The export cannot be examined" if outage == EXPORT else f"Silence: {outage}"
            silent.append(Incident(SILENCE, outage, title, summary, failed[0].run_id))
        else:
            newest = max(parts.values(), key=lambda result: result.evaluated_at)
            title = "The export can be examined again" if outage == EXPORT else f"Silence is over: {outage}"
            over.append(Incident(SILENCE, outage, title, "", newest.run_id))
    return silent, over


def notify_sensor(config: NotificationConfig, lookback_days: int) -> dg.SensorDefinition:
    """Return the sensor that sends each notification once to each receiver."""

    @dg.sensor(
        name="notify_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Posts new high-risk leads, new and grown stories, failing runs and checks, and the beginning and end of "
            "silences of the export to Teams or Slack, each once. The table `sent_notices` records what was sent. "
            "Starts no runs. If a receiver is down, the sensor tries again after pauses that grow to one hour, and the "
            "tick shows the receiver's answer."
        ),
    )
    def sensor(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SkipReason:
        from defender_assets.outputs.notifications.delivery import Notifier  # noqa: PLC0415 (it loads an HTTP client)

        notifier = Notifier(lake, config)
        with user_facing_errors(lake):
            reports = notifier.deliver(find_incidents(context.instance, notifier.clock(), lookback_days))
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


def _is_day(subject: str) -> bool:
    try:
        date.fromisoformat(subject)
    except ValueError:
        return False
    return True
