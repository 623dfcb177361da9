"""The three raw assets: the bytes of the export's containers, as Microsoft wrote them."""

from datetime import UTC, datetime

import dagster as dg

from defender_assets.assets.runs import OWNERS, RETRIES, RunConfig, days_of, wants_refresh
from defender_assets.checks import BYTE_BALANCE
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.byte_balance import byte_balance
from defender_assets.core.raw import ingest
from defender_assets.core.schemas import RAW_COLUMNS, TABLES, Table
from defender_assets.metadata.reports import raw_metadata
from defender_assets.metadata.specs import spec_metadata, spec_tags
from defender_assets.resources import ExportResource, LakeResource, user_facing_errors


def raw_assets(days: dg.DailyPartitionsDefinition, lake: Lake) -> list[dg.AssetsDefinition]:
    """Return an asset for each container."""
    return [_raw_asset(table, days, lake) for table in TABLES]


def _raw_asset(table: Table, days: dg.DailyPartitionsDefinition, storage: Lake) -> dg.AssetsDefinition:
    @dg.asset(
        name=table.raw,
        group_name="export",
        kinds={"azure", "deltalake"},
        owners=OWNERS,
        partitions_def=days,
        retry_policy=RETRIES,
        check_specs=[BYTE_BALANCE.spec(table.raw)],
        metadata=spec_metadata(storage, table.raw, RAW_COLUMNS, "tables.md"),
        tags=spec_tags("export"),
        description=(
            f"Every byte of the container {table.container} that arrived on the day, in chunks of whole lines.\n\n"
            "A run lists the day's blobs and reads only what lies behind the last committed byte. Bytes and cursor "
            "land in one commit, so an interrupted run loses nothing and reads nothing twice. A last line without its "
            "newline stays pending. With `full_refresh` the blobs that the account still holds are read again."
        ),
    )
    def raw_asset(
        context: dg.AssetExecutionContext, config: RunConfig, export: ExportResource, lake: LakeResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster compares the annotation itself
        take = ingest.refresh if wants_refresh(context, config) else ingest.ingest
        balances = {}
        for day in days_of(context):
            with user_facing_errors(lake):
                report = take(lake, export, table, day)
                balances[day] = byte_balance(lake, table, day, report.listed, report.pending, datetime.now(UTC))
            context.add_asset_metadata(raw_metadata(report), partition_key=day.isoformat())
        return dg.MaterializeResult(check_results=[BYTE_BALANCE.result(table.raw, balances)])

    return raw_asset
