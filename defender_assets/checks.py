"""The asset checks: what each promises, and what to do when it fails."""

from collections.abc import Iterable

import dagster as dg

from defender_assets.core.typed import TypedReport

LINE_BALANCE = "line_balance"


def line_balance_spec(table: str) -> dg.AssetCheckSpec:
    """Return the check that every line and every record of a run is accounted for. Blocking: leads are not built."""
    return dg.AssetCheckSpec(
        LINE_BALANCE,
        asset=table,
        blocking=True,
        description=(
            "Lines read = good + quarantined + blank; records inside good lines = new rows + duplicates dropped; the "
            "Delta log counts exactly the new rows more. When it fails a promise is broken: raw holds every byte, so "
            "run the day with `full_refresh: true`, and report it as a bug."
        ),
    )


def line_balance(table: str, reports: Iterable[TypedReport]) -> dg.AssetCheckResult:
    """Return the result of the check over the days of a run."""
    done = list(reports)
    return dg.AssetCheckResult(
        check_name=LINE_BALANCE,
        asset_key=table,
        passed=all(report.balanced for report in done),
        metadata={
            "lines": sum(report.tally.lines for report in done),
            "good": sum(report.tally.good for report in done),
            "quarantined": sum(report.tally.quarantined for report in done),
            "blank": sum(report.tally.blank for report in done),
            "records": sum(report.tally.records for report in done),
            "new_rows": sum(report.rows for report in done),
            "rows_landed": sum(report.landed for report in done),
            "duplicates_dropped": sum(report.duplicates for report in done),
        },
    )
