"""The asset checks: what each promises, and what to do when it fails. What they find out stands in `core.accounting`.

A check whose failure means a broken promise is blocking: nothing downstream is built on it in that run. The others
warn. They are emitted by the asset itself, so that each run tells of the days that it did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from defender_assets.core.pipeline.staleness import find_stale_days
from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.tables.build import TypedReport
from defender_assets.core.text import pluralize
from defender_assets.jobs import PARTITION_TAG, STALE_DAYS
from defender_assets.resources import ExportResource, LakeResource, user_facing_errors


@dataclass(frozen=True)
class Check:
    """A check of an asset: its name, whether its failure means a broken promise, and what it says in the UI."""

    name: str
    blocking: bool
    description: str

    def spec(self, asset: str) -> dg.AssetCheckSpec:
        """Return the check for an asset."""
        return dg.AssetCheckSpec(self.name, asset=asset, blocking=self.blocking, description=self.description)

    def result(self, asset: str, findings: Mapping[date, CheckOutcome]) -> dg.AssetCheckResult:
        """Return what was found on the days of a run."""
        failed = {day: found for day, found in findings.items() if not found.passed}
        told = failed or findings
        summary = " ".join(f"{day}: {found.summary}" for day, found in list(told.items())[:SAMPLES])
        if len(findings) == 1:
            # plain numbers, which Dagster plots over time
            (found,) = findings.values()
            facts = {name: _shown(value) for name, value in found.facts.items()}
        else:
            facts = {str(day): dg.MetadataValue.json(dict(found.facts)) for day, found in findings.items()}
        return dg.AssetCheckResult(
            check_name=self.name,
            asset_key=asset,
            passed=not failed,
            severity=dg.AssetCheckSeverity.ERROR if self.blocking else dg.AssetCheckSeverity.WARN,
            description=summary,
            metadata=facts,
        )


def _shown(value: object) -> dg.MetadataValue:
    return dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.json(value)  # type: ignore[arg-type]


BYTE_BALANCE = Check(
    "byte_balance",
    blocking=True,
    description=(
        "For each blob that the account still holds: its size = bytes kept in raw + the tail that waits for its "
        "newline, without holes or overlaps. Names tails older than a day. When it fails: run the job `refresh_day` "
        "for the day, and report it as a bug."
    ),
)
LINE_BALANCE = Check(
    "line_balance",
    blocking=True,
    description=(
        "Lines read = good + quarantined + blank; records inside good lines = new rows + duplicates dropped; the "
        "Delta log counts exactly the new rows more. When it fails: raw holds every byte, so run the job `rebuild_day` "
        "for the day, and report it as a bug."
    ),
)
FRESHNESS = Check(
    "freshness",
    blocking=False,
    description=(
        "How far the newest record of each tenant is behind the day's end, or now. Heartbeats may be three hours "
        "behind; alerts have no limit. When it fails: see whether the sensor's runs fail, then whether the containers "
        "hold newer blobs (`defender-assets check`)."
    ),
)
DRIFT = Check(
    "drift",
    blocking=False,
    description=(
        "Fields that no column takes, values that did not fit their column, words that an enumeration did not hold so "
        "far, each with the day it was first seen. Nothing is lost: fields are in `unmapped`. When a field is worth a "
        "column: add it to the schema and run `rebuild_day`."
    ),
)
QUIET_OR_BROKEN = Check(
    "quiet_or_broken",
    blocking=False,
    description=(
        "No alerts is fine, no heartbeats is not: every tenant that was heard of within a week must have sent "
        "heartbeats within three hours of the day's end, or of now. When it fails: look at the Streaming API in the "
        "Defender portal, and at the account's firewall and keys."
    ),
)
COMPLETENESS = Check(
    "completeness",
    blocking=False,
    description=(
        "Counts leads whose evidence came without its info, whose info came without evidence, or whose device nobody "
        "knows; a few are always on their way. When it fails: check that all three tables are ticked in the export, "
        "and that the days before have run."
    ),
)


def balance_of_lines(report: TypedReport) -> CheckOutcome:
    """Return the line balance of a day's run."""
    tally = report.tally
    facts = {
        "lines": tally.lines,
        "good": tally.good,
        "quarantined": tally.quarantined,
        "blank": tally.blank,
        "records": tally.records,
        "new_rows": report.rows,
        "rows_landed": report.landed,
        "duplicates_dropped": report.duplicates,
    }
    if report.balanced:
        told = f"{tally.good} good, {tally.quarantined} quarantined, {tally.blank} blank"
        return CheckOutcome(passed=True, summary=f"{pluralize(tally.lines, 'line')}: {told}.", facts=facts)
    return CheckOutcome(
        passed=False,
        summary="Lines or records are unaccounted for. Raw holds every byte: run `rebuild_day`, and report it.",
        facts=facts,
    )


def stale_days_check(start: date, lookback_days: int) -> dg.AssetChecksDefinition:
    """Return the check that no day of the look-back has been behind without a run in flight."""

    @dg.asset_check(
        name=STALE_DAYS.name,
        asset=STALE_DAYS.asset_key,
        description=(
            "Names days of the look-back that are behind (bytes that raw lacks, or tables below their upstream) and "
            "have no run in flight: failed, or never built. When it fails: open the day's last run, mend what it says; "
            "the sensor asks again by itself, or materialize the day by hand."
        ),
    )
    def stale_days(
        context: dg.AssetCheckExecutionContext, export: ExportResource, lake: LakeResource
    ) -> dg.AssetCheckResult:
        today = datetime.now(UTC).date()
        days = [day for day in (today - timedelta(days=back) for back in range(1, lookback_days + 1)) if day >= start]
        with user_facing_errors(lake):
            behind = find_stale_days(lake, export, days)
        told = {day.day.isoformat(): f"{day.describe()}; {_last_run(context.instance, day.day)}" for day in behind}
        looked_at = pluralize(len(days), "day")
        return dg.AssetCheckResult(
            passed=not told,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{len(told)} of {looked_at} behind." if told else f"{looked_at} up to date.",
            metadata={day: dg.MetadataValue.text(text) for day, text in told.items()},
        )

    return stale_days


def _last_run(instance: dg.DagsterInstance, day: date) -> str:
    records = instance.get_run_records(dg.RunsFilter(tags={PARTITION_TAG: day.isoformat()}), limit=1)
    if not records:
        return "never built"
    return f"last run {records[0].dagster_run.status.value.lower()} ({records[0].dagster_run.run_id[:8]})"
