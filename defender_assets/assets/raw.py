"""The raw assets: the bytes of the export's containers, as Microsoft wrote them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg

from defender_assets.assets.runs import AssetEvent, RunConfig, daily_asset, days_of, wants_refresh
from defender_assets.check_results import by_day, evaluations
from defender_assets.checks import BYTE_BALANCE
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.byte_balance import byte_balance
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.raw import ingest
from defender_assets.core.schemas import RAW_COLUMNS, Table
from defender_assets.metadata.reports import raw_metadata
from defender_assets.resources import ExportResource, LakeResource, user_facing_errors


def raw_asset_of(table: Table, days: dg.DailyPartitionsDefinition, storage: Lake) -> dg.AssetsDefinition:
    """Return the asset of a container."""

    @daily_asset(
        table.raw,
        storage,
        RAW_COLUMNS,
        page="tables.md",
        group="export",
        made_by=ingest.ingest,
        kinds={"azure", "deltalake"},
        deps=[table.container],
        partitions_def=days,
        description=(
            f"Every byte of the container {table.container} that arrived on the day, in chunks of whole lines.\n\n"
            "A run lists the day's blobs and reads only the bytes after the last committed one. Bytes and cursor are "
            "written in one commit, so an interrupted run loses nothing and stores nothing twice. A last line without "
            "a newline stays pending. `full_refresh` reads all blobs again that are still in the account."
        ),
    )
    def raw_asset(
        context: dg.AssetExecutionContext, config: RunConfig, export: ExportResource, lake: LakeResource
    ) -> Iterator[AssetEvent]:
        read = ingest.refresh if wants_refresh(context, config) else ingest.ingest
        balances: dict[date, CheckOutcome] = {}
        for day in days_of(context):
            with user_facing_errors(lake):
                report = read(lake, export, table, day)
                balances[day] = byte_balance(
                    lake, table, day, report.listed, report.pending, datetime.now(UTC), report.unreadable
                )
            context.add_asset_metadata(raw_metadata(report), partition_key=day.isoformat())
        yield dg.MaterializeResult()
        yield from evaluations(
            context.instance, table.raw, {BYTE_BALANCE: by_day(balances)}, context.run.run_id, datetime.now(UTC)
        )

    return raw_asset
