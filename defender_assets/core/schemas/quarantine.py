"""The table `quarantined_records`: lines that are not records, with their exact bytes and the reason."""

import polars as pl

from defender_assets.core.schemas.alert_evidence import ALERT_EVIDENCE
from defender_assets.core.schemas.alert_info import ALERT_INFO
from defender_assets.core.schemas.column import INSTANT, Column, Origin, column_schema
from defender_assets.core.schemas.device_info import DEVICE_INFO
from defender_assets.core.schemas.raw_chunks import RAW_COLUMNS

QUARANTINE = "quarantined_records"

QUARANTINE_REASONS = {
    "not_json": "the line is not JSON in UTF-8",
    "too_deep": "the line is nested deeper than the parser supports",
    "no_envelope": "the line has no category, tenantId and properties object",
    "foreign_table": "the record's category is that of another table",
    "foreign_tenant": "the record has another tenant than its folder",
    "no_key": "the record has no AlertId or DeviceId",
    "bad_timestamp": "the record has no readable Timestamp",
    "line_too_long": "the line is longer than 16 MiB",
}
"""The closed set of quarantine reasons with their meanings."""

_COLUMNS = (
    Column("tenant_id", pl.String(), "Entra tenant of the line's folder, lower case"),
    Column("export_date", pl.Date(), "Day of arrival (UTC). The partition"),
    Column("table_name", pl.String(), "Typed table that the line was rejected from"),
    Column("blob", pl.String(), "Path of the blob in its container"),
    Column("blob_created_at", INSTANT, "Creation time of the blob: its generation"),
    Column("byte_offset", pl.Int64(), "Offset in the blob of the line's first byte"),
    Column(
        "reason",
        pl.String(),
        f"Why: {'; '.join(f'{code} ({meaning})' for code, meaning in QUARANTINE_REASONS.items())}",
    ),
    Column("detail", pl.String(), "Details of the reason"),
    Column("content", pl.Binary(), "The line as written without its line end; of a line above 16 MiB the first 64 KiB"),
    Column("batch", pl.Int64(), "Raw batch in which the line was quarantined first"),
)

_RAW_NAMES = {column.name for column in RAW_COLUMNS}
_RENAMED = {"byte_offset": "byte_start", "reason": "content", "detail": "content"}


def _with_origins(column: Column) -> Column:
    source = _RENAMED.get(column.name, column.name)
    raw_tables = (ALERT_INFO.raw, ALERT_EVIDENCE.raw, DEVICE_INFO.raw) if source in _RAW_NAMES else ()
    return column.made_from(tuple(Origin(raw, source) for raw in raw_tables))


QUARANTINE_COLUMNS = tuple(_with_origins(column) for column in _COLUMNS)
QUARANTINE_SCHEMA = column_schema(QUARANTINE_COLUMNS)
