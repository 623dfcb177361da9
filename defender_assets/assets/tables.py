"""The three typed tables and the quarantine of lines that they refused."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl

from defender_assets.assets.runs import OWNERS, RETRIES, RunConfig, days_of, wants_refresh
from defender_assets.checks import DRIFT, FRESHNESS, LINE_BALANCE, QUIET_OR_BROKEN, Check, balance_of_lines
from defender_assets.core.lake.data_files import row_count
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.drift import drift
from defender_assets.core.quality.freshness import freshness, quiet_or_broken
from defender_assets.core.schemas import DEVICE_INFO, QUARANTINE, QUARANTINE_COLUMNS, TABLES, Table
from defender_assets.core.tables.build import TypedReport, build_table_day
from defender_assets.core.tables.daily_summary import summarize_day
from defender_assets.metadata.reports import counts_table, table_preview, typed_metadata
from defender_assets.metadata.specs import spec_metadata, spec_tags
from defender_assets.resources import LakeResource, user_facing_errors


def typed_assets(days: dg.DailyPartitionsDefinition, lake: Lake) -> list[dg.AssetsDefinition]:
    """Return an asset for each advanced-hunting table, with its checks."""
    return [_typed_asset(table, days, lake) for table in TABLES]


def _typed_asset(table: Table, days: dg.DailyPartitionsDefinition, storage: Lake) -> dg.AssetsDefinition:
    @dg.asset(
        name=table.name,
        group_name="tables",
        kinds={"polars", "deltalake"},
        owners=OWNERS,
        deps=[table.raw],
        partitions_def=days,
        retry_policy=RETRIES,
        check_specs=[check.spec(table.name) for check in _checks(table)],
        metadata=spec_metadata(storage, table.name, table.all_columns, "tables.md"),
        tags=spec_tags("tables"),
        description=(
            f"Records of advanced hunting's {table.hunting_name} that arrived on the day, under Microsoft's column "
            "names, each once however often Azure delivered it, with blob and byte offset.\n\n"
            "Only raw batches that were not parsed yet are read. Lines that are no record go to "
            "`quarantined_records`, values that fit no column to `unmapped`. With `full_refresh` the day is built "
            "again from all raw bytes."
        ),
    )
    def typed_asset(context: dg.AssetExecutionContext, config: RunConfig, lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster compares the annotation itself
        found: dict[Check, dict[date, CheckOutcome]] = {check: {} for check in _checks(table)}
        for day in days_of(context):
            with user_facing_errors(lake):
                report = build_table_day(lake, table, day, rebuild=wants_refresh(context, config))
                opening = lake.open(table.name)
                rows, seen = row_count(opening, day), summarize_day(opening, table, day)
                for check, look in _checks(table).items():
                    found[check][day] = look(lake, table, day, report)
            context.add_asset_metadata(typed_metadata(table, report, rows, seen), partition_key=day.isoformat())
        return dg.MaterializeResult(check_results=[check.result(table.name, days) for check, days in found.items()])

    return typed_asset


def _checks(table: Table) -> dict[Check, Callable[[Lake, Table, date, TypedReport], CheckOutcome]]:
    """Return the checks of a typed table and how each is answered."""
    checks: dict[Check, Callable[[Lake, Table, date, TypedReport], CheckOutcome]] = {
        LINE_BALANCE: lambda _lake, _table, _day, report: balance_of_lines(report),
        FRESHNESS: lambda lake, table, day, _: freshness(lake, table, day, datetime.now(UTC)),
        DRIFT: lambda lake, table, day, _: drift(lake, table, day),
    }
    if table is DEVICE_INFO:
        checks[QUIET_OR_BROKEN] = lambda lake, _, day, __: quiet_or_broken(lake, day, datetime.now(UTC))
    return checks


def quarantine_asset(days: dg.DailyPartitionsDefinition, storage: Lake) -> dg.AssetsDefinition:
    """Return the asset that shows the day's quarantined lines; the typed assets put them there."""

    @dg.asset(
        name=QUARANTINE,
        group_name="tables",
        kinds={"deltalake"},
        owners=OWNERS,
        deps=[table.name for table in TABLES],
        partitions_def=days,
        retry_policy=RETRIES,
        metadata=spec_metadata(storage, QUARANTINE, QUARANTINE_COLUMNS, "tables.md"),
        tags=spec_tags("tables"),
        description=(
            "Lines that are no record, with their exact bytes, blob, offset and a reason: nothing is thrown away.\n\n"
            "The typed tables put a line here in the moment they refuse it, before their own rows are committed; "
            "this asset counts and shows them."
        ),
    )
    def quarantined_records(context: dg.AssetExecutionContext, lake: LakeResource) -> None:
        with user_facing_errors(lake):
            lines = lake.read(QUARANTINE).filter(pl.col("export_date").is_in(days_of(context)))
            shown = lines.select("export_date", "table_name", "reason", "detail", "byte_offset", "blob").collect()
        for day in days_of(context):
            of_day = shown.filter(pl.col("export_date") == day).drop("export_date")
            reasons = dict(of_day.group_by("reason").len().iter_rows())
            metadata = {
                "dagster/partition_row_count": of_day.height,
                "reasons": counts_table("reason", "lines", reasons),
                "preview": table_preview(of_day),
            }
            context.add_asset_metadata(metadata, partition_key=day.isoformat())

    return quarantined_records
