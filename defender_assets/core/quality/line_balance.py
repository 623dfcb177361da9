"""The line balance: every line and every record of a run is accounted for."""

from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.tables.build import TypedReport
from defender_assets.core.text import pluralize


def line_balance(report: TypedReport) -> CheckOutcome:
    """Return whether lines = good + quarantined + blank, and records = new rows + duplicates, in the table as well."""
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
    summary = "Lines or records are unaccounted for. Raw holds every byte: run `rebuild_day` and report this as a bug."
    if report.balanced:
        counts = f"{tally.good} good, {tally.quarantined} quarantined, {tally.blank} blank"
        summary = f"{pluralize(tally.lines, 'line')}: {counts}."
    return CheckOutcome(report.balanced, summary, facts)
