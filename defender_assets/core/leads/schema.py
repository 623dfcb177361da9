"""The columns of `device_enriched_leads`: names, types, meanings. How they are filled is told in the rooms beside."""

import polars as pl

from defender_assets.core.devices.as_of import TAKEN
from defender_assets.core.devices.changed import CHANGES
from defender_assets.core.devices.chosen import DEVICES
from defender_assets.core.entities.links import ENTITY
from defender_assets.core.entities.listed import LISTED
from defender_assets.core.scoring import REASONS
from defender_assets.core.tables.schema import PROVENANCE, Column, flag, instant, integer, text, texts
from defender_assets.core.vocabulary import PRODUCTS

ALERT_LOOKBACK_DAYS = 30
"""Partition D of the leads reads the alert partitions D-30 … D."""

DEVICE_LOOKBACK_DAYS = 7
"""Partition D of the leads reads the device partitions D-7 … D."""

SOURCES = pl.List(pl.Struct({"table": pl.String(), "blob": pl.String(), "byte_offset": pl.Int64()}))

_OWN = {column.name: column for column in PROVENANCE}
_DEVICE = {taken.column.name: taken.column for taken in TAKEN}


def _device(*names: str) -> tuple[Column, ...]:
    return tuple(_DEVICE[name] for name in names)


LEAD_COLUMNS = (
    _OWN["tenant_id"],
    Column("export_date", pl.Date(), "Day of arrival (UTC) on which the alert was new or changed. The partition"),
    text("lead_id", "Hash of tenant and AlertId: the same on every day"),
    text("alert_id", "AlertId of Microsoft"),
    text("change", "new, or updated if an earlier day of the look-back holds a record of the alert"),
    texts(
        "changes", "What changed since the alert's last version, in sentences; empty for a new one. Holds hostile text"
    ),
    text("title", "Title of the alert. Text that an attacker can influence"),
    text("severity", "High, Medium, Low or Informational, as Microsoft wrote it"),
    text("category", "Type of threat indicator or breach activity"),
    text("service_source", "Product that raised the alert, as Microsoft wrote it"),
    text("detection_source", "Detection technology or sensor that identified the activity"),
    text("product", "Product that raised the alert: one name through all of Microsoft's renamings", *PRODUCTS),
    texts("attack_techniques", "MITRE ATT&CK techniques (T1059.001) of all versions of the alert, sorted"),
    instant("alert_time", "Earliest Timestamp of the alert's records"),
    instant("first_seen_at", "When Microsoft wrote the first record of the alert (least exported_at)"),
    instant("last_updated_at", "When Microsoft wrote the last record of the alert (greatest exported_at)"),
    integer("evidence_count", "Number of distinct AlertEvidence records"),
    flag("has_alert_info", "Whether an AlertInfo record has arrived; evidence may come without"),
    text("device_id", "Device of the alert, resolved through merges"),
    text("original_device_id", "Device of the alert as the evidence names it"),
    text("device_match", "as_of, after (the alert), unknown (no heartbeat) or no_device (none in the evidence)"),
    instant("device_seen_at", "Timestamp of the heartbeat that the device columns are of"),
    integer("device_age_seconds", "Alert's time less `device_seen_at`; negative for a heartbeat after the alert"),
    *_device("device_name", "os_platform", "os_version", "os_build", "device_type", "device_category", "machine_group"),
    texts("device_tags", "Tags of the device, set by hand, by rules or through the registry; sorted"),
    *_device(
        "onboarding_status",
        "sensor_health_state",
        "exposure_level",
        "asset_value",
        "is_internet_facing",
        "public_ip",
        "join_type",
        "aad_device_id",
        "logged_on_users",
    ),
    Column(
        "device_changes",
        CHANGES,
        "What of the device is otherwise now, then and now side by side",
    ),
    Column("devices", DEVICES, "All devices of the alert, the primary one first; null unless there are several"),
    *(Column(listed.name, listed.dtype, listed.meaning) for listed in LISTED),
    Column("entities", pl.List(ENTITY), "Normalised entities by which stories tie leads together"),
    text("remediation_state", "Worst of the newest remediation states of the evidence, as Microsoft wrote it"),
    text("verdict", "Worst of the newest verdicts on the evidence, as Microsoft wrote it"),
    integer("risk_score", "Urgency, 0 to 100"),
    Column("risk_reasons", REASONS, "Reasons for the score; their points add up to it"),
    text("muted_by", "Rule of the team that mutes the lead, and its reason; views and stories leave such a lead out"),
    text("portal_url", "Page of the alert in Microsoft's portal"),
    Column("sources", SOURCES, "Where the alert's records stand in the export, sorted"),
)
"""Every column of `device_enriched_leads`, in order."""

LEAD_SCHEMA = pl.Schema({column.name: column.dtype for column in LEAD_COLUMNS})
