"""AlertInfo: one row per version of an alert (source facts, section 3)."""

from defender_assets.core.enums import CATEGORIES, DETECTION_SOURCES, SEVERITIES
from defender_assets.core.schemas.column import SERVICE_SOURCES, Table, instant, text, texts

ALERT_INFO = Table(
    name="microsoft_365_defender_alert_info",
    raw="raw_alert_info",
    hunting_name="AlertInfo",
    key="AlertId",
    columns=(
        instant("Timestamp", "Event time of this version of the alert"),
        text("AlertId", "Identifier of the alert; its prefix names the product"),
        text("Title", "Title of the alert. Text that an attacker can influence"),
        text("Category", "Type of threat indicator or breach activity", *CATEGORIES),
        text("Severity", "High, Medium, Low or Informational: potential impact of the activity", *SEVERITIES),
        text("ServiceSource", "Product that raised the alert", *SERVICE_SOURCES),
        text("DetectionSource", "Detection technology or sensor that identified the activity", *DETECTION_SOURCES),
        texts("AttackTechniques", "MITRE ATT&CK techniques, as `Name (T1059.001)`"),
        text("MachineGroup", "Device group; null in practice, `mdatp_device_info` has it"),
    ),
)
