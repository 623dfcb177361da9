"""Check results in Dagster: what a run or the hourly job says of its days, joined with what is known of the others.

Dagster shows the newest result of a check, whatever day it is about. Therefore each result carries the newest results
of the other days (`core.quality.day_results`), read from Dagster's own history of the check. No state of ours is
needed: what is lost with Dagster's database is evaluated again within the hour, apart from `line_balance`.

The assets have no check specs. They yield evaluations instead: a spec makes each run plan a result before it starts,
and a planned result hides the newest real one, for ever if the run fails or if Dagster files the plan under the day.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import dagster as dg

from defender_assets.checks import Check, checks_of
from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.quality.day_results import Results, SubjectResult, carried_on, failing, newest, results_of
from defender_assets.core.text import escape_control_chars, pluralize

HISTORY = 20
"""Results that are read. Of two runs at the same time each may miss the other's; the next result joins them."""

RESULTS = "results"
Outcomes = Mapping[str, CheckOutcome]
"""Outcomes of a check by subject."""


def by_day(outcomes: Mapping[date, CheckOutcome]) -> Outcomes:
    """Return outcomes by day with their days as subjects."""
    return {day.isoformat(): outcome for day, outcome in outcomes.items()}


def known_results(instance: dg.DagsterInstance, asset: str, check: Check) -> list[Results]:
    """Return the last results of a check of an asset, the newest first."""
    key = dg.AssetCheckKey(dg.AssetKey(asset), check.name)
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=HISTORY)
    found = [record.evaluation for record in records]
    # a planned result has another type, whatever the annotation says
    return [_stored(evaluation.metadata) for evaluation in found if isinstance(evaluation, dg.AssetCheckEvaluation)]


def current_failures(instance: dg.DagsterInstance, asset: str, check: Check, now: datetime) -> tuple[Results, Results]:
    """Return the newest results of a check by subject, and those that make it fail."""
    results = newest(known_results(instance, asset, check), now)
    return results, failing(results, now)


def evaluations(
    instance: dg.DagsterInstance,
    asset: str,
    outcomes: Mapping[Check, Outcomes],
    run_id: str,
    now: datetime,
    *,
    only: Collection[Check] | None = None,
    stops_run: bool = True,
) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield a result of each check of an asset: of the outcomes, and of what is known of other subjects.

    A check that was never evaluated and has no outcome yields nothing.

    The history of `instance` is read; `asset` was materialized or examined. `outcomes` are those of the run `run_id`,
    evaluated at `now` (UTC). `only` are the checks to yield results of, by default all of the asset. With `stops_run`,
    a failed outcome of a blocking check stops this run.
    """
    for check in checks_of(asset) if only is None else only:
        own = outcomes.get(check, {})
        history = known_results(instance, asset, check)
        mine = results_of(own, now, run_id, blocking=check.blocking)
        results = carried_on(history, mine, now)
        if results:
            red = failing(results, now)
            only_warns = all(result.warning for result in red.values()) if red else not check.blocking
            broken = any(not result.passed and not result.warning for result in mine.values())
            yield dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(asset),
                check_name=check.name,
                passed=not red,
                severity=dg.AssetCheckSeverity.WARN if only_warns else dg.AssetCheckSeverity.ERROR,
                description=_description(own, red),
                metadata={**_facts(own), **_shown(results)},
                # a broken guarantee of another day stops only the runs of that day
                blocking=check.blocking and stops_run and (broken or not red),
            )


def _description(own: Outcomes, red: Results) -> str:
    shown = [f"{subject}: {result.summary}" for subject, result in list(red.items())[-SAMPLES:] if result.summary]
    if len(red) > len(shown):
        shown.append(f"{pluralize(len(red), 'result')} failed in all; the table lists them.")
    return " ".join(shown or [f"{subject}: {outcome.summary}" for subject, outcome in list(own.items())[:SAMPLES]])


def _facts(own: Outcomes) -> dict[str, dg.MetadataValue]:
    if len(own) == 1:
        # one value per key, so that Dagster plots numbers over time
        (outcome,) = own.values()
        return {name: _metadata_value(value) for name, value in outcome.facts.items()}
    failed_first = sorted(own.items(), key=lambda entry: entry[1].passed)
    with_facts = [(subject, outcome.facts) for subject, outcome in failed_first if outcome.facts]
    return {subject: dg.MetadataValue.json(dict(facts)) for subject, facts in with_facts[:SAMPLES]}


def _metadata_value(value: Any) -> dg.MetadataValue:
    return dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.json(value)


_COLUMNS = ("subject", "result", "evaluated_at", "summary", "run_id")
_FAILED, _WARNING, _SILENCE, _PASSED = "failed", "warning", "warning, because of a silence", "passed"


def _shown(results: Results) -> dict[str, dg.MetadataValue]:
    """Return the results as the table that the UI shows and `known_results` reads; the failed ones come first."""
    ordered = sorted(results.items(), key=lambda entry: (entry[1].passed, entry[0]))
    records = [
        dg.TableRecord(
            {
                "subject": subject,
                "result": _word(result),
                "evaluated_at": result.evaluated_at.isoformat(),
                "summary": escape_control_chars(result.summary),
                "run_id": result.run_id,
            }
        )
        for subject, result in ordered
    ]
    schema = dg.TableSchema([dg.TableColumn(name, "string") for name in _COLUMNS])
    return {RESULTS: dg.MetadataValue.table(records, schema)}


def _word(result: SubjectResult) -> str:
    if result.passed:
        return _PASSED
    if result.silence:
        return _SILENCE
    return _WARNING if result.warning else _FAILED


def _stored(metadata: Mapping[str, dg.MetadataValue]) -> Results:
    """Return the results in the metadata of a result of a check; none in one of an older version."""
    table = metadata.get(RESULTS)
    records: Iterable[dg.TableRecord] = table.records if isinstance(table, dg.TableMetadataValue) else ()
    return {
        str(record.data["subject"]): SubjectResult(
            record.data["result"] == _PASSED,
            datetime.fromisoformat(str(record.data["evaluated_at"])),
            str(record.data["summary"]),
            str(record.data["run_id"]),
            warning=record.data["result"] in {_WARNING, _SILENCE},
            silence=record.data["result"] == _SILENCE,
        )
        for record in records
    }
