"""The columns of raw, typed and quarantine tables: names, types, meanings, origins. No I/O."""

from defender_assets.core.schemas.alert_evidence import ALERT_EVIDENCE
from defender_assets.core.schemas.alert_info import ALERT_INFO
from defender_assets.core.schemas.column import INSTANT, PROVENANCE, Column, Origin, Table
from defender_assets.core.schemas.device_info import DEVICE_INFO
from defender_assets.core.schemas.quarantine import QUARANTINE, QUARANTINE_COLUMNS, QUARANTINE_SCHEMA
from defender_assets.core.schemas.raw_chunks import RAW_COLUMNS, RAW_SCHEMA

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
