"""The assets derived from the typed tables: leads, stories, the queue, OCSF events and daily briefs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial

import dagster as dg
import polars as pl

from defender_assets.assets.runs import AssetEvent, RunConfig, daily_asset, days_of, wants_refresh
from defender_assets.catalog import BRIEFS, FINDINGS, LEADS, QUEUE, STORIES
from defender_assets.check_results import by_day, evaluations
from defender_assets.checks import BALANCES, COMPLETENESS, Check, balance, outcome_of
from defender_assets.core.identifiers import PORTAL, portal_url
from defender_assets.core.lake.lake import Lake
from defender_assets.core.pipeline.derived_table import DerivedReport, DerivedTable, build_partition
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.completeness import completeness
from defender_assets.core.queue.build import queue_order
from defender_assets.core.queue.order import story_order
from defender_assets.metadata.reports import (
    PREVIEW_ROWS,
    Metadata,
    brief_metadata,
    derived_metadata,
    leads_metadata,
    queue_metadata,
)
from defender_assets.partitions import look_back
from defender_assets.resources import LakeResource, user_facing_errors

PORTAL_URL = "portal_url"
"""A column of previews, computed where the table does not have it."""


@dataclass(frozen=True)
class AssetPresentation:
    """What the UI shows for a table: `page` is a file in docs/, `preview` the columns of the sample rows in `order`.

    By default the rows with the highest values in the first of these columns come first.

    The catalog shows the start of a description as plain text, so its first paragraph contains no Markdown.
    """

    description: str
    page: str
    preview: tuple[str, ...]
    run_metadata: Callable[[DerivedReport, date], Metadata] = lambda _report, _day: {}
    order: Callable[[pl.DataFrame], pl.DataFrame] | None = None

    def ordered(self, rows: pl.DataFrame, portal: str = PORTAL) -> pl.DataFrame:
        """Return the columns of the preview, in its order; `portal` is the address of Microsoft's portal."""
        ordered = self.order(rows) if self.order else rows.sort(self.preview[0], descending=True, nulls_last=True)
        shown = ordered.head(PREVIEW_ROWS)
        if PORTAL_URL in self.preview and PORTAL_URL not in shown.columns:
            keys = shown.select("tenant_id", "alert_id").iter_rows()
            urls = [portal_url(tenant, alert, portal) if alert else None for tenant, alert in keys]
            shown = shown.with_columns(pl.Series(PORTAL_URL, urls, pl.String))
        return shown.select(self.preview)


PRESENTATIONS = {
    LEADS.name: AssetPresentation(
        "One row per alert that is new or changed on the day, with the state of the device at the time of the alert, "
        "the entities from the evidence, and a risk score with its reasons. lead_queue has the order in which to look "
        "at them.\n\nReads the alerts of the last 30 days and the devices of the last 7 days. The current state of a "
        "lead is its row in the latest partition.",
        "leads.md",
        ("risk_score", "severity", "title", "device_name", "alert_time", "change", "lead_id", PORTAL_URL),
        leads_metadata,
    ),
    STORIES.name: AssetPresentation(
        "Groups of leads in one tenant, across products, that share a user, device, file, address, mail or app "
        "within 72 hours and are unlikely to share it by chance.\n\nReads the leads of the last 7 days. `story_id` "
        "stays with the part that contains the story's first lead.",
        "leads.md",
        ("score", "severity", "title", "first_alert_time", "last_alert_time", "story_id"),
        order=story_order,
    ),
    QUEUE.name: AssetPresentation(
        "The day's leads in the order in which to look at them: each lead with its story, its priority and the reasons."
        "\n\nReads the leads of the last 7 days and the stories of the day. A lead of an earlier day is here again "
        "when its story grew. The current entry of a lead is its row in the latest partition.",
        "leads.md",
        (
            *("priority", "risk_score", "severity", "title", "device_name", "story_score", "story_title", "alert_time"),
            *("lead_id", PORTAL_URL),
        ),
        queue_metadata,
        queue_order,
    ),
    FINDINGS.name: AssetPresentation(
        "The day's leads as OCSF 1.8.0 Detection Findings (class 2004): key columns and the event as JSON.\n\n"
        "`defender-assets ocsf --day D` exports them as NDJSON. A muted lead has the status Suppressed; it is not left "
        "out.",
        "ocsf.md",
        ("severity_id", "finding_uid", "activity_id", "status_id", "time", "event_uid"),
    ),
    BRIEFS.name: AssetPresentation(
        "The day on one page: leads by severity, product and hour, stories as timelines, the leads to look at first "
        "and why, the most affected devices, and the quality of the data.\n\n`defender-assets brief --day D --out "
        "FILE` writes the page. It needs no network and runs no scripts; text from alerts is escaped.",
        "brief.md",
        ("headline", "lead_count", "story_count", "quarantined_lines"),
        brief_metadata,
    ),
}


def derived_asset_of(
    derived: DerivedTable, days: dg.DailyPartitionsDefinition, storage: Lake, portal: str
) -> dg.AssetsDefinition:
    """Return the asset of a derived table; `portal` is the address of Microsoft's portal, for links."""
    shown = PRESENTATIONS[derived.name]

    @daily_asset(
        derived.name,
        storage,
        derived.columns,
        page=shown.page,
        group="leads",
        made_by=derived.build,
        kinds={"polars", "deltalake"},
        deps=[
            dg.AssetDep(upstream.name, partition_mapping=look_back(upstream.days) if upstream.days else None)
            for upstream in derived.upstreams
        ],
        partitions_def=days,
        description=shown.description,
    )
    def derived_asset(context: dg.AssetExecutionContext, config: RunConfig, lake: LakeResource) -> Iterator[AssetEvent]:
        outcomes: dict[Check, dict[date, CheckOutcome]] = {}
        for day in days_of(context):
            with user_facing_errors(lake):
                report = build_partition(lake, derived, day, force=wants_refresh(context, config))
                for check, outcome in _outcomes(lake, derived.name, day, report):
                    outcomes.setdefault(check, {})[day] = outcome
            preview = shown.ordered(report.rows, portal)
            metadata = derived_metadata(report, preview, shown.run_metadata(report, day))
            context.add_asset_metadata(metadata, partition_key=day.isoformat())
        yield dg.MaterializeResult()
        by_check = {check: by_day(of_days) for check, of_days in outcomes.items()}
        yield from evaluations(context.instance, derived.name, by_check, context.run.run_id, datetime.now(UTC))

    return derived_asset


def _outcomes(lake: Lake, table: str, day: date, report: DerivedReport) -> Iterator[tuple[Check, CheckOutcome]]:
    if table == LEADS.name:
        yield COMPLETENESS, outcome_of(COMPLETENESS, partial(completeness, report.rows))
    if table in BALANCES:
        check, _ = BALANCES[table]
        outcome = outcome_of(check, partial(balance, lake, table, day), lake.secrets)
        # None: another run has changed what it is made of
        if outcome is not None:
            yield check, outcome
