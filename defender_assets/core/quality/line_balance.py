"""The line balance: every line and every record of a run is accounted for."""

from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.tables.build import TypedReport
from defender_assets.core.text import pluralize


def line_balance(report: TypedReport) -> CheckOutcome:
    """Return whether lines = good + quarantined + blank, and records = new rows + duplicates, in the table as well.

    Rows that a rebuild kept, because raw no longer holds their bytes, are counted.
    """
    tally = report.tally
    facts: dict[str, object] = {
        "lines": tally.lines,
        "good": tally.good,
        "quarantined": tally.quarantined,
        "blank": tally.blank,
        "records": tally.records,
        "new_rows": report.rows,
        "rows_landed": report.landed,
        "duplicates_dropped": report.duplicates,
        "rows_without_bytes_in_raw": report.kept,
    }
    if report.kept_sources:
        facts["without_bytes_in_raw"] = [f"{blob} at byte {offset}" for blob, offset in report.kept_sources[:SAMPLES]]
    summary = "Lines or records are unaccounted for. Raw holds every byte: run `rebuild_day` and report this as a bug."
    if report.balanced:
        counts = f"{tally.good} good, {tally.quarantined} quarantined, {tally.blank} blank"
        summary = f"{pluralize(tally.lines, 'line')}: {counts}."
        if report.kept:
            summary += f" {pluralize(report.kept, 'row')} of this day stay although raw does not hold their bytes."
    return CheckOutcome(report.balanced, summary, facts)
