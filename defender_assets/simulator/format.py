"""Microsoft's format of the export: containers, blob paths, the envelope, and the columns of the wide tables."""

from typing import Any, NamedTuple

import msgspec

from defender_assets.simulator.clock import moment, stamp

ALERT_INFO = "AlertInfo"
ALERT_EVIDENCE = "AlertEvidence"
DEVICE_INFO = "DeviceInfo"
TABLES = (ALERT_INFO, ALERT_EVIDENCE, DEVICE_INFO)

END_OF_LINE = b"\r\n"


def names(text: str) -> tuple[str, ...]:
    """Split a text of names at white space."""
    return tuple(text.split())


ALERT_EVIDENCE_COLUMNS = names(
    "Timestamp AlertId Title Categories AttackTechniques ServiceSource DetectionSource EntityType EvidenceRole "
    "EvidenceDirection FileName FolderPath SHA1 SHA256 FileSize ThreatFamily RemoteIP RemoteUrl AccountName "
    "AccountDomain AccountSid AccountObjectId AccountUpn DeviceId DeviceName LocalIP NetworkMessageId "
    "EmailSubject Application ApplicationId OAuthApplicationId ProcessCommandLine RegistryKey RegistryValueName "
    "RegistryValueData AdditionalFields Severity CloudResource CloudPlatform ResourceType ResourceID "
    "SubscriptionId MachineGroup"
)

DEVICE_INFO_COLUMNS = names(
    "Timestamp ReportId LoggedOnUsers DeviceId DeviceName ClientVersion PublicIP OSArchitecture OSPlatform "
    "OSBuild IsAzureADJoined JoinType AadDeviceId RegistryDeviceTag OSVersion MachineGroup OnboardingStatus "
    "AdditionalFields DeviceCategory DeviceType DeviceSubtype Model Vendor OSDistribution OSVersionInfo "
    "MergedDeviceIds MergedToDeviceId SensorHealthState IsExcluded ExclusionReason ExposureLevel AssetValue "
    "IsInternetFacing DeviceManualTags DeviceDynamicTags ConnectivityType HostDeviceId AzureResourceId "
    "AwsResourceName GcpFullResourceName HardwareUuid CloudPlatforms AzureVmId AzureVmSubscriptionId IsTransient "
    "OsBuildRevision MitigationStatus"
)

# The columns that Microsoft added last: older cells of the service omit them.
NEWEST_EVIDENCE_COLUMNS = ("CloudResource", "CloudPlatform", "ResourceType", "ResourceID", "SubscriptionId")

# An empty value is "" in these columns and null in the others.
_EMPTY_TEXT = names("AttackTechniques ThreatFamily EmailSubject RegistryValueData Application EvidenceDirection")
EMPTY_EVIDENCE: dict[str, Any] = {name: "" if name in _EMPTY_TEXT else None for name in ALERT_EVIDENCE_COLUMNS}

_encoder = msgspec.json.Encoder()


class Record(NamedTuple):
    """One row to export: the ticks at which it is written and at which the service received it, and its JSON."""

    exported: int
    received: int
    table: str
    properties: bytes


def json_bytes(value: Any) -> bytes:
    """Compact JSON in UTF-8, keys in their given order."""
    return _encoder.encode(value)


def json_text(value: Any) -> str:
    """JSON for a text column: the export stores lists and objects as text."""
    return _encoder.encode(value).decode()


def container(table: str) -> str:
    """The container of an advanced-hunting table."""
    return f"insights-logs-advancedhunting-{table.lower()}"


def blob_path(tenant_id: str, hour: int) -> str:
    """The blob of an hour of arrival (ticks of its start). `m=` appears twice: for the month and for the minute."""
    return f"tenantId={tenant_id}/{moment(hour):y=%Y/m=%m/d=%d/h=%H}/m=00/PT1H.json"


def line(record: Record, tenant_id: str) -> bytes:
    """The record in its envelope, with its line end. The order of keys varies, as in the real export."""
    exported, received = stamp(record.exported).encode(), stamp(record.received).encode()
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
