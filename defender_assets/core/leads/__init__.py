"""The leads: one row per alert that was new or changed on a day, with the device as of the alert. No I/O."""

from defender_assets.core.leads.build import build_leads, update_leads
from defender_assets.core.leads.schema import ALERT_LOOKBACK_DAYS, DEVICE_LOOKBACK_DAYS, LEAD_COLUMNS, LEAD_SCHEMA

__all__ = ["ALERT_LOOKBACK_DAYS", "DEVICE_LOOKBACK_DAYS", "LEAD_COLUMNS", "LEAD_SCHEMA", "build_leads", "update_leads"]
