"""Leads and stories, what an analyst opens, and the leads as OCSF events for other tools."""

import dagster as dg

from defender_assets.assets.runs import OWNERS, RETRIES, RunConfig, days_of, wants_refresh
from defender_assets.checks import COMPLETENESS
from defender_assets.core.accounting.completeness import completeness
from defender_assets.core.derived import DERIVED, FINDINGS, LEADS, STORIES, Derived, rebuild_day
from defender_assets.core.lake import Lake
from defender_assets.metadata.reports import derived_metadata, leads_metadata
from defender_assets.metadata.specs import spec_metadata, spec_tags
from defender_assets.partitions import look_back
from defender_assets.resources import LakeResource, told_plainly

_PREVIEW = {
    LEADS.name: ("risk_score", "severity", "product", "title", "device_name", "device_match", "alert_time", "change"),
    STORIES.name: ("score", "severity", "products", "title", "first_alert_time", "last_alert_time"),
    FINDINGS.name: ("finding_uid", "severity_id", "activity_id", "status_id", "time", "event_uid"),
}
_PAGE = {LEADS.name: "leads.md", STORIES.name: "leads.md", FINDINGS.name: "ocsf.md"}
_DESCRIPTION = {
    LEADS.name: (
        "One row per alert that was new or changed on the day, with **the device as it was at the alert**, the "
        "entities of its evidence, and a risk score with its reasons.\n\nReads the alerts of 30 days back and the "
        "devices of 7 days back. The current state of a lead is its row in the latest partition."
    ),
    STORIES.name: (
        "Leads of any product, within a tenant, that share a user, device, file, address, mail or app within 24 "
        "hours.\n\nReads the leads of 7 days back. `story_id` stays with the part that holds the story's first lead."
    ),
    FINDINGS.name: (
        "The day's leads as OCSF 1.8.0 Detection Findings (class 2004): key columns and the event's JSON text.\n\n"
        "`defender-assets ocsf --day D` writes them as NDJSON. A muted lead is Suppressed, not left out."
    ),
}


def derived_assets(days: dg.DailyPartitionsDefinition, lake: Lake) -> list[dg.AssetsDefinition]:
    """Return the leads and what is made of them."""
    return [_derived_asset(derived, days, lake) for derived in DERIVED]


def _derived_asset(derived: Derived, days: dg.DailyPartitionsDefinition, storage: Lake) -> dg.AssetsDefinition:
    checks = [COMPLETENESS] if derived is LEADS else []

    @dg.asset(
        name=derived.name,
        group_name="leads",
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        deps=[
            dg.AssetDep(upstream.name, partition_mapping=look_back(upstream.days) if upstream.days else None)
            for upstream in derived.upstreams
        ],
        partitions_def=days,
        retry_policy=RETRIES,
        check_specs=[check.spec(derived.name) for check in checks],
        metadata=spec_metadata(storage, derived.name, derived.columns, _PAGE[derived.name]),
        tags=spec_tags("leads"),
        description=_DESCRIPTION[derived.name],
    )
    def derived_asset(context: dg.AssetExecutionContext, config: RunConfig, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster compares the annotation itself
        found = {}
        for day in days_of(context):
            with told_plainly(lake):
                report = rebuild_day(lake, derived, day, force=wants_refresh(context, config))
            if checks:
                found[day] = completeness(report.rows)
            metadata = derived_metadata(report, _PREVIEW[derived.name])
            if derived is LEADS:
                metadata = {**metadata, **leads_metadata(report)}
            context.add_asset_metadata(metadata, partition_key=day.isoformat())
        return dg.MaterializeResult(check_results=[check.result(derived.name, found) for check in checks])

    return derived_asset
