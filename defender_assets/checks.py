"""The asset checks: what each guarantees, and what to do when it fails. The results are computed in `core.quality`.

A failed blocking check means a broken guarantee, so nothing downstream is built in that run. The other checks warn.
Runs evaluate the checks of their days, and the job `check_days` those of recent days (`hourly_checks`). A result
carries the failures of all days: see `check_results`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import dagster as dg

from defender_assets.catalog import BRIEFS, DERIVED, FINDINGS, LEADS, QUEUE, STORIES
from defender_assets.core.errors import is_panic, redact
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import opened_if_current
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.derived_balance import brief_balance, finding_balance, queue_balance, story_balance
from defender_assets.core.schemas import DEVICE_INFO, TABLES

LONGEST_REASON = 500

Outcome = TypeVar("Outcome", bound=CheckOutcome | None)


@dataclass(frozen=True)
class Check:
    """A check of an asset, as the UI describes it."""

    name: str
    blocking: bool
    description: str

    def spec(self, asset: str) -> dg.AssetCheckSpec:
        """Return the specification of this check for an asset."""
        return dg.AssetCheckSpec(self.name, asset=asset, blocking=self.blocking, description=self.description)


def outcome_of(check: Check, evaluate: Callable[[], Outcome], secrets: tuple[str, ...] = ()) -> Outcome | CheckOutcome:
    """Return the outcome of a check. An error in a check that only warns is a failed outcome, and fails no table."""
    try:
        return evaluate()
    except BaseException as error:
        if check.blocking or not (isinstance(error, Exception) or is_panic(error)):
            raise
        reason = redact(str(error), secrets)[:LONGEST_REASON]
        summary = f"The check could not be evaluated ({type(error).__name__}): {reason}."
        return CheckOutcome(passed=False, summary=summary)


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
        "Heartbeats may be as far behind as the tenant is usually silent; alerts have no limit. If it fails: check "
        "whether the sensor's runs fail, then whether the containers hold newer blobs (`defender-assets check`)."
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
        "Whether the export is silent for longer than usual. Where a tenant sent heartbeats in the same hours on each "
        "of the last seven days, two hours without any are a fault. Otherwise a fault is 1.5 times its longest gap of "
        "the last 14 days, and at least two hours. The export must be readable and show each container and tenant that "
        "raw knows. If it fails: check the Streaming API in the Defender portal, and the account's firewall and keys."
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


_NOT_COMPARED = "A partition that is behind its upstreams is not compared. "
_BALANCE_ADVICE = "If it fails: run the job `rebuild_day` for the day. If it fails again, report it as a bug."

STORY_BALANCE = Check(
    "story_balance",
    blocking=False,
    description=(
        "Each lead of a story exists in the leads of the last 7 days and is in no other story; a story has as many "
        f"leads as it says, and at least one of them is of the day. {_NOT_COMPARED}{_BALANCE_ADVICE}"
    ),
)
QUEUE_BALANCE = Check(
    "queue_balance",
    blocking=False,
    description=(
        "The queue has each unmuted lead of the day, and of a story of the day, exactly once, and no other lead. "
        f"{_NOT_COMPARED}{_BALANCE_ADVICE}"
    ),
)
FINDING_BALANCE = Check(
    "finding_balance",
    blocking=False,
    description=(
        "There is exactly one OCSF finding for each lead of the day, muted ones included. "
        f"{_NOT_COMPARED}{_BALANCE_ADVICE}"
    ),
)
BRIEF_BALANCE = Check(
    "brief_balance",
    blocking=False,
    description=(
        "The brief counts the leads of the day that are in the queue, the stories and the quarantined lines of the "
        f"day. {_NOT_COMPARED}{_BALANCE_ADVICE}"
    ),
)
BALANCES: Mapping[str, tuple[Check, Callable[..., CheckOutcome]]] = {
    STORIES.name: (STORY_BALANCE, story_balance),
    QUEUE.name: (QUEUE_BALANCE, queue_balance),
    FINDINGS.name: (FINDING_BALANCE, finding_balance),
    BRIEFS.name: (BRIEF_BALANCE, brief_balance),
}
"""The derived tables that are compared with what they are made of."""


def balance(lake: Lake, table: str, day: date) -> CheckOutcome | None:
    """Return whether a day of a table of BALANCES agrees with its upstreams; None if it has to be built first."""
    derived = next(each for each in DERIVED if each.name == table)
    opened = opened_if_current(lake, derived, day)
    return None if opened is None else BALANCES[table][1](day, opened[0], *opened[1])


STALE_DAYS = Check(
    "stale_days",
    blocking=False,
    description=(
        "Ended days of the look-back that are behind (raw lacks bytes, or a table is older than its upstream), each "
        "with the status of its last run. If it fails: open the day's last run and fix what its error says. The sensor "
        "then requests the day again, or materialize the day yourself."
    ),
)

AUDIT = Check(
    "audit",
    blocking=False,
    description=(
        "Export, raw, typed tables, quarantine and leads of all ended days agree by their contents alone. The job "
        "`audit_lake` evaluates it every week. If it fails: its text names the blob-hours and the job that fixes each; "
        "`defender-assets audit` shows all of them."
    ),
)

CHECKS: tuple[tuple[str, Check], ...] = (
    *((table.raw, BYTE_BALANCE) for table in TABLES),
    *((table.name, check) for table in TABLES for check in (LINE_BALANCE, FRESHNESS, DRIFT)),
    (DEVICE_INFO.name, QUIET_OR_BROKEN),
    (LEADS.name, COMPLETENESS),
    (LEADS.name, STALE_DAYS),
    (LEADS.name, AUDIT),
    *((table, check) for table, (check, _) in BALANCES.items()),
)
"""Each asset with each of its checks."""


def checks_of(asset: str) -> list[Check]:
    """Return the checks of an asset."""
    return [check for name, check in CHECKS if name == asset]
