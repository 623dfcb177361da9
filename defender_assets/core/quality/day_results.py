"""The newest results of a check by subject: a day, or a part of the export. No I/O.

Dagster shows one result of a check, the newest. So each result carries what is known of the other subjects: a failure
stays until its own subject is evaluated again, whatever is evaluated in between.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.retries import MAX_CLOCK_SKEW

SUMMARIES = 20
"""Failures whose summaries are kept; of more, only the subjects are."""

LONGEST_SUMMARY = 400
SHOWN_FOR = timedelta(days=7)
"""A warning makes its check fail for so long after its subject was evaluated; it stays listed."""

LISTED_FOR = timedelta(days=30)


@dataclass(frozen=True)
class SubjectResult:
    """The newest result of a check for a subject, and the run that evaluated it.

    `warning`: a failure that breaks no guarantee. It does not stay for ever.
    `silence`: a failure that follows from a silence of the export.
    """

    passed: bool
    evaluated_at: datetime
    summary: str = ""
    run_id: str = ""
    warning: bool = False
    silence: bool = False

    def order(self, now: datetime) -> tuple[bool, datetime, bool, str, str]:
        """Return what decides which of two results is newer; of two at the same moment, the failed one counts.

        A result from a clock that was ahead is older than every other one, or it would hide them until its time comes.
        """
        trusted = self.evaluated_at - now < MAX_CLOCK_SKEW
        return trusted, self.evaluated_at, not self.passed, self.run_id, self.summary


Results = Mapping[str, SubjectResult]
"""Results by subject. A day is written as YYYY-MM-DD."""


def results_of(outcomes: Mapping[str, CheckOutcome], evaluated_at: datetime, run_id: str, *, blocking: bool) -> Results:
    """Return the outcomes of a run as results. A failure of a check that does not block is a warning."""
    return {
        subject: SubjectResult(
            outcome.passed,
            evaluated_at,
            outcome.summary[:LONGEST_SUMMARY],
            run_id,
            warning=not outcome.passed and (outcome.warning or not blocking),
            silence=not outcome.passed and outcome.silence,
        )
        for subject, outcome in outcomes.items()
    }


def newest(history: Iterable[Results], now: datetime) -> Results:
    """Return the newest result of each subject, whatever the order of the history."""
    found: dict[str, SubjectResult] = {}
    for results in history:
        for subject, result in results.items():
            if subject not in found or found[subject].order(now) < result.order(now):
                found[subject] = result
    return found


def carried_on(history: Sequence[Results], own: Results, now: datetime) -> Results:
    """Return what a new result of the check says: its own subjects, and what the history says of others.

    A success is dropped when nothing in the history contradicts it. It is kept while the history holds an older failure
    of its subject, because two runs at once may each have missed the other's result.
    A failure is kept until its subject is evaluated again; a warning at most for LISTED_FOR.
    """
    all_results = [*history, own]
    failed = {subject for results in all_results for subject, result in results.items() if not result.passed}
    kept = {
        subject: result
        for subject, result in newest(all_results, now).items()
        if subject in own or (subject in failed and _is_listed(result, now))
    }
    return _shortened(kept)


def _is_listed(result: SubjectResult, now: datetime) -> bool:
    return (not result.passed and not result.warning) or now - result.evaluated_at < LISTED_FOR


def _shortened(results: Results) -> Results:
    """Return the results with the summaries of the newest failures only, so that an event stays small."""
    failures = sorted((subject for subject, result in results.items() if not result.passed), reverse=True)
    short = set(failures[SUMMARIES:])
    return {
        subject: replace(result, summary="") if subject in short or result.passed else result
        for subject, result in results.items()
    }


def failing(results: Results, now: datetime) -> Results:
    """Return the failures that make the check fail, by subject: broken guarantees, and the warnings of SHOWN_FOR."""
    return {
        subject: result
        for subject, result in sorted(results.items())
        if not result.passed and (not result.warning or now - result.evaluated_at < SHOWN_FOR)
    }
