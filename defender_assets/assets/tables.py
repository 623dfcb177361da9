"""The assets of the typed tables and of their quarantined lines."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cache, partial

import dagster as dg
import polars as pl

from defender_assets.assets.runs import AssetEvent, RunConfig, daily_asset, days_of, wants_refresh
from defender_assets.check_results import by_day, evaluations
from defender_assets.checks import DRIFT, FRESHNESS, LINE_BALANCE, QUIET_OR_BROKEN, Check, outcome_of
from defender_assets.core.lake.damage import naming_damage
from defender_assets.core.lake.data_files import row_count
from defender_assets.core.lake.lake import Lake
from defender_assets.core.quality.check_outcome import CheckOutcome
from defender_assets.core.quality.drift import drift
from defender_assets.core.quality.freshness import freshness
from defender_assets.core.quality.line_balance import line_balance
from defender_assets.core.quality.signs import read_signs
from defender_assets.core.quality.silence import quiet_or_broken
from defender_assets.core.schemas import DEVICE_INFO, QUARANTINE, QUARANTINE_COLUMNS, TABLES, Table
from defender_assets.core.tables.build import TypedReport, build_table_day
from defender_assets.core.tables.daily_summary import summarize_day
from defender_assets.core.tables.parsing.typed_rows import parse_chunk
from defender_assets.metadata.reports import counts_table, table_preview, typed_metadata
from defender_assets.resources import LakeResource, user_facing_errors


def typed_asset_of(table: Table, days: dg.DailyPartitionsDefinition, storage: Lake) -> dg.AssetsDefinition:
    """Return the asset of an advanced hunting table, with its checks."""

    @daily_asset(
        table.name,
        storage,
        table.all_columns,
        page="tables.md",
        group="tables",
        made_by=build_table_day,
        kinds={"polars", "deltalake"},
        deps=[table.raw],
        partitions_def=days,
        description=(
            f"Records of the advanced hunting table {table.hunting_name} that arrived on the day, with Microsoft's "
            "column names. Each record is stored once, however often Azure delivered it, with its blob and byte "
            "offset.\n\nReads only raw batches that are not parsed yet. Lines that are not records go to "
            "`quarantined_records`, values that fit no column go to `unmapped`. `full_refresh` rebuilds the day from "
            "all raw bytes."
        ),
    )
    def typed_asset(context: dg.AssetExecutionContext, config: RunConfig, lake: LakeResource) -> Iterator[AssetEvent]:
        outcomes: dict[Check, dict[date, CheckOutcome]] = {}
        for day in days_of(context):
            with user_facing_errors(lake):
                report = build_table_day(lake, table, day, rebuild=wants_refresh(context, config))
                snapshot = lake.snapshot(table.name, create=True)
                with naming_damage(lake, {table.name: (day, day)}):
                    rows, summary = row_count(snapshot, day), summarize_day(snapshot, table, day)
                for check, outcome in _outcomes(lake, table, day, report).items():
                    outcomes.setdefault(check, {})[day] = outcome
            context.add_asset_metadata(typed_metadata(table, report, rows, summary), partition_key=day.isoformat())
        yield dg.MaterializeResult()
        by_check = {check: by_day(of_days) for check, of_days in outcomes.items()}
        yield from evaluations(context.instance, table.name, by_check, context.run.run_id, datetime.now(UTC))

    return typed_asset


def _outcomes(lake: Lake, table: Table, day: date, report: TypedReport) -> dict[Check, CheckOutcome]:
    now = datetime.now(UTC)
    signs = cache(partial(read_signs, lake, now))
    checks: dict[Check, Callable[[], CheckOutcome]] = {
        LINE_BALANCE: partial(line_balance, report),
        FRESHNESS: partial(freshness, lake, table, day, now, signs),
        DRIFT: partial(drift, lake, table, day),
    }
    # whether the export is silent now is not visible from here: the hourly check looks at the export
    if table is DEVICE_INFO and day < now.date():
        checks[QUIET_OR_BROKEN] = lambda: quiet_or_broken(signs(), day)
    return {check: outcome_of(check, evaluate, lake.secrets) for check, evaluate in checks.items()}


def quarantine_asset(days: dg.DailyPartitionsDefinition, storage: Lake) -> dg.AssetsDefinition:
    """Return the asset that shows the day's quarantined lines, which the typed assets have written."""

    @daily_asset(
        QUARANTINE,
        storage,
        QUARANTINE_COLUMNS,
        page="tables.md",
        group="tables",
        made_by=parse_chunk,
        kinds={"deltalake"},
        deps=[table.name for table in TABLES],
        partitions_def=days,
        description=(
            "Lines that are not records, with their exact bytes, blob, offset and the reason. Nothing is discarded.\n\n"
            "The typed tables write rejected lines here before they commit their own rows. This asset counts and shows "
            "them."
        ),
    )
    def quarantined_records(context: dg.AssetExecutionContext, lake: LakeResource) -> None:
        days = days_of(context)
        with user_facing_errors(lake), naming_damage(lake, {QUARANTINE: (days[0], days[-1])}):
            lines = lake.read(QUARANTINE).filter(pl.col("export_date").is_in(days))
            shown = lines.select("export_date", "table_name", "reason", "detail", "byte_offset", "blob").collect()
        for day in days:
            of_day = shown.filter(pl.col("export_date") == day).drop("export_date")
            metadata = {
                "dagster/partition_row_count": of_day.height,
                "reasons": counts_table("reason", "lines", dict(of_day.group_by("reason").len().iter_rows())),
                "preview": table_preview(of_day),
            }
            context.add_asset_metadata(metadata, partition_key=day.isoformat())

    return quarantined_records
