"""Where each column of each table comes from: the one account of it, which the UI draws and the docs print.

How a value is made out of those columns is told in the room that makes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from defender_assets.core.derived import BRIEFS, FINDINGS, LEADS, STORIES
from defender_assets.core.devices.as_of import TAKEN
from defender_assets.core.lines.rows import QUARANTINE_COLUMNS
from defender_assets.core.notices import NOTICE_COLUMNS, SENT_NOTICES
from defender_assets.core.raw import RAW_COLUMNS
from defender_assets.core.tables import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, TABLES, Table
from defender_assets.core.typed import QUARANTINE


@dataclass(frozen=True, order=True)
class Origin:
    """A column of an upstream table."""

    table: str
    column: str


Lineage = Mapping[str, tuple[Origin, ...]]
"""By column; a column that is made of nothing upstream (a day, a constant) has no origin."""

_TABLES = {
    "info": ALERT_INFO.name,
    "evidence": ALERT_EVIDENCE.name,
    "device": DEVICE_INFO.name,
    "lead": LEADS.name,
    "story": STORIES.name,
    "quarantine": QUARANTINE,
}

_BOTH = "info.{0} evidence.{0}"
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

_LEADS = {
    "tenant_id": _BOTH.format("tenant_id"),
    "export_date": _BOTH.format("export_date"),
    "lead_id": f"{_BOTH.format('tenant_id')} {_KEY}",
    "alert_id": _KEY,
    "change": _BOTH.format("export_date"),
    "changes": (
        f"{_BOTH.format('export_date')} {_BOTH.format('Severity')} {_BOTH.format('Title')} info.Category "
        "evidence.Categories evidence.record_id"
    ),
    "title": _BOTH.format("Title"),
    "severity": _BOTH.format("Severity"),
    "category": "info.Category evidence.Categories",
    "service_source": _BOTH.format("ServiceSource"),
    "detection_source": _BOTH.format("DetectionSource"),
    "product": f"{_BOTH.format('ServiceSource')} {_KEY}",
    "attack_techniques": _BOTH.format("AttackTechniques"),
    "alert_time": _BOTH.format("Timestamp"),
    "first_seen_at": _BOTH.format("exported_at"),
    "last_updated_at": _BOTH.format("exported_at"),
    "evidence_count": "evidence.record_id",
    "has_alert_info": "info.AlertId",
    "device_id": f"{_CHOSEN} {_MERGED}",
    "original_device_id": _CHOSEN,
    "device_match": f"{_CHOSEN} {_BOTH.format('Timestamp')} {_MERGED} device.Timestamp",
    "device_seen_at": "device.Timestamp",
    "device_age_seconds": f"{_BOTH.format('Timestamp')} device.Timestamp",
    "device_name": f"device.DeviceName evidence.DeviceName {_FIELDS}",
    "os_platform": f"device.OSPlatform {_FIELDS}",
    "machine_group": f"device.MachineGroup {_BOTH.format('MachineGroup')}",
    "device_tags": "device.DeviceManualTags device.DeviceDynamicTags device.RegistryDeviceTag",
    "device_changes": (
        f"{_CHOSEN} {_MERGED} device.Timestamp device.DeviceName device.OSVersion device.MachineGroup "
        "device.OnboardingStatus device.SensorHealthState device.ExposureLevel device.AssetValue "
        "device.IsInternetFacing device.JoinType device.DeviceManualTags device.DeviceDynamicTags "
        "device.RegistryDeviceTag"
    ),
    "devices": f"{_CHOSEN} {_MERGED} device.Timestamp",
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
    "entities": (
        f"{_ENTITY} {_PERSON} {_FILE} {_MAIL} {_CLOUD} {_APP} evidence.RemoteIP evidence.LocalIP evidence.RemoteUrl "
        f"evidence.RegistryKey {_CHOSEN} {_MERGED} device.PublicIP"
    ),
    "remediation_state": _FIELDS,
    "verdict": _FIELDS,
    "portal_url": f"{_BOTH.format('tenant_id')} {_KEY}",
    "sources": f"{_BOTH.format('blob')} {_BOTH.format('byte_offset')}",
}

_SCORED = (
    f"{_BOTH.format('Severity')} info.Category evidence.Categories {_BOTH.format('AttackTechniques')} {_FIELDS} "
    "device.ExposureLevel device.AssetValue device.IsInternetFacing device.DeviceManualTags device.DeviceDynamicTags "
    f"device.RegistryDeviceTag device.SensorHealthState {_PERSON} {_BOTH.format('Title')} evidence.record_id "
    f"{_CHOSEN} evidence.SHA1 evidence.SHA256 evidence.NetworkMessageId evidence.RemoteUrl evidence.RemoteIP "
    "evidence.OAuthApplicationId"
)
_MUTED = (
    f"{_BOTH.format('tenant_id')} {_BOTH.format('Title')} {_BOTH.format('Severity')} info.Category evidence.Categories "
    f"{_BOTH.format('ServiceSource')} {_BOTH.format('DetectionSource')} {_BOTH.format('AttackTechniques')} {_CHOSEN} "
    f"{_MERGED} device.DeviceName device.DeviceManualTags device.DeviceDynamicTags device.RegistryDeviceTag {_PERSON} "
    f"{_FILE} evidence.RemoteIP"
)

_STORIES = {
    "tenant_id": "lead.tenant_id",
    "export_date": "lead.export_date",
    "story_id": "lead.tenant_id lead.lead_id lead.alert_time lead.export_date lead.entities",
    "merged_story_ids": "lead.tenant_id lead.lead_id lead.alert_time lead.export_date lead.entities",
    "title": "lead.title lead.product lead.device_name lead.accounts",
    "lead_ids": "lead.lead_id lead.entities lead.alert_time",
    "lead_count": "lead.lead_id lead.entities lead.alert_time",
    "products": "lead.product",
    "first_alert_time": "lead.alert_time",
    "last_alert_time": "lead.alert_time",
    "severity": "lead.severity",
    "score": "lead.risk_score lead.title lead.product lead.category",
    "score_reasons": "lead.risk_score lead.title lead.product lead.category",
    "shared_entities": "lead.entities lead.lead_id",
    "timeline": (
        "lead.alert_time lead.category lead.severity lead.product lead.title lead.device_name lead.entities "
        "lead.lead_id"
    ),
    "tactics": "lead.category lead.alert_time",
    "techniques": "lead.attack_techniques",
    "device_names": "lead.device_name lead.devices",
    "accounts": "lead.accounts",
}

_FINDINGS = {
    "tenant_id": "lead.tenant_id",
    "export_date": "lead.export_date",
    "event_uid": "lead.tenant_id lead.lead_id lead.export_date",
    "finding_uid": "lead.lead_id",
    "time": "lead.alert_time",
    "class_uid": "",
    "activity_id": "lead.change",
    "type_uid": "lead.change",
    "severity_id": "lead.severity",
    "status_id": "lead.muted_by",
    "event": " ".join(
        f"lead.{column.name}" for column in LEADS.columns if column.name not in {"sources", "first_seen_at", "entities"}
    ),
}

_BRIEFS = {
    "tenant_id": "lead.tenant_id story.tenant_id device.tenant_id",
    "export_date": "lead.export_date",
    "tenants": "lead.tenant_id story.tenant_id device.tenant_id",
    "lead_count": "lead.lead_id",
    "story_count": "story.story_id",
    "quarantined_lines": "quarantine.reason",
    "headline": "lead.lead_id lead.severity story.story_id story.title story.score",
    "picture": "lead.alert_time lead.severity",
    "html": (
        "lead.title lead.severity lead.risk_score lead.risk_reasons lead.changes lead.device_name lead.alert_time "
        "story.title story.score story.score_reasons story.lead_ids story.merged_story_ids story.tactics "
        "story.timeline story.shared_entities device.Timestamp quarantine.reason"
    ),
}


def lineage_of(name: str) -> Lineage:
    """Return the origins of a table's columns; raw tables have none, what is above them are blobs.

    Raises:
        KeyError: when no table has that name.
    """
    return _LINEAGE[name]


def _read(told: Mapping[str, str]) -> Lineage:
    return {column: tuple(sorted({_origin(word) for word in words.split()})) for column, words in told.items()}


def _origin(word: str) -> Origin:
    table, _, column = word.partition(".")
    return Origin(_TABLES[table], column)


def _typed(table: Table) -> Lineage:
    """A record is a part of a line, a line a part of a chunk: what a chunk is named by, its records are."""
    content = (Origin(table.raw, "content"),)
    as_named = {name: (Origin(table.raw, name),) for name in ("tenant_id", "export_date", "blob")}
    offset = {"byte_offset": (Origin(table.raw, "byte_start"), *content)}
    return {column.name: content for column in table.all_columns} | as_named | offset


def _quarantined() -> Lineage:
    held = {column.name for column in RAW_COLUMNS}
    same = {"byte_offset": "byte_start", "reason": "content", "detail": "content"}
    told = {column.name: same.get(column.name, column.name) for column in QUARANTINE_COLUMNS}
    return {
        ours: tuple(Origin(table.raw, theirs) for table in TABLES) if theirs in held else ()
        for ours, theirs in told.items()
    }


_TAKEN = {
    taken.column.name: f"device.{source}"
    for taken in TAKEN
    for source in taken.source.meta.root_names()
    if taken.column.name in {column.name for column in LEADS.columns}
}

_LINEAGE: Mapping[str, Lineage] = {
    **{table.raw: {} for table in TABLES},
    **{table.name: _typed(table) for table in TABLES},
    QUARANTINE: _quarantined(),
    LEADS.name: _read({**_TAKEN, **_LEADS, "risk_score": _SCORED, "risk_reasons": _SCORED, "muted_by": _MUTED}),
    STORIES.name: _read(_STORIES),
    FINDINGS.name: _read(_FINDINGS),
    BRIEFS.name: _read(_BRIEFS),
    # a ledger of its own
    SENT_NOTICES: {column.name: () for column in NOTICE_COLUMNS},
}
