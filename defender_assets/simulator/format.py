"""How a record is spelt in the export: containers, blob paths, the envelope, and the columns of the wide tables.

Microsoft's layout belongs here (no fact of it is taken from the reader, whose witness this package is); values do not.
"""

from typing import Any, NamedTuple

import msgspec

from defender_assets.simulator.clock import moment, stamp

ALERT_INFO = "AlertInfo"
ALERT_EVIDENCE = "AlertEvidence"
DEVICE_INFO = "DeviceInfo"
TABLES = (ALERT_INFO, ALERT_EVIDENCE, DEVICE_INFO)

END_OF_LINE = b"\r\n"


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ALERT_EVIDENCE_COLUMNS = _names(
    "Timestamp AlertId Title Categories AttackTechniques ServiceSource DetectionSource EntityType EvidenceRole "
    "EvidenceDirection FileName FolderPath SHA1 SHA256 FileSize ThreatFamily RemoteIP RemoteUrl AccountName "
    "AccountDomain AccountSid AccountObjectId AccountUpn DeviceId DeviceName LocalIP NetworkMessageId "
    "EmailSubject Application ApplicationId OAuthApplicationId ProcessCommandLine RegistryKey RegistryValueName "
    "RegistryValueData AdditionalFields Severity CloudResource CloudPlatform ResourceType ResourceID "
    "SubscriptionId MachineGroup"
)

DEVICE_INFO_COLUMNS = _names(
    "Timestamp ReportId LoggedOnUsers DeviceId DeviceName ClientVersion PublicIP OSArchitecture OSPlatform "
    "OSBuild IsAzureADJoined JoinType AadDeviceId RegistryDeviceTag OSVersion MachineGroup OnboardingStatus "
    "AdditionalFields DeviceCategory DeviceType DeviceSubtype Model Vendor OSDistribution OSVersionInfo "
    "MergedDeviceIds MergedToDeviceId SensorHealthState IsExcluded ExclusionReason ExposureLevel AssetValue "
    "IsInternetFacing DeviceManualTags DeviceDynamicTags ConnectivityType HostDeviceId AzureResourceId "
    "AwsResourceName GcpFullResourceName HardwareUuid CloudPlatforms AzureVmId AzureVmSubscriptionId IsTransient "
    "OsBuildRevision MitigationStatus"
)

# Columns that came to the wire last: older cells of the service leave them out.
NEWEST_EVIDENCE_COLUMNS = ("CloudResource", "CloudPlatform", "ResourceType", "ResourceID", "SubscriptionId")

# An unfilled column is null in most and "" in these.
_EMPTY_TEXT = {
    "AttackTechniques",
    "ThreatFamily",
    "EmailSubject",
    "RegistryValueData",
    "Application",
    "EvidenceDirection",
}
EMPTY_EVIDENCE: dict[str, Any] = {name: "" if name in _EMPTY_TEXT else None for name in ALERT_EVIDENCE_COLUMNS}

_encoder = msgspec.json.Encoder()


class Record(NamedTuple):
    """One row on its way: when it is written, when the service had it, and its columns as JSON."""

    exported: int
    """Ticks."""
    received: int
    """Ticks."""
    table: str
    properties: bytes


def json_bytes(value: Any) -> bytes:
    """Compact JSON in UTF-8, keys in the order given."""
    return _encoder.encode(value)


def json_text(value: Any) -> str:
    """JSON that goes into a text column, as the export has lists and objects."""
    return _encoder.encode(value).decode()


def container(table: str) -> str:
    """The container of an advanced-hunting table."""
    return f"insights-logs-advancedhunting-{table.lower()}"


def blob_path(tenant_id: str, hour: int) -> str:
    """The blob of an hour of arrival (ticks of its start); `m=` appears twice, once the month and once the minute."""
    return f"tenantId={tenant_id}/{moment(hour):y=%Y/m=%m/d=%d/h=%H}/m=00/PT1H.json"


def line(record: Record, tenant_id: str) -> bytes:
    """The record in its envelope, with its line end. The order of keys varies, as it does in the service."""
    exported = stamp(record.exported).encode()
    received = stamp(record.received).encode()
    tenant, table, properties = tenant_id.encode(), record.table.encode(), record.properties
    match record.exported % 10:
        case 0 | 1:
            return (
                b'{"Tenant":"DefaultTenant","category":"AdvancedHunting-%b","operationName":"Publish","properties":%b,'
                b'"tenantId":"%b","time":"%b","_TimeReceivedBySvc":"%b"}\r\n'
            ) % (table, properties, tenant, exported, received)
        case 2 | 3 | 4:
            return (
                b'{"time":"%b","tenantId":"%b","operationName":"Publish","category":"AdvancedHunting-%b",'
                b'"properties":%b,"Tenant":"DefaultTenant","_TimeReceivedBySvc":"%b"}\r\n'
            ) % (exported, tenant, table, properties, received)
        case _:
            return (
                b'{"time":"%b","tenantId":"%b","operationName":"Publish","category":"AdvancedHunting-%b",'
                b'"_TimeReceivedBySvc":"%b","properties":%b,"Tenant":"DefaultTenant"}\r\n'
            ) % (exported, tenant, table, received, properties)
