"""The asset checks: what each guarantees, and what to do when it fails. The results are computed in `core.quality`.

A failed blocking check means a broken guarantee, so nothing downstream is built in that run. The other checks warn.
Each asset emits its own checks for the days of its run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from defender_assets.core.errors import is_panic, redact
from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.text import pluralize
from defender_assets.jobs import PARTITION_TAG, STALE_DAYS
from defender_assets.resources import ExportResource, LakeResource, user_facing_errors

LONGEST_REASON = 500


@dataclass(frozen=True)
class Check:
    """A check of an asset, as the UI describes it."""

    name: str
    blocking: bool
    description: str

    def spec(self, asset: str) -> dg.AssetCheckSpec:
        """Return the specification of this check for an asset."""
        return dg.AssetCheckSpec(self.name, asset=asset, blocking=self.blocking, description=self.description)

    def result(self, asset: str, outcomes: Mapping[date, CheckOutcome]) -> dg.AssetCheckResult:
        """Return one result for all days of a run."""
        failed = {day: outcome for day, outcome in outcomes.items() if not outcome.passed}
        stops = self.blocking and not (failed and all(outcome.warning for outcome in failed.values()))
        shown = list((failed or outcomes).items())[:SAMPLES]
        if len(outcomes) == 1:
            # one value per key, so that Dagster plots numbers over time
            (outcome,) = outcomes.values()
            facts = {name: _metadata_value(value) for name, value in outcome.facts.items()}
        else:
            facts = {str(day): dg.MetadataValue.json(dict(outcome.facts)) for day, outcome in outcomes.items()}
        return dg.AssetCheckResult(
            check_name=self.name,
            asset_key=asset,
            passed=not failed,
            severity=dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN,
            description=" ".join(f"{day}: {outcome.summary}" for day, outcome in shown),
            metadata=facts,
        )


def outcome_of(check: Check, evaluate: Callable[[], CheckOutcome], secrets: tuple[str, ...] = ()) -> CheckOutcome:
    """Return the outcome of a check. An error in a check that only warns is a failed outcome, and fails no table."""
    try:
        return evaluate()
    except BaseException as error:
        if check.blocking or not (isinstance(error, Exception) or is_panic(error)):
            raise
        reason = redact(str(error), secrets)[:LONGEST_REASON]
        summary = f"The check could not be evaluated ({type(error).__name__}): {reason}."
        return CheckOutcome(passed=False, summary=summary)


def _metadata_value(value: object) -> dg.MetadataValue:
    return dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.json(value)  # type: ignore[arg-type]


BYTE_BALANCE = Check(
    "byte_balance",
    blocking=True,
    description=(
        "For each blob that is still in the account: size = bytes kept in raw + the tail that waits for its newline, "
        "without gaps or overlaps, in files of the size that the log says. Lists tails older than a day. If it fails "
        "because of damaged files: its text says what to do. Otherwise run the job `refresh_day` for the day and "
        "report it as a bug. If it only warns: it names the blobs, tenants or containers that cannot be read, and "
        "what to do; everything else of the day went on."
    ),
)
LINE_BALANCE = Check(
    "line_balance",
    blocking=True,
    description=(
        "Lines read = good + quarantined + blank. Records in good lines = new rows + duplicates dropped. The row count "
        "in the Delta log grows by exactly the new rows. If it fails: raw holds every byte, so run the job "
        "`rebuild_day` for the day and report it as a bug."
    ),
)
FRESHNESS = Check(
    "freshness",
    blocking=False,
    description=(
        "How far the newest record of each tenant is behind the end of the day, or behind now if the day is not over. "
        "Heartbeats may be three hours behind; alerts have no limit. If it fails: check whether the sensor's runs "
        "fail, then whether the containers hold newer blobs (`defender-assets check`)."
    ),
)
DRIFT = Check(
    "drift",
    blocking=False,
    description=(
        "Fields that have no column, values that do not fit their column, enumeration values that the schema does "
        "not list, and times that are impossible, each with the day it was first seen. Nothing is lost: fields without "
        "a column are in `unmapped`. If a field is worth a column: add it to the schema and run `rebuild_day`."
    ),
)
QUIET_OR_BROKEN = Check(
    "quiet_or_broken",
    blocking=False,
    description=(
        "A day without alerts is normal; a day without heartbeats is not. Every tenant with a record in the last week "
        "must have sent a heartbeat within three hours of the end of the day, or of now if the day is not over. If it "
        "fails: check the Streaming API in the Defender portal, and the account's firewall and keys."
    ),
)
COMPLETENESS = Check(
    "completeness",
    blocking=False,
    description=(
        "Counts leads that have evidence but no AlertInfo, AlertInfo but no evidence, or an unknown device. A few are "
        "normal, because the records of an alert arrive minutes apart. If it fails: check that all three tables are "
        "selected in the export, and that the days before have run."
    ),
)


def stale_days_check(start: date, lookback_days: int) -> dg.AssetChecksDefinition:
    """Return the check that no ended day of the look-back is behind."""

    @dg.asset_check(
        name=STALE_DAYS.name,
        asset=STALE_DAYS.asset_key,
        description=(
            "Lists ended days of the look-back that are behind (raw lacks bytes, or a table is older than its "
            "upstream), each with the status of its last run. If it fails: open the day's last run and fix what its "
            "error says. The sensor then requests the day again, or materialize the day yourself."
        ),
    )
    def stale_days(
        context: dg.AssetCheckExecutionContext, export: ExportResource, lake: LakeResource
    ) -> dg.AssetCheckResult:
        today = datetime.now(UTC).date()
        days = [day for day in (today - timedelta(days=back) for back in range(1, lookback_days + 1)) if day >= start]
        with user_facing_errors(lake):
            behind = find_stale_days(lake, export, days)
        checked = pluralize(len(days), "day")
        return dg.AssetCheckResult(
            passed=not behind,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{len(behind)} of {checked} behind." if behind else f"{checked} up to date.",
            metadata={str(day.day): f"{day.describe()}; {_last_run(context.instance, day.day)}" for day in behind},
        )

    return stale_days


def _last_run(instance: dg.DagsterInstance, day: date) -> str:
    records = instance.get_run_records(dg.RunsFilter(tags={PARTITION_TAG: day.isoformat()}), limit=1)
    if not records:
        return "never built"
    return f"last run {records[0].dagster_run.status.value.lower()} ({records[0].dagster_run.run_id[:8]})"
