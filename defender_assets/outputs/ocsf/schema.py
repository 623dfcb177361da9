"""The columns of `ocsf_detection_findings`: names, types, meanings, origins."""

import polars as pl

from defender_assets.core.leads.schema import LEAD_COLUMNS
from defender_assets.core.leads.schema import column_from_leads as _column
from defender_assets.core.schemas.column import INSTANT, INTEGER, TEXT, column_schema

FINDINGS_TABLE = "ocsf_detection_findings"
_NOT_IN_EVENT = {"sources", "first_seen_at", "entities"}


FINDING_COLUMNS = (
    _column("tenant_id", TEXT, "Entra tenant that the record belongs to, lower case", "tenant_id"),
    _column("export_date", pl.Date(), "Day of arrival (UTC) of the lead's row. The partition", "export_date"),
    _column("event_uid", TEXT, "Hash of tenant, lead and day: metadata.uid, the same whenever the day is built",
            "tenant_id lead_id export_date"),
    _column("finding_uid", TEXT, "The lead's lead_id: finding_info.uid, the same on every day", "lead_id"),
    _column("time", INSTANT, "Time of the alert, to the millisecond as OCSF has it", "alert_time"),
    _column("class_uid", INTEGER, "2004, Detection Finding", ""),
    _column("activity_id", INTEGER, "1 Create for a new lead, 2 Update for a changed one", "change"),
    _column("type_uid", INTEGER, "class_uid × 100 + activity_id", "change"),
    _column("severity_id", INTEGER, "1 Informational, 2 Low, 3 Medium, 4 High, 0 unknown, 99 any other word",
            "severity"),
    _column("status_id", INTEGER, "1 New, 3 Suppressed for a muted lead", "muted_by"),
    _column("event", TEXT, "The event as OCSF 1.8.0 JSON, one line. Holds text that an attacker can influence",
            " ".join(column.name for column in LEAD_COLUMNS if column.name not in _NOT_IN_EVENT)),
)  # fmt: skip
"""Every column of `ocsf_detection_findings`, in order."""

FINDING_SCHEMA = column_schema(FINDING_COLUMNS)
