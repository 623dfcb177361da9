"""DeviceInfo: the rows that the devices of a tenant report in one hour.

Nearly all rows of an export are heartbeats, so the state of a device is encoded once and reused until it changes.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from defender_assets.simulator.clock import DAY, HOUR, MINUTE, SECOND, stamp
from defender_assets.simulator.format import DEVICE_INFO, DEVICE_INFO_COLUMNS, Record, json_bytes, json_text, names
from defender_assets.simulator.scenario import Scenario, seeded_rng
from defender_assets.simulator.tenants import Device, Tenant, User

# These columns are null in a partial heartbeat.
_FULL_ROW_ONLY = names(
    "OSArchitecture OSPlatform OSBuild OSVersion OSDistribution OSVersionInfo OsBuildRevision IsAzureADJoined JoinType "
    "AadDeviceId Model Vendor DeviceType DeviceSubtype HardwareUuid ExposureLevel AssetValue DeviceManualTags "
    "DeviceDynamicTags"
)
_EMPTY_TEXT = names("AdditionalFields MergedDeviceIds MergedToDeviceId ExclusionReason HostDeviceId MitigationStatus")
_WORKING_HOURS = range(7, 19)
_EXPOSURE_FALLS_TO = {"High": "Medium", "Medium": "Low", "Low": "Low", "None": "None"}
_NOBODY = b'"[]"'
# Above 2^53: a reader that converts to floating point loses the last digits.
_LEAST_REPORT = (1 << 53) + 1


class _State(NamedTuple):
    """The columns of a device that stay the same until its next change, as JSON without the opening brace."""

    version: int
    identity: str
    full: bytes
    partial: bytes


class Heartbeats:
    """The DeviceInfo rows of one tenant, hour by hour. Keeps the last encoded state of each device, about 3 KB."""

    def __init__(self, scenario: Scenario, tenant: Tenant) -> None:
        self._seed = scenario.seed
        self._period = scenario.heartbeat_minutes * MINUTE
        self._tenant = tenant
        self._states: list[_State | None] = [None] * len(tenant.devices)
        self._logged_on = {device.number: _encode_user(device.user) for device in tenant.devices}

    def hour(self, start: int) -> Iterator[Record]:
        """The rows of the hour that begins at tick `start`; each is exported 2 to 5 minutes after its event."""
        rng = seeded_rng(self._seed, "heartbeats", self._tenant.index, start // HOUR)
        midnight = start - start % DAY
        opens, closes = start - midnight, start - midnight + HOUR
        period, random = self._period, rng.random
        for device in self._tenant.devices:
            beat = max(0, -(-(opens - device.phase) // period))
            planned = device.phase + beat * period
            while planned < closes:
                event = midnight + planned + int(random() * 20 * SECOND)
                lag = 2 * MINUTE + int(random() * 3 * MINUTE)
                row = self._row(device, event, beat)
                if row is not None:
                    yield Record(event + lag, event + lag - 5 * SECOND, DEVICE_INFO, row)
                if device.old_id and beat in (0, 11) and event >= device.merged_at:
                    superseded = self._superseded(device, event)
                    yield Record(event + lag + SECOND, event + lag - 4 * SECOND, DEVICE_INFO, superseded)
                beat += 1
                planned += period

    def _row(self, device: Device, event: int, beat: int) -> bytes | None:
        silent = device.silent_from is not None and event >= device.silent_from
        if event < device.first_seen or (silent and beat):
            return None
        version = _version(device, event)
        unmerged = device.old_id is not None and event < device.merged_at
        identity = "silent" if silent else "old" if unmerged else "own"
        state = self._states[device.number]
        if state is None or state.version != version or state.identity != identity:
            state = self._states[device.number] = _encode(device, version, identity)
        # From the dates, not from the last state: a change before the first hour of the scenario left no state.
        fresh = beat == 0 or _version(device, event - self._period) != version
        body = state.full if fresh or not device.partial else state.partial
        return _assemble(device, event, self._users(device, event), body)

    def _superseded(self, device: Device, event: int) -> bytes:
        columns = _columns(device, _version(device, event), "old")
        columns |= {"MergedToDeviceId": device.device_id, "SensorHealthState": "Inactive"}
        columns |= dict.fromkeys(_FULL_ROW_ONLY)
        return _assemble(device, event + SECOND, _NOBODY, json_bytes(columns)[1:])

    def _users(self, device: Device, event: int) -> bytes:
        day, hour = event // DAY, event % DAY // HOUR
        if hour not in _WORKING_HOURS:
            return _NOBODY
        if (device.number * 7 + day * 13 + hour) % 29 == 0 and device.system.device_type == "Server":
            return b'""'
        return self._logged_on[device.number]


def _assemble(device: Device, event: int, users: bytes, body: bytes) -> bytes:
    report = _LEAST_REPORT + 2 * (event // SECOND * 1024 + device.number % 1024)
    return b'{"Timestamp":"%b","ReportId":%d,"LoggedOnUsers":%b,%b' % (stamp(event).encode(), report, users, body)


def _version(device: Device, event: int) -> int:
    """The number of updates of the device: one a week, at noon of its patch day."""
    return (event - device.patch_day * DAY - DAY // 2) // (7 * DAY)


def _encode_user(user: User) -> bytes:
    return json_bytes(json_text([{"UserName": user.name, "DomainName": user.domain.upper(), "Sid": user.sid}]))


def _encode(device: Device, version: int, identity: str) -> _State:
    columns = _columns(device, version, identity)
    partial = columns | dict.fromkeys(_FULL_ROW_ONLY)
    if device.number % 6 == 0:
        del columns["MitigationStatus"], partial["MitigationStatus"]
    return _State(version, identity, json_bytes(columns)[1:], json_bytes(partial)[1:])


def _columns(device: Device, version: int, identity: str) -> dict[str, Any]:
    """The columns in the order of the export, without the three that change with every row."""
    system = device.system
    windows = system.family == "Windows"
    joined = windows and system.device_type == "Workstation"
    odd = version % 2
    filled: dict[str, Any] = dict.fromkeys(_EMPTY_TEXT, "") | {
        "DeviceId": device.old_id if identity == "old" else device.device_id,
        "DeviceName": device.name,
        "ClientVersion": f"10.8760.{system.build or 1}.{1000 + version % 50}",
        "PublicIP": device.public_ip,
        "OSArchitecture": "64-bit" if windows else "x64",
        "OSPlatform": system.platform,
        "OSBuild": system.build,
        "IsAzureADJoined": joined,
        "JoinType": "AAD Joined" if joined else "Domain Joined" if windows else "",
        "AadDeviceId": device.aad_device_id if joined else None,
        "RegistryDeviceTag": device.tags[0] if device.tags else "",
        "OSVersion": system.version,
        "MachineGroup": "Servers" if system.device_type == "Server" else "Workstations",
        "OnboardingStatus": "Onboarded",
        "DeviceCategory": "Endpoint",
        "DeviceType": system.device_type,
        "DeviceSubtype": system.device_type,
        "Model": device.model,
        "Vendor": system.vendor,
        "OSDistribution": system.distribution,
        "OSVersionInfo": system.version_info,
        "SensorHealthState": "Inactive" if identity == "silent" else "Active",
        "IsExcluded": False,
        "ExposureLevel": _EXPOSURE_FALLS_TO[device.exposure] if odd else device.exposure,
        "AssetValue": device.asset_value,
        "IsInternetFacing": device.internet_facing,
        "DeviceManualTags": json_text(device.tags) if device.tags else "",
        "DeviceDynamicTags": json_text([f"patched-{odd}"]),
        "ConnectivityType": "Streamlined",
        "HardwareUuid": device.hardware_uuid,
        "CloudPlatforms": '["Azure"]' if device.model == "Virtual Machine" else "",
        "IsTransient": False,
        "OsBuildRevision": str(2000 + version % 100) if windows else "",
    }
    if device.old_id and identity == "own" and device.number % 4:
        # No real filled value was ever seen: write both forms that a reader should accept.
        filled["MergedDeviceIds"] = json_text([device.old_id]) if device.number % 4 > 1 else f"{device.old_id},"
    return {name: filled.get(name) for name in DEVICE_INFO_COLUMNS[3:]}
