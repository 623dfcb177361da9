"""The columns of `device_enriched_leads`: names, types, meanings, origins."""

import re

import polars as pl

from defender_assets.core.enums import PRODUCTS
from defender_assets.core.leads.devices.as_of import DEVICE_COLUMNS
from defender_assets.core.leads.devices.primary import DEVICES, MATCHED_BY
from defender_assets.core.leads.devices.state_changes import CHANGES
from defender_assets.core.leads.entities.correlation_keys import ENTITY
from defender_assets.core.leads.entities.lists import ENTITY_LISTS, EntityList
from defender_assets.core.leads.risk.points import REASONS
from defender_assets.core.leads.versions import VERSIONED
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO
from defender_assets.core.schemas.column import INSTANT, INTEGER, TEXT, TEXTS, Column, Origin, column_schema, origins

LEADS_TABLE = "device_enriched_leads"

ALERT_LOOKBACK_DAYS = 30
"""Partition D of the leads reads the alert partitions D-30 … D."""

DEVICE_LOOKBACK_DAYS = 7
"""Partition D of the leads reads the device partitions D-7 … D."""

SOURCES = pl.List(pl.Struct({"table": pl.String(), "blob": pl.String(), "byte_offset": pl.Int64()}))

# Upstream columns that several columns are made from; `_origins` resolves the names.
_FIELDS = "evidence.AdditionalFields"
_ACCOUNT = " ".join(f"evidence.Account{part}" for part in ("ObjectId", "Upn", "Sid", "Domain", "Name"))
_FILE = "evidence.FileName evidence.FolderPath evidence.SHA1 evidence.SHA256"
_MAIL = "evidence.NetworkMessageId evidence.EmailSubject"
_CLOUD = (
    "evidence.CloudResource evidence.CloudPlatform evidence.ResourceType evidence.ResourceID evidence.SubscriptionId"
)
_APP = "evidence.Application evidence.ApplicationId evidence.OAuthApplicationId"
_ENTITY = f"evidence.EntityType evidence.EvidenceRole {_FIELDS}"
_DEVICE = f"evidence.EntityType evidence.DeviceId evidence.DeviceName {_FIELDS}"
_MERGED_DEVICE = (
    f"{_DEVICE} device.DeviceId device.MergedDeviceIds device.MergedToDeviceId device.DeviceName "
    "device.OnboardingStatus"
)
_TAGS = "device.DeviceManualTags device.DeviceDynamicTags device.RegistryDeviceTag"
_RATING = "device.ExposureLevel device.AssetValue device.IsInternetFacing device.SensorHealthState"
_CATEGORY = "info.Category evidence.Categories"

_DEVICE_COLUMNS = {taken.column.name: taken for taken in DEVICE_COLUMNS}
_ALSO_FROM = {
    "device_name": f"evidence.DeviceName {_FIELDS}",
    "os_platform": _FIELDS,
    "machine_group": "alert.MachineGroup",
}
_LIST_ORIGINS = {
    "accounts": _ACCOUNT,
    "files": f"{_FILE} evidence.FileSize evidence.ThreatFamily",
    "processes": f"{_FILE} evidence.ProcessCommandLine",
    "ip_addresses": "evidence.RemoteIP evidence.LocalIP",
    "urls": "evidence.RemoteUrl",
    "mails": _MAIL,
    "mailboxes": "evidence.AccountUpn",
    "registry": "evidence.RegistryKey evidence.RegistryValueName evidence.RegistryValueData",
    "cloud_resources": _CLOUD,
    "applications": _APP,
    "logon_sessions": _ACCOUNT,
    "hashes": _FILE,
    "other_entities": "evidence.ThreatFamily",
}
_LINKED = (
    f"{_ENTITY} {_ACCOUNT} {_FILE} {_MAIL} {_CLOUD} {_APP} evidence.RemoteIP evidence.LocalIP evidence.RemoteUrl "
    f"evidence.RegistryKey evidence.ThreatFamily {_MERGED_DEVICE} device.PublicIP"
)
_COMPARED = (
    f"{_MERGED_DEVICE} device.Timestamp device.DeviceName device.OSVersion device.MachineGroup "
    f"device.OnboardingStatus {_RATING} device.JoinType {_TAGS}"
)
_SCORED = (
    f"alert.Severity alert.AttackTechniques alert.Title {_CATEGORY} {_DEVICE} {_RATING} {_TAGS} {_ACCOUNT} "
    "evidence.record_id evidence.SHA1 evidence.SHA256 evidence.NetworkMessageId evidence.RemoteUrl evidence.RemoteIP "
    "evidence.OAuthApplicationId"
)
_MUTED = (
    f"alert.tenant_id alert.Title alert.Severity alert.ServiceSource alert.DetectionSource alert.AttackTechniques "
    f"{_CATEGORY} {_MERGED_DEVICE} device.DeviceName {_TAGS} {_ACCOUNT} {_FILE} evidence.RemoteIP"
)

_VERSIONED = f"alert.Title alert.Severity alert.AttackTechniques {_CATEGORY} " + " ".join(
    f"evidence.{name}" for name in VERSIONED
)


def _origins(names: str) -> tuple[Origin, ...]:
    """Return the columns of the typed tables `info`, `evidence` and `device`; `alert` is both `info` and `evidence`."""
    names = re.sub(r"alert\.(\w+)", r"info.\1 evidence.\1", names)
    return origins(names, info=ALERT_INFO.name, evidence=ALERT_EVIDENCE.name, device=DEVICE_INFO.name)


def _column(name: str, dtype: pl.DataType, meaning: str, made_from: str) -> Column:
    return Column(name, dtype, meaning, origins=_origins(made_from))


def _device(*names: str) -> list[Column]:
    columns = [(_DEVICE_COLUMNS[name].column, _DEVICE_COLUMNS[name].source.meta.output_name()) for name in names]
    return [
        column.made_from(_origins(f"device.{theirs} {_ALSO_FROM.get(column.name, '')}")) for column, theirs in columns
    ]


def _entity_list(listed: EntityList) -> Column:
    return _column(listed.name, listed.dtype, listed.meaning, f"{_LIST_ORIGINS[listed.name]} {_ENTITY}")


LEAD_COLUMNS = (
    _column("tenant_id", TEXT, "Entra tenant that the record belongs to, lower case", "alert.tenant_id"),
    _column("export_date", pl.Date(), "Day (UTC) on which a new or changed alert arrived. The partition",
            "alert.export_date"),
    _column("lead_id", TEXT, "Hash of tenant and AlertId: the same on every day", "alert.tenant_id alert.AlertId"),
    _column("alert_id", TEXT, "AlertId of Microsoft", "alert.AlertId"),
    _column("change", TEXT, "new, or updated if an earlier day of the look-back has a record of the alert",
            "alert.export_date"),
    _column("changes", TEXTS, "Changes since the alert's last version, in sentences; empty if new. Holds hostile text",
            f"alert.export_date alert.Severity alert.Title {_CATEGORY} evidence.record_id"),
    _column("title", TEXT, "Title of the alert. Text that an attacker can influence", "alert.Title"),
    _column("severity", TEXT, "High, Medium, Low or Informational, as Microsoft wrote it", "alert.Severity"),
    _column("category", TEXT, "Type of threat indicator or breach activity", _CATEGORY),
    _column("service_source", TEXT, "Product that raised the alert, as Microsoft wrote it", "alert.ServiceSource"),
    _column("detection_source", TEXT, "Detection technology or sensor that found the activity",
            "alert.DetectionSource"),
    Column("product", TEXT, "Product that raised the alert: one name through all of Microsoft's renamings",
           PRODUCTS, _origins("alert.ServiceSource alert.AlertId")),
    _column("attack_techniques", TEXTS, "MITRE ATT&CK techniques (T1059.001) of all versions of the alert, sorted",
            "alert.AttackTechniques"),
    _column("technique_names", TEXTS, "The same techniques as the export spells them, with their names; sorted",
            "alert.AttackTechniques"),
    _column("alert_time", INSTANT, "Earliest Timestamp of the alert's records that is a moment, else their first day",
            "alert.Timestamp alert.export_date"),
    _column("first_seen_at", INSTANT, "When Microsoft wrote the alert's first record (least exported_at)",
            "alert.exported_at"),
    _column("last_updated_at", INSTANT, "When Microsoft wrote the alert's last record (greatest exported_at)",
            "alert.exported_at"),
    _column("evidence_count", INTEGER, "Number of distinct AlertEvidence records", "evidence.record_id"),
    _column("has_alert_info", pl.Boolean(), "Whether an AlertInfo record has arrived; evidence may come without",
            "info.AlertId"),
    _column("device_id", TEXT, "Device of the alert, resolved through merges; null for a name of no known device",
            _MERGED_DEVICE),
    _column("original_device_id", TEXT, "DeviceId of the evidence; null if it has only a name", _DEVICE),
    _column("device_match", TEXT,
            "as_of, after (the alert), unknown (no heartbeat, or not one device of the name), no_device (none in the "
            "evidence)",
            f"{_MERGED_DEVICE} alert.Timestamp device.Timestamp"),
    _column("device_seen_at", INSTANT, "Timestamp of the heartbeat that the device columns come from",
            "device.Timestamp"),
    _column("device_age_seconds", INTEGER, "`alert_time` minus `device_seen_at`; negative if the heartbeat is later",
            "alert.Timestamp device.Timestamp"),
    *_device("device_name", "os_platform", "os_version", "os_build", "device_type", "device_category", "machine_group"),
    _column("device_tags", TEXTS, "Tags of the device, set by hand, by rules or through the registry; sorted", _TAGS),
    *_device("onboarding_status", "sensor_health_state", "exposure_level", "asset_value", "is_internet_facing"),
    *_device("public_ip", "join_type", "aad_device_id", "logged_on_users"),
    _column("device_changes", CHANGES, "How the device changed since the alert: then and now side by side", _COMPARED),
    _column("devices", DEVICES, "All devices of the alert, the primary one first; null unless there are several",
            f"{_MERGED_DEVICE} device.Timestamp"),
    *map(_entity_list, ENTITY_LISTS[:-1]),
    _column("entities", pl.List(ENTITY), "Normalised entities that link leads into stories", _LINKED),
    _column("remediation_state", TEXT, "Worst of the evidence's newest remediation states, as Microsoft wrote it",
            _FIELDS),
    _column("verdict", TEXT, "Worst of the newest verdicts on the evidence, as Microsoft wrote it", _FIELDS),
    _column("risk_score", INTEGER, "Urgency, 0 to 100", _SCORED),
    _column("risk_reasons", REASONS, "Reasons for the score; their points add up to it", _SCORED),
    _column("muted_by", TEXT, "The team's rule that mutes the lead, and its reason; views and stories omit such leads",
            _MUTED),
    _column("lead_version", TEXT, "Hash of title, severity, category, techniques and evidence: the same when an alert "
            "is sent again, gets its device later or is rebuilt. Null in rows of older versions", _VERSIONED),
    Column("scoring_version", TEXT, "Hash of the weights, the mute rules and the revision of the scoring that made "
           "the score. Null in rows of older versions: unknown"),
    _column("portal_url", TEXT, "Page of the alert in Microsoft's portal", "alert.tenant_id alert.AlertId"),
    _column("sources", SOURCES, "Where the alert's records are in the export, sorted", "alert.blob alert.byte_offset"),
    # Schemas only grow: later columns are at the end.
    _entity_list(ENTITY_LISTS[-1]),
    Column("device_matched_by", TEXT, "How a heartbeat of the device was found: by id or by name; otherwise null",
           MATCHED_BY, _origins(f"{_MERGED_DEVICE} alert.Timestamp device.Timestamp")),
)  # fmt: skip
"""Every column of `device_enriched_leads`, in order."""

LEAD_SCHEMA = column_schema(LEAD_COLUMNS)


def column_from_leads(name: str, dtype: pl.DataType, meaning: str, leads: str) -> Column:
    """Return a column of another table that is made from these columns of the leads."""
    return Column(name, dtype, meaning, origins=tuple(sorted(Origin(LEADS_TABLE, lead) for lead in leads.split())))
