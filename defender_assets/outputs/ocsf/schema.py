"""The columns of `ocsf_detection_findings`: names, types, meanings, origins."""

import polars as pl

from defender_assets.core.leads.schema import LEAD_COLUMNS, LEADS_TABLE
from defender_assets.core.schemas.column import Column, instant, integer, origins, text

FINDINGS_TABLE = "ocsf_detection_findings"
_NOT_IN_EVENT = {"sources", "first_seen_at", "entities"}


def _from(words: str, column: Column) -> Column:
    return column.made_from(origins(words, lead=LEADS_TABLE))


FINDING_COLUMNS = (
    _from("lead.tenant_id", text("tenant_id", "Entra tenant that the record belongs to, lower case")),
    _from(
        "lead.export_date", Column("export_date", pl.Date(), "Day of arrival (UTC) of the lead's row. The partition")
    ),
    _from(
        "lead.tenant_id lead.lead_id lead.export_date",
        text("event_uid", "Hash of tenant, lead and day: metadata.uid, the same whenever the day is built"),
    ),
    _from("lead.lead_id", text("finding_uid", "The lead's lead_id: finding_info.uid, the same on every day")),
    _from("lead.alert_time", instant("time", "Time of the alert, to the millisecond as OCSF has it")),
    integer("class_uid", "2004, Detection Finding"),
    _from("lead.change", integer("activity_id", "1 Create for a new lead, 2 Update for a changed one")),
    _from("lead.change", integer("type_uid", "class_uid × 100 + activity_id")),
    _from(
        "lead.severity",
        integer("severity_id", "1 Informational, 2 Low, 3 Medium, 4 High, 0 unknown, 99 another word of Microsoft's"),
    ),
    _from("lead.muted_by", integer("status_id", "1 New, 3 Suppressed for a muted lead")),
    _from(
        " ".join(f"lead.{column.name}" for column in LEAD_COLUMNS if column.name not in _NOT_IN_EVENT),
        text("event", "The event as OCSF 1.8.0 JSON, one line. Holds text that an attacker can influence"),
    ),
)
"""Every column of `ocsf_detection_findings`, in order."""

FINDING_SCHEMA = pl.Schema({column.name: column.dtype for column in FINDING_COLUMNS})
