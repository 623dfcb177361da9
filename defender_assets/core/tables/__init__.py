"""The three typed tables: columns, types, meanings. No reading, no writing."""

from defender_assets.core.tables.alert_evidence import ALERT_EVIDENCE
from defender_assets.core.tables.alert_info import ALERT_INFO
from defender_assets.core.tables.device_info import DEVICE_INFO
from defender_assets.core.tables.schema import INSTANT, PROVENANCE, Column, Table

TABLES = (ALERT_INFO, ALERT_EVIDENCE, DEVICE_INFO)

__all__ = ["ALERT_EVIDENCE", "ALERT_INFO", "DEVICE_INFO", "INSTANT", "PROVENANCE", "TABLES", "Column", "Table"]
