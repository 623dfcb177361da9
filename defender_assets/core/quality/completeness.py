"""Completeness across tables: leads without AlertInfo, without evidence, or with an unknown device."""

import polars as pl

from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.text import pluralize

# the records of an alert arrive minutes apart in the two tables, so a few are always incomplete
TOLERATED_SHARE = 0.1
TOLERATED_COUNT = 3


def completeness(leads: pl.DataFrame) -> CheckOutcome:
    """Return how many of a day's leads are incomplete, with samples of their alert ids."""
    incomplete = {
        "without_info": leads.filter(~pl.col("has_alert_info")),
        "without_evidence": leads.filter(pl.col("evidence_count") == 0),
        "on_unknown_devices": leads.filter(pl.col("device_match") == "unknown"),
    }
    facts: dict[str, object] = {"leads": leads.height}
    for name, rows in incomplete.items():
        facts[name] = rows.height
        if rows.height:
            facts[f"{name}_samples"] = rows["alert_id"].sort().head(SAMPLES).to_list()
    tolerated = max(TOLERATED_COUNT, TOLERATED_SHARE * leads.height)
    failed = [f"{rows.height} {name.replace('_', ' ')}" for name, rows in incomplete.items() if rows.height > tolerated]
    total = pluralize(leads.height, "lead")
    if not failed:
        return CheckOutcome(passed=True, summary=f"{total}; few or none are incomplete.", facts=facts)
    summary = (
        f"Of {total}: {', '.join(failed)}. Check in the Defender portal (Streaming API) that AlertInfo, AlertEvidence "
        "and DeviceInfo are all selected, and that the assets of these tables ran for the days before."
    )
    return CheckOutcome(passed=False, summary=summary, facts=facts)
