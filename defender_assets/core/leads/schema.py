"""The columns of `device_enriched_leads`: names, types, meanings, origins."""

import polars as pl

from defender_assets.core.enums import PRODUCTS
from defender_assets.core.leads.devices.as_of import DEVICE_COLUMNS
from defender_assets.core.leads.devices.primary import DEVICES
from defender_assets.core.leads.devices.state_changes import CHANGES
from defender_assets.core.leads.entities.correlation_keys import ENTITY
from defender_assets.core.leads.entities.lists import ENTITY_LISTS
from defender_assets.core.leads.risk.points import REASONS
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO
from defender_assets.core.schemas.column import Column, flag, instant, integer, origins, text, texts

LEADS_TABLE = "device_enriched_leads"

ALERT_LOOKBACK_DAYS = 30
"""Partition D of the leads reads the alert partitions D-30 … D."""

DEVICE_LOOKBACK_DAYS = 7
"""Partition D of the leads reads the device partitions D-7 … D."""

SOURCES = pl.List(pl.Struct({"table": pl.String(), "blob": pl.String(), "byte_offset": pl.Int64()}))

_KEY = "info.AlertId evidence.AlertId"
_FIELDS = "evidence.AdditionalFields"
_PERSON = "evidence.AccountObjectId evidence.AccountUpn evidence.AccountSid evidence.AccountDomain evidence.AccountName"
_FILE = "evidence.FileName evidence.FolderPath evidence.SHA1 evidence.SHA256"
_MAIL = "evidence.NetworkMessageId evidence.EmailSubject"
_CLOUD = (
    "evidence.CloudResource evidence.CloudPlatform evidence.ResourceType evidence.ResourceID evidence.SubscriptionId"
)
_APP = "evidence.Application evidence.ApplicationId evidence.OAuthApplicationId"
_ENTITY = f"evidence.EntityType evidence.EvidenceRole {_FIELDS}"
_CHOSEN = f"evidence.DeviceId evidence.DeviceName {_FIELDS}"
_MERGED = "device.DeviceId device.MergedDeviceIds device.MergedToDeviceId"
_TAGS = "device.DeviceManualTags device.DeviceDynamicTags device.RegistryDeviceTag"
_CATEGORY = "info.Category evidence.Categories"

_DEVICE = {taken.column.name: taken for taken in DEVICE_COLUMNS}
_ALSO_FROM = {
    "device_name": f"evidence.DeviceName {_FIELDS}",
    "os_platform": _FIELDS,
    "machine_group": "info.MachineGroup evidence.MachineGroup",
}
_LIST_ORIGINS = {
    "accounts": f"{_PERSON} {_ENTITY}",
    "files": f"{_FILE} evidence.FileSize evidence.ThreatFamily {_ENTITY}",
    "processes": f"{_FILE} evidence.ProcessCommandLine {_ENTITY}",
    "ip_addresses": f"evidence.RemoteIP evidence.LocalIP {_ENTITY}",
    "urls": f"evidence.RemoteUrl {_ENTITY}",
    "mails": f"{_MAIL} {_ENTITY}",
    "mailboxes": f"evidence.AccountUpn {_ENTITY}",
    "registry": f"evidence.RegistryKey evidence.RegistryValueName evidence.RegistryValueData {_ENTITY}",
    "cloud_resources": f"{_CLOUD} {_ENTITY}",
    "applications": f"{_APP} {_ENTITY}",
    "logon_sessions": f"{_PERSON} {_ENTITY}",
    "hashes": f"{_FILE} {_ENTITY}",
}


def _from(words: str, column: Column) -> Column:
    """Return the column with its origins: `info.`, `evidence.` and `device.` name the three typed tables."""
    tables = {"info": ALERT_INFO.name, "evidence": ALERT_EVIDENCE.name, "device": DEVICE_INFO.name}
    return column.made_from(origins(words, **tables))


def _both(*names: str) -> str:
    return " ".join(f"info.{name} evidence.{name}" for name in names)


def _device(*names: str) -> tuple[Column, ...]:
    return tuple(
        _from(f"device.{_DEVICE[name].source.meta.output_name()} {_ALSO_FROM.get(name, '')}", _DEVICE[name].column)
        for name in names
    )


_SCORED = (
    f"{_both('Severity', 'AttackTechniques', 'Title')} {_CATEGORY} {_FIELDS} device.ExposureLevel device.AssetValue "
    f"device.IsInternetFacing {_TAGS} device.SensorHealthState {_PERSON} evidence.record_id {_CHOSEN} evidence.SHA1 "
    "evidence.SHA256 evidence.NetworkMessageId evidence.RemoteUrl evidence.RemoteIP evidence.OAuthApplicationId"
)
_MUTED = (
    f"{_both('tenant_id', 'Title', 'Severity', 'ServiceSource', 'DetectionSource', 'AttackTechniques')} {_CATEGORY} "
    f"{_CHOSEN} {_MERGED} device.DeviceName {_TAGS} {_PERSON} {_FILE} evidence.RemoteIP"
)

LEAD_COLUMNS = (
    _from(_both("tenant_id"), text("tenant_id", "Entra tenant that the record belongs to, lower case")),
    _from(
        _both("export_date"),
        Column("export_date", pl.Date(), "Day of arrival (UTC) on which the alert was new or changed. The partition"),
    ),
    _from(f"{_both('tenant_id')} {_KEY}", text("lead_id", "Hash of tenant and AlertId: the same on every day")),
    _from(_KEY, text("alert_id", "AlertId of Microsoft")),
    _from(
        _both("export_date"),
        text("change", "new, or updated if an earlier day of the look-back holds a record of the alert"),
    ),
    _from(
        f"{_both('export_date', 'Severity', 'Title')} {_CATEGORY} evidence.record_id",
        texts(
            "changes",
            "What changed since the alert's last version, in sentences; empty for a new one. Holds hostile text",
        ),
    ),
    _from(_both("Title"), text("title", "Title of the alert. Text that an attacker can influence")),
    _from(_both("Severity"), text("severity", "High, Medium, Low or Informational, as Microsoft wrote it")),
    _from(_CATEGORY, text("category", "Type of threat indicator or breach activity")),
    _from(_both("ServiceSource"), text("service_source", "Product that raised the alert, as Microsoft wrote it")),
    _from(
        _both("DetectionSource"),
        text("detection_source", "Detection technology or sensor that identified the activity"),
    ),
    _from(
        f"{_both('ServiceSource')} {_KEY}",
        text("product", "Product that raised the alert: one name through all of Microsoft's renamings", *PRODUCTS),
    ),
    _from(
        _both("AttackTechniques"),
        texts("attack_techniques", "MITRE ATT&CK techniques (T1059.001) of all versions of the alert, sorted"),
    ),
    _from(_both("Timestamp"), instant("alert_time", "Earliest Timestamp of the alert's records")),
    _from(
        _both("exported_at"),
        instant("first_seen_at", "When Microsoft wrote the first record of the alert (least exported_at)"),
    ),
    _from(
        _both("exported_at"),
        instant("last_updated_at", "When Microsoft wrote the last record of the alert (greatest exported_at)"),
    ),
    _from("evidence.record_id", integer("evidence_count", "Number of distinct AlertEvidence records")),
    _from("info.AlertId", flag("has_alert_info", "Whether an AlertInfo record has arrived; evidence may come without")),
    _from(f"{_CHOSEN} {_MERGED}", text("device_id", "Device of the alert, resolved through merges")),
    _from(_CHOSEN, text("original_device_id", "Device of the alert as the evidence names it")),
    _from(
        f"{_CHOSEN} {_both('Timestamp')} {_MERGED} device.Timestamp",
        text("device_match", "as_of, after (the alert), unknown (no heartbeat) or no_device (none in the evidence)"),
    ),
    _from("device.Timestamp", instant("device_seen_at", "Timestamp of the heartbeat that the device columns are of")),
    _from(
        f"{_both('Timestamp')} device.Timestamp",
        integer("device_age_seconds", "Alert's time less `device_seen_at`; negative for a heartbeat after the alert"),
    ),
    *_device("device_name", "os_platform", "os_version", "os_build", "device_type", "device_category", "machine_group"),
    _from(_TAGS, texts("device_tags", "Tags of the device, set by hand, by rules or through the registry; sorted")),
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
    _from(
        f"{_CHOSEN} {_MERGED} device.Timestamp device.DeviceName device.OSVersion device.MachineGroup "
        "device.OnboardingStatus device.SensorHealthState device.ExposureLevel device.AssetValue "
        f"device.IsInternetFacing device.JoinType {_TAGS}",
        Column(
            "device_changes",
            CHANGES,
            "What of the device is otherwise now, then and now side by side",
        ),
    ),
    _from(
        f"{_CHOSEN} {_MERGED} device.Timestamp",
        Column("devices", DEVICES, "All devices of the alert, the primary one first; null unless there are several"),
    ),
    *(_from(_LIST_ORIGINS[listed.name], Column(listed.name, listed.dtype, listed.meaning)) for listed in ENTITY_LISTS),
    _from(
        f"{_ENTITY} {_PERSON} {_FILE} {_MAIL} {_CLOUD} {_APP} evidence.RemoteIP evidence.LocalIP evidence.RemoteUrl "
        f"evidence.RegistryKey {_CHOSEN} {_MERGED} device.PublicIP",
        Column("entities", pl.List(ENTITY), "Normalised entities by which stories tie leads together"),
    ),
    _from(
        _FIELDS,
        text("remediation_state", "Worst of the newest remediation states of the evidence, as Microsoft wrote it"),
    ),
    _from(_FIELDS, text("verdict", "Worst of the newest verdicts on the evidence, as Microsoft wrote it")),
    _from(_SCORED, integer("risk_score", "Urgency, 0 to 100")),
    _from(_SCORED, Column("risk_reasons", REASONS, "Reasons for the score; their points add up to it")),
    _from(
        _MUTED,
        text(
            "muted_by", "Rule of the team that mutes the lead, and its reason; views and stories leave such a lead out"
        ),
    ),
    _from(f"{_both('tenant_id')} {_KEY}", text("portal_url", "Page of the alert in Microsoft's portal")),
    _from(
        _both("blob", "byte_offset"),
        Column("sources", SOURCES, "Where the alert's records stand in the export, sorted"),
    ),
)
"""Every column of `device_enriched_leads`, in order."""

LEAD_SCHEMA = pl.Schema({column.name: column.dtype for column in LEAD_COLUMNS})
