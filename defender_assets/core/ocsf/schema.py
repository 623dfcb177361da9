"""The columns of `ocsf_detection_findings`: names, types, meanings. What the event says is told in the rooms beside."""

import polars as pl

from defender_assets.core.tables.schema import PROVENANCE, Column, instant, integer, text

_OWN = {column.name: column for column in PROVENANCE}

FINDING_COLUMNS = (
    _OWN["tenant_id"],
    Column("export_date", pl.Date(), "Day of arrival (UTC) of the lead's row. The partition"),
    text("event_uid", "Hash of tenant, lead and day: metadata.uid, the same whenever the day is built"),
    text("finding_uid", "The lead's lead_id: finding_info.uid, the same on every day"),
    instant("time", "Time of the alert, to the millisecond as OCSF has it"),
    integer("class_uid", "2004, Detection Finding"),
    integer("activity_id", "1 Create for a new lead, 2 Update for a changed one"),
    integer("type_uid", "class_uid × 100 + activity_id"),
    integer("severity_id", "1 Informational, 2 Low, 3 Medium, 4 High, 0 unknown, 99 another word of Microsoft's"),
    integer("status_id", "1 New, 3 Suppressed for a muted lead"),
    text("event", "The event as OCSF 1.8.0 JSON, one line. Holds text that an attacker can influence"),
)
"""Every column of `ocsf_detection_findings`, in order."""

FINDING_SCHEMA = pl.Schema({column.name: column.dtype for column in FINDING_COLUMNS})
