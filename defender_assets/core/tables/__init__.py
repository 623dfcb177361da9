"""The columns of raw, typed and quarantine tables: names, types, meanings, origins. No reading, no writing."""

from defender_assets.core.tables.alert_evidence import ALERT_EVIDENCE
from defender_assets.core.tables.alert_info import ALERT_INFO
from defender_assets.core.tables.device_info import DEVICE_INFO
from defender_assets.core.tables.quarantine import QUARANTINE, QUARANTINE_COLUMNS, QUARANTINE_SCHEMA
from defender_assets.core.tables.raw_chunks import RAW_COLUMNS, RAW_SCHEMA
from defender_assets.core.tables.schema import INSTANT, PROVENANCE, Column, Origin, Table

TABLES = (ALERT_INFO, ALERT_EVIDENCE, DEVICE_INFO)

__all__ = [
    "ALERT_EVIDENCE",
    "ALERT_INFO",
    "DEVICE_INFO",
    "INSTANT",
    "PROVENANCE",
    "QUARANTINE",
    "QUARANTINE_COLUMNS",
    "QUARANTINE_SCHEMA",
    "RAW_COLUMNS",
    "RAW_SCHEMA",
    "TABLES",
    "Column",
    "Origin",
    "Table",
]
