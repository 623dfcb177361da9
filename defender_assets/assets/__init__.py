"""The Dagster assets: thin wrappers around the functions of `core`. No data logic."""

from datetime import date

import dagster as dg

from defender_assets.assets.leads import derived_asset_of
from defender_assets.assets.raw import raw_asset_of
from defender_assets.assets.tables import quarantine_asset, typed_asset_of
from defender_assets.catalog import derived_tables
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.core.schemas import TABLES
from defender_assets.partitions import daily


def all_assets(start: date, lake: Lake, scoring: ScoringConfig, portal: str) -> list[dg.AssetsDefinition]:
    """Return every asset, upstream assets first."""
    days = daily(start)
    return [
        *(raw_asset_of(table, days, lake) for table in TABLES),
        *(typed_asset_of(table, days, lake) for table in TABLES),
        quarantine_asset(days, lake),
        *(derived_asset_of(derived, days, lake, portal) for derived in derived_tables(scoring, portal)),
    ]
