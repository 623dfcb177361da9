"""The assets, thin: each reads like a sentence. What happens inside stands in `core`."""

from datetime import date

import dagster as dg

from defender_assets.assets.leads import derived_assets
from defender_assets.assets.raw import raw_assets
from defender_assets.assets.tables import quarantine_asset, typed_assets
from defender_assets.core.lake.lake import Lake
from defender_assets.core.leads.risk import ScoringConfig
from defender_assets.partitions import daily


def all_assets(start: date, lake: Lake, scoring: ScoringConfig) -> list[dg.AssetsDefinition]:
    """Return every asset, in the order of the data's way."""
    days = daily(start)
    return [
        *raw_assets(days, lake),
        *typed_assets(days, lake),
        quarantine_asset(days, lake),
        *derived_assets(days, lake, scoring),
    ]
