"""Leads and stories, what an analyst opens, the brief of a day, and the leads as OCSF events for other tools."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import dagster as dg

from defender_assets.assets.runs import OWNERS, RETRIES, RunConfig, days_of, wants_refresh
from defender_assets.catalog import BRIEFS, FINDINGS, LEADS, STORIES, derived_tables
from defender_assets.checks import COMPLETENESS
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.pipeline.derived_table import DerivedReport, DerivedTable, build_partition
from defender_assets.core.quality.completeness import completeness
from defender_assets.metadata.reports import Metadata, brief_metadata, derived_metadata, leads_metadata
from defender_assets.metadata.specs import spec_metadata, spec_tags
from defender_assets.partitions import look_back
from defender_assets.resources import LakeResource, user_facing_errors


@dataclass(frozen=True)
class AssetPresentation:
    """What the UI shows of a table: its description, the document, the columns of a preview, and what a run adds.

    The catalog shows the beginning of a description as it is written: Markdown stands behind its first paragraph only.
    """

    description: str
    page: str
    preview: tuple[str, ...]
    told: Callable[[DerivedReport, date], Metadata] = lambda _report, _day: {}


PRESENTATIONS = {
    LEADS.name: AssetPresentation(
        "One row per alert that was new or changed on the day, with the device as it was at the alert, the "
        "entities of its evidence, and a risk score with its reasons.\n\nReads the alerts of 30 days back and the "
        "devices of 7 days back. The current state of a lead is its row in the latest partition.",
        "leads.md",
        ("risk_score", "severity", "title", "device_name", "alert_time", "change"),
        leads_metadata,
    ),
    STORIES.name: AssetPresentation(
        "Leads of any product, within a tenant, that hardly share by chance what they share (user, device, file, "
        "address, mail, app) within 24 hours.\n\nReads the leads of 7 days back. `story_id` stays with the part that "
        "holds the story's first lead.",
        "leads.md",
        ("score", "severity", "title", "first_alert_time", "last_alert_time"),
    ),
    FINDINGS.name: AssetPresentation(
        "The day's leads as OCSF 1.8.0 Detection Findings (class 2004): key columns and the event's JSON text.\n\n"
        "`defender-assets ocsf --day D` writes them as NDJSON. A muted lead is Suppressed, not left out.",
        "ocsf.md",
        ("severity_id", "finding_uid", "activity_id", "status_id", "time", "event_uid"),
    ),
    BRIEFS.name: AssetPresentation(
        "The day as one page to read: leads by severity, product and hour, stories as timelines, the leads to look "
        "at first with their reasons, the devices most hit, and how sound the data are.\n\n`defender-assets brief "
        "--day D --out FILE` writes it. The file needs no network and runs nothing; text of the alerts is escaped.",
        "brief.md",
        ("headline", "lead_count", "story_count", "quarantined_lines"),
        brief_metadata,
    ),
}


def derived_assets(days: dg.DailyPartitionsDefinition, lake: Lake, scoring: ScoringConfig) -> list[dg.AssetsDefinition]:
    """Return the leads, as the team judges them, and what is made of them."""
    return [_derived_asset(derived, days, lake) for derived in derived_tables(scoring)]


def _derived_asset(derived: DerivedTable, days: dg.DailyPartitionsDefinition, storage: Lake) -> dg.AssetsDefinition:
    checks = [COMPLETENESS] if derived.name == LEADS.name else []
    face = PRESENTATIONS[derived.name]

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
        metadata=spec_metadata(storage, derived.name, derived.columns, face.page),
        tags=spec_tags("leads"),
        description=face.description,
    )
    def derived_asset(context: dg.AssetExecutionContext, config: RunConfig, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster compares the annotation itself
        found = {}
        for day in days_of(context):
            with user_facing_errors(lake):
                report = build_partition(lake, derived, day, force=wants_refresh(context, config))
            if checks:
                found[day] = completeness(report.rows)
            metadata = derived_metadata(report, face.preview, face.told(report, day))
            context.add_asset_metadata(metadata, partition_key=day.isoformat())
        return dg.MaterializeResult(check_results=[check.result(derived.name, found) for check in checks])

    return derived_asset
