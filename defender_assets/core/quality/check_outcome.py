"""The result of a check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deltalake.exceptions import DeltaError
from polars.exceptions import PanicException, PolarsError

from defender_assets.core.errors import DefenderAssetsError, redact
from defender_assets.core.lake.lake import Lake

SAMPLES = 10
"""Examples listed in a result."""
_LONGEST_REASON = 500


@dataclass(frozen=True)
class CheckOutcome:
    """The result of one check of one day. `facts` are JSON values; text in them may come from an attacker.

    `warning`: a failure that does not stop the run, even if the check blocks.
    """

    passed: bool
    summary: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    warning: bool = False


def outcome_or_failure(lake: Lake, evaluate: Callable[[], CheckOutcome]) -> CheckOutcome:
    """Return the outcome of a check that only warns. If it cannot be computed, that is its failure, not the run's."""
    try:
        return evaluate()
    except (DefenderAssetsError, DeltaError, PolarsError, PanicException, OSError) as error:
        secrets = lake.account.secrets if lake.account else ()
        why = redact(str(error), secrets)[:_LONGEST_REASON]
        summary = f"The check could not be evaluated, because a table that it reads cannot be read: {why}"
        return CheckOutcome(passed=False, summary=summary, facts={"error": type(error).__name__})
