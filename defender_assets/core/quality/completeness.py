"""Completeness across tables: evidence without its info, info without evidence, alerts on devices nobody knows."""

import polars as pl

from defender_assets.core.quality.check_outcome import SAMPLES, CheckOutcome
from defender_assets.core.text import pluralize

# an alert's records of the two tables arrive minutes apart, so a few are always on their way
TOLERATED_SHARE = 0.1
TOLERATED_COUNT = 3


def completeness(leads: pl.DataFrame) -> CheckOutcome:
    """Return how many of a day's leads lack a part, with samples of their alert ids."""
    lacking = {
        "without_info": leads.filter(~pl.col("has_alert_info")),
        "without_evidence": leads.filter(pl.col("evidence_count") == 0),
        "on_unknown_devices": leads.filter(pl.col("device_match") == "unknown"),
    }
    facts: dict[str, object] = {"leads": leads.height}
    for name, rows in lacking.items():
        facts[name] = rows.height
        if rows.height:
            facts[f"{name}_samples"] = rows["alert_id"].sort().head(SAMPLES).to_list()
    tolerated = max(TOLERATED_COUNT, TOLERATED_SHARE * leads.height)
    worst = {name: rows.height for name, rows in lacking.items() if rows.height > tolerated}
    if not worst:
        return CheckOutcome(
            passed=True, summary=f"{pluralize(leads.height, 'lead')}; parts are missing of few.", facts=facts
        )
    told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in worst.items())
    return CheckOutcome(
        passed=False,
        summary=f"Of {pluralize(leads.height, 'lead')}, {told}. Check in the Defender portal (Streaming API) that "
        "AlertInfo, AlertEvidence and DeviceInfo are all ticked, and that their assets ran for the days before.",
        facts=facts,
    )
