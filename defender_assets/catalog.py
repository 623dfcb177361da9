"""Every table of the lake, once, in the order of the data flow: columns, partitions, fences, compaction, upstreams."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import msgspec

from defender_assets.core.identifiers import PORTAL
from defender_assets.core.lake.table_spec import BUILT_VERSION, Compaction, TableSpec, Upstream
from defender_assets.core.leads import (
    ALERT_LOOKBACK_DAYS,
    DEVICE_LOOKBACK_DAYS,
    LEAD_COLUMNS,
    build_leads,
    update_leads,
)
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.leads.schema import LEADS_TABLE
from defender_assets.core.pipeline.derived_table import DerivedTable
from defender_assets.core.queue.build import build_queue
from defender_assets.core.queue.schema import QUEUE_COLUMNS, QUEUE_LOOKBACK_DAYS, QUEUE_TABLE
from defender_assets.core.schemas import (
    ALERT_EVIDENCE,
    ALERT_INFO,
    DEVICE_INFO,
    QUARANTINE,
    QUARANTINE_COLUMNS,
    RAW_COLUMNS,
    TABLES,
)
from defender_assets.core.stories import STORY_COLUMNS, STORY_LOOKBACK_DAYS, build_stories, update_stories
from defender_assets.core.stories.schema import STORIES_TABLE
from defender_assets.core.text import MEBIBYTE
from defender_assets.core.triage.precision import QUALITY_COLUMNS, QUALITY_TABLE
from defender_assets.core.triage.schema import VERDICT_COLUMNS, VERDICTS_TABLE
from defender_assets.outputs.brief.build import build_briefs
from defender_assets.outputs.brief.schema import BRIEF_COLUMNS, BRIEF_LOOKBACK_DAYS, BRIEFS_TABLE
from defender_assets.outputs.notifications.schema import NOTICE_COLUMNS, SENT_NOTICES
from defender_assets.outputs.ocsf.build import build_findings, update_findings
from defender_assets.outputs.ocsf.schema import FINDING_COLUMNS, FINDINGS_TABLE

RAW = tuple(
    TableSpec(
        table.raw,
        RAW_COLUMNS,
        # one blob per file, so that its statistics give the cursor
        partition_by=("export_date", "tenant_id", "hour"),
        large_values="content",
        compaction=Compaction(("byte_start",), at_once=64 * MEBIBYTE, whole_hours=True),
    )
    for table in TABLES
)
QUARANTINED = TableSpec(
    QUARANTINE,
    QUARANTINE_COLUMNS,
    large_values="content",
    # lines of the three typed tables share a day
    fence_column="table_name",
    compaction=Compaction(("blob", "byte_offset", "blob_created_at"), at_once=10_000),
)
TYPED = tuple(
    TableSpec(
        table.name,
        table.all_columns,
        distinct_values=tuple(
            name for name in ("Timestamp", "ReportId", "byte_offset", "record_id") if name in table.schema
        ),
        compaction=Compaction((table.key, "Timestamp", "record_id")),
    )
    for table in TABLES
)
LEADS = DerivedTable(
    LEADS_TABLE,
    (*LEAD_COLUMNS, BUILT_VERSION),
    upstreams=(
        Upstream(ALERT_INFO.name, ALERT_LOOKBACK_DAYS),
        Upstream(ALERT_EVIDENCE.name, ALERT_LOOKBACK_DAYS),
        Upstream(DEVICE_INFO.name, DEVICE_LOOKBACK_DAYS),
    ),
    build=build_leads,
    update=update_leads,
)
STORIES = DerivedTable(
    STORIES_TABLE,
    (*STORY_COLUMNS, BUILT_VERSION),
    upstreams=(Upstream(LEADS_TABLE, STORY_LOOKBACK_DAYS),),
    build=build_stories,
    update=update_stories,
)
QUEUE = DerivedTable(
    QUEUE_TABLE,
    (*QUEUE_COLUMNS, BUILT_VERSION),
    upstreams=(Upstream(LEADS_TABLE, QUEUE_LOOKBACK_DAYS), Upstream(STORIES_TABLE, 0)),
    build=build_queue,
)
FINDINGS = DerivedTable(
    FINDINGS_TABLE,
    (*FINDING_COLUMNS, BUILT_VERSION),
    upstreams=(Upstream(LEADS_TABLE, 0),),
    build=build_findings,
    update=update_findings,
    made_with=f"msgspec {msgspec.__version__}",
)
BRIEFS = DerivedTable(
    BRIEFS_TABLE,
    (*BRIEF_COLUMNS, BUILT_VERSION),
    upstreams=(
        Upstream(LEADS_TABLE, BRIEF_LOOKBACK_DAYS),
        Upstream(STORIES_TABLE, 0),
        Upstream(QUEUE_TABLE, 0),
        Upstream(DEVICE_INFO.name, BRIEF_LOOKBACK_DAYS),
        # The typed tables commit its lines before their own rows, under their own fences. It is opened after the leads,
        # so it has all lines of the versions that the leads were built from.
        Upstream(QUARANTINE, 0),
    ),
    large_values="html",
    build=build_briefs,
)
NOTICES = TableSpec(
    SENT_NOTICES,
    NOTICE_COLUMNS,
    # the notification sensor reads two months of it at each tick
    compaction=Compaction(("entry",), more_than=4),
    daily=False,
)
VERDICTS = TableSpec(
    VERDICTS_TABLE,
    VERDICT_COLUMNS,
    partition_by=(),
    # every view reads all of it, and each command adds a file
    compaction=Compaction(("sequence",), more_than=20),
    daily=False,
)
# replaced as a whole
QUALITY = TableSpec(QUALITY_TABLE, QUALITY_COLUMNS, partition_by=(), daily=False)

DERIVED = (LEADS, STORIES, QUEUE, FINDINGS, BRIEFS)
"""Tables that are derived from others, each after its upstreams."""

LAKE_TABLES: tuple[TableSpec, ...] = (*RAW, QUARANTINED, *TYPED, *DERIVED, NOTICES, VERDICTS, QUALITY)
"""Every table of the lake. A reader that opens them in this order sees no table ahead of its upstream."""

DAILY = tuple(table.name for table in LAKE_TABLES if table.daily)
"""Names of the tables that the daily run updates."""

SPECS: Mapping[str, TableSpec] = {table.name: table for table in LAKE_TABLES}


def derived_tables(scoring: ScoringConfig, portal: str = PORTAL) -> tuple[DerivedTable, ...]:
    """Return DERIVED, with the leads scored and muted by this configuration, and links to this portal of Microsoft."""
    leads = replace(
        LEADS,
        build=partial(build_leads, scoring=scoring, portal=portal),
        update=partial(update_leads, scoring=scoring, portal=portal),
        made_with=f"{scoring.version} {portal}",
    )
    return (leads, *DERIVED[1:])
