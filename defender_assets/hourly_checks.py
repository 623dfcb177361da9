"""The checks that the job `check_days` evaluates every hour, from the lake and the export: of recent days and of now.

No run of an asset is needed, so an export that falls silent is noticed although nothing runs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import dagster as dg

from defender_assets.catalog import LEADS
from defender_assets.check_results import Outcomes, by_day, evaluations
from defender_assets.checks import (
    BALANCES,
    BYTE_BALANCE,
    CHECKS,
    COMPLETENESS,
    DRIFT,
    FRESHNESS,
    QUIET_OR_BROKEN,
    STALE_DAYS,
    Check,
    balance,
)
from defender_assets.core.errors import ExportError
from defender_assets.core.export import Export
from defender_assets.core.lake.lake import Lake
from defender_assets.core.lake.snapshots import scan_days
from defender_assets.core.pipeline.staleness import Listing, find_stale_days, list_days
from defender_assets.core.quality.byte_balance import byte_balance_without_run
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.completeness import completeness
from defender_assets.core.quality.drift import drift
from defender_assets.core.quality.freshness import freshness
from defender_assets.core.quality.shown_parts import Shown, look_at
from defender_assets.core.quality.signs import KnownSigns, read_signs
from defender_assets.core.quality.silence import EXPORT, quiet_or_broken, silences, unlistable
from defender_assets.core.schemas import TABLES, Table
from defender_assets.jobs import PARTITION_TAG
from defender_assets.resources import ExportResource, LakeResource, user_facing_errors

_LAKE = "lake"


def hourly_checks(start: date, lookback_days: int) -> dg.AssetChecksDefinition:
    """Return the checks of all assets, evaluated for today and the days of the look-back that are partitions."""

    @dg.multi_asset_check(
        name="check_recent_days",
        specs=[check.spec(asset) for asset, check in CHECKS],
        can_subset=True,
        description="Evaluates the checks of recent days from the lake and the export, without a run of the days.",
    )
    def check_recent_days(
        context: dg.AssetCheckExecutionContext, export: ExportResource, lake: LakeResource
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        now = utc_now()
        days = [day for day in (now.date() - timedelta(days=back) for back in range(lookback_days + 1)) if day >= start]
        with user_facing_errors(lake):
            look = look_around(lake, export, sorted(days), now)
        for asset, check in CHECKS:
            spec = check.spec(asset)
            if spec.key in context.selected_asset_check_keys:
                outcomes = {check: evaluate(look, asset, check, context.instance)}
                # a broken guarantee is red here, and stops the runs of its day only
                yield from evaluations(
                    context.instance, asset, outcomes, context.run.run_id, now, only=[check], stops_run=False
                )
                yield dg.Output(None, spec.get_python_identifier())

    return check_recent_days


def utc_now() -> datetime:
    """Return the current time; tests replace it."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Seen:
    """What the export shows: the blobs of the days, its containers and its tenants."""

    listing: Listing
    shown: Shown


@dataclass(frozen=True)
class Look:
    """The lake, the days to check, oldest first, the moment (UTC), and what the export shows or why it cannot say."""

    lake: Lake
    export: Export
    days: list[date]
    now: datetime
    seen: Seen | ExportError

    @cached_property
    def signs(self) -> KnownSigns:
        """Return the signs of life that the lake shows, and the export if it can be listed."""
        return read_signs(self.lake, self.now, self.seen.listing if isinstance(self.seen, Seen) else None)

    @property
    def ended(self) -> list[date]:
        """Return the days that are over."""
        return [day for day in self.days if day < self.now.date()]


def look_around(lake: Lake, export: Export, days: list[date], now: datetime) -> Look:
    """Return the lake with what the export shows of the days.

    Raises:
        LakeError: when the lake cannot be reached: nothing can be checked then.
    """
    lake.exists(LEADS.name)
    try:
        seen: Seen | ExportError = Seen(list_days(export, days), look_at(export))
    except ExportError as error:
        seen = error
    return Look(lake, export, days, now, seen)


def evaluate(look: Look, asset: str, check: Check, instance: dg.DagsterInstance) -> Outcomes:
    """Return the outcomes of a check of an asset by subject. What cannot be known now has none: it stays as it was.

    An error is an outcome too: the other checks are evaluated.
    """
    lake, seen = look.lake, look.seen
    table = next((table for table in TABLES if asset in {table.raw, table.name}), None)
    by_name: dict[str, Callable[[date], CheckOutcome | None]] = {
        COMPLETENESS.name: lambda day: completeness(
            scan_days(lake.snapshot(LEADS.name, create=True), day, day).collect()
        ),
        **{of.name: lambda day: balance(lake, asset, day) for of, _ in BALANCES.values()},
    }
    if table is not None:
        by_name |= {
            BYTE_BALANCE.name: lambda day: _byte_balance(look, table, day),
            FRESHNESS.name: lambda day: freshness(lake, table, day, look.now, lambda: look.signs),
            DRIFT.name: lambda day: drift(lake, table, day),
        }
    if check.name in by_name:
        return _each_day(look, by_name[check.name])
    if check is QUIET_OR_BROKEN:
        if isinstance(seen, ExportError):
            return {EXPORT: unlistable(seen)}
        return _attempt(lake, EXPORT, lambda: _silences(look, seen))
    if check is STALE_DAYS and isinstance(seen, Seen):
        return _attempt(lake, _LAKE, lambda: _stale_days(look, seen.listing, instance))
    # runs evaluate `line_balance`, and the weekly job evaluates `audit`
    return {}


def _each_day(look: Look, outcome: Callable[[date], CheckOutcome | None]) -> Outcomes:
    """Return the outcomes of the days that have one."""
    outcomes: dict[str, CheckOutcome] = {}
    for day in look.days:

        def of_day(day: date = day) -> Outcomes:
            found = outcome(day)
            return {} if found is None else {day.isoformat(): found}

        outcomes |= _attempt(look.lake, day.isoformat(), of_day)
    return outcomes


def _attempt(lake: Lake, subject: str, outcomes: Callable[[], Outcomes]) -> Outcomes:
    """Return the outcomes; if they cannot be computed, a failed outcome of the subject that says why."""
    try:
        with user_facing_errors(lake):
            return outcomes()
    except dg.Failure as failure:
        why = f"It could not be evaluated: {failure.description}"
        return {subject: CheckOutcome(passed=False, summary=why, warning=True)}


def _byte_balance(look: Look, table: Table, day: date) -> CheckOutcome | None:
    if isinstance(look.seen, ExportError):
        return None
    listed = [blob for of, blob in look.seen.listing.get(day, []) if of is table]
    return byte_balance_without_run(look.lake, look.export, table, day, listed, look.now)


def _silences(look: Look, seen: Seen) -> Outcomes:
    ended = by_day({day: quiet_or_broken(look.signs, day) for day in look.ended})
    return {**ended, **silences(look.signs, seen.shown, look.now)}


def _stale_days(look: Look, listing: Listing, instance: dg.DagsterInstance) -> Outcomes:
    behind = {day.day: day for day in find_stale_days(look.lake, look.export, look.ended, listing)}
    outcomes = {_LAKE: CheckOutcome(passed=True, summary="The versions of all tables can be read.")}
    for day in look.ended:
        summary = f"{behind[day].describe()}; {_last_run(instance, day)}." if day in behind else f"{day}: up to date."
        outcomes[day.isoformat()] = CheckOutcome(day not in behind, summary.removeprefix(f"{day}: "))
    return outcomes


def _last_run(instance: dg.DagsterInstance, day: date) -> str:
    records = instance.get_run_records(dg.RunsFilter(tags={PARTITION_TAG: day.isoformat()}), limit=1)
    if not records:
        return "never built"
    return f"last run {records[0].dagster_run.status.value.lower()} ({records[0].dagster_run.run_id[:8]})"
