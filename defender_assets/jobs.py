"""The jobs that do a day's work, and the check of all days. The sweep stands in `sweep`, the lake's in `schedules`."""

import dagster as dg

from defender_assets.catalog import LEADS

PARTITION_TAG = "dagster/partition"
FULL_REFRESH_TAG = "full_refresh"

STALE_DAYS = dg.AssetCheckKey(dg.AssetKey(LEADS.name), "stale_days")

# the check of all days is no part of one day's work
_A_DAY = dg.AssetSelection.all() - dg.AssetSelection.checks(STALE_DAYS)

INGEST_DAY = dg.define_asset_job(
    "ingest_day",
    selection=_A_DAY,
    executor_def=dg.in_process_executor,
    description=(
        "Materializes all assets of a day: new bytes to raw, typed tables, quarantine, leads, stories, OCSF events, "
        "the brief."
    ),
)

REFRESH_DAY = dg.define_asset_job(
    "refresh_day",
    selection=_A_DAY,
    executor_def=dg.in_process_executor,
    tags={FULL_REFRESH_TAG: "true"},
    description=(
        "Reads a day again from the account and builds everything anew. Blobs that have vanished from the account stay "
        "as raw holds them. Run it when raw and the account should disagree."
    ),
)

REBUILD_DAY = dg.define_asset_job(
    "rebuild_day",
    selection=dg.AssetSelection.groups("tables", "leads") - dg.AssetSelection.checks(STALE_DAYS),
    executor_def=dg.in_process_executor,
    tags={FULL_REFRESH_TAG: "true"},
    description=(
        "Builds a day's tables, and all that is made of them, anew from raw alone, without touching the account: after "
        "a fix of the reader, and when the export's retention has deleted the blobs."
    ),
)

CHECK_DAYS = dg.define_asset_job(
    "check_days",
    selection=dg.AssetSelection.checks(STALE_DAYS),
    executor_def=dg.in_process_executor,
    description="Looks whether days of the look-back are behind without a run in flight. Hourly, by schedule.",
)

DAY_JOBS = (INGEST_DAY, REFRESH_DAY, REBUILD_DAY)
