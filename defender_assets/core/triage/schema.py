"""The columns of `lead_verdicts`: one row per statement of an analyst about a lead. Rows are only ever appended."""

from defender_assets.core.enums import STATES, VERDICTS
from defender_assets.core.schemas.column import column_schema, instant, integer, text

VERDICTS_TABLE = "lead_verdicts"

VERDICT_COLUMNS = (
    text("tenant_id", "Entra tenant of the lead, lower case"),
    text("lead_id", "The lead that the statement is about"),
    text("alert_id", "AlertId of Microsoft"),
    text("state", "State that the lead has from then on", *STATES),
    text("verdict", "What a closed lead was; null in every other state", *VERDICTS),
    text("comment", "What the analyst wrote. Free text"),
    text("assignee", "Who works on the lead from then on; null for nobody"),
    text("author", "Who made the statement: a claim, not proof"),
    instant("stated_at", "When it was made, by the clock of the author's machine; `sequence` decides the order"),
    integer("sequence", "Number of the commit; of a lead the highest one counts. The rows of a command share it"),
    text("lead_version", "`lead_version` of the lead then; a closed lead with another one is open again"),
    text("title", "Title of the alert then. Text that an attacker can influence"),
    text("detection_source", "Detection technology or sensor that found the activity"),
    text("severity", "Severity of the lead then"),
    integer("priority", "Priority of the lead then, 0 to 100"),
    instant("alert_time", "Time of the alert then"),
)
"""Every column of `lead_verdicts`, in order. Those from `lead_version` on outlive the lead."""

VERDICT_SCHEMA = column_schema(VERDICT_COLUMNS)
