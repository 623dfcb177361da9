"""The job that does a day's work. The sweep, which only looks, stands with its schedule."""

import dagster as dg

INGEST_DAY = dg.define_asset_job(
    "ingest_day",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="Materializes all assets of a day: new bytes to raw, typed tables, quarantine, leads, stories.",
)
