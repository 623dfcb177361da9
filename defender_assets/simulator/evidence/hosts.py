"""Evidence on a machine: the machine itself, its processes, files and registry."""

from typing import Any

from defender_assets.simulator.clock import MINUTE, stamp
from defender_assets.simulator.evidence.references import (
    Columns,
    References,
    entity,
    merge_key,
    remediation,
    verdict,
)
from defender_assets.simulator.format import json_text
from defender_assets.simulator.scenes import Artifact, Scene


def _host(refs: References, scene: Scene) -> dict[str, Any]:
    device = scene.device
    return refs.new(
        MachineId=scene.device_id,
        MachineIdType=3,
        HostName=device.name.partition(".")[0],
        DnsDomain=scene.tenant.domain,
        OSFamily=device.system.family,
        IpInterfaces=[device.local_ip, "fe80::1"],
        IsIoc=False,
        Type="host",
        **merge_key(scene.device_id),
    )


def _image(refs: References, file: Artifact) -> dict[str, Any]:
    image = refs.new(Directory=file.folder, Name=file.name, SizeInBytes=file.size, Type="file")
    image["FileHashes"] = [
        refs.new(Algorithm="SHA1", Value=file.sha1, Type="filehash"),
        refs.new(Algorithm="SHA256", Value=file.sha256, Type="filehash"),
    ]
    return image


def _file_columns(file: Artifact, *, upper_case_hash: bool = False) -> Columns:
    digest = file.sha256.upper() if upper_case_hash else file.sha256
    columns = {"FileName": file.name, "FolderPath": file.folder, "FileSize": file.size}
    return columns | {"SHA1": file.sha1, "SHA256": digest}


def machine(scene: Scene, event: int) -> Columns:
    """The device; only these rows fill DeviceId and DeviceName. MetadataJson is JSON text inside JSON text."""
    metadata = json_text({"seen": stamp(event, 0), "cell": "eu-1"})
    return entity(
        "Machine",
        _host(References(), scene) | {"Role": 0, "MetadataJson": metadata},
        role="Impacted",
        DeviceId=scene.device_id,
        DeviceName=scene.device.name,
    )


def named_machine(scene: Scene, _event: int) -> Columns:
    """The device as Defender for Identity names it: a name, no identifier."""
    name, family = scene.device.name, scene.device.system.family
    extra = References().new(HostName=name.partition(".")[0], DnsDomain=scene.tenant.domain, FQDN=name, OSFamily=family)
    return entity("Machine", extra | {"Type": "host", "Role": 0}, role="Impacted", DeviceName=name)


def host_machine(scene: Scene, _event: int) -> Columns:
    """The device as Sentinel names it: only AdditionalFields have its name."""
    host = scene.device.name.partition(".")[0]
    extra = References().new(HostName=host, DnsDomain=scene.tenant.domain, Type="host")
    return entity("Machine", extra, role="Impacted")


def process(scene: Scene, event: int) -> Columns:
    """The process with its image, parent and host; the host is written once and then referenced."""
    refs, program = References(), scene.program
    started, parent_started = stamp(event - MINUTE), stamp(event - 9 * MINUTE)
    extra = refs.new(ProcessId=hex(scene.serial), CommandLine=_command_line(scene), CreationTimeUtc=started)
    image = extra["ImageFile"] = _image(refs, program)
    host = image["Host"] = _host(refs, scene)
    parent = extra["ParentProcess"] = refs.new(ProcessId=hex(scene.serial // 2), CreationTimeUtc=parent_started)
    parent["ImageFile"] = refs.new(Directory=program.folder, Name="shell.exe", Host=refs.again(host), Type="file")
    parent |= {"Host": refs.again(host), "Type": "process"}
    extra |= verdict(scene.outcome) | {"Host": refs.again(host)}
    extra |= remediation(scene.outcome, "Active") | {"Type": "process", "Role": 1}
    return entity(
        "Process",
        extra | merge_key(program.sha256, str(scene.serial)),
        ProcessCommandLine=_command_line(scene),
        **_file_columns(program),
    )


def _command_line(scene: Scene) -> str:
    return f'"{scene.program.name}" "{_path(scene.file)}" --id {scene.serial} > out.txt & echo \'done\''


def _path(file: Artifact) -> str:
    return f"{file.folder}{'/' if file.folder.startswith('/') else chr(92)}{file.name}"


def file(scene: Scene, _event: int) -> Columns:
    """The file; every other row has its host, and every seventh its hash in upper case."""
    refs, found = References(), scene.file
    image = _image(refs, found)
    if scene.serial % 2:
        image["Host"] = _host(refs, scene)
    state = "Prevented" if scene.serial % 3 == 0 else "Active"
    return entity(
        "File",
        image | verdict(scene.outcome) | remediation(scene.outcome, state) | {"Role": 1} | merge_key(found.sha256),
        **_file_columns(found, upper_case_hash=scene.serial % 7 == 0),
    )


def malware(scene: Scene, _event: int) -> Columns:
    """The malware family that an antivirus reports."""
    family = f"Pretender.{scene.serial % 90}"
    name = f"Trojan:Win32/{family}"
    extra = References().new(Name=name, Category="Trojan", ThreatFamilyName=family, Type="malware")
    return entity("Malware", extra, ThreatFamily=family)


def registry_key(scene: Scene, _event: int) -> Columns:
    """The registry key of a service."""
    key = f"SYSTEM\\CurrentControlSet\\Services\\svc{scene.serial}"
    return entity(
        "RegistryKey",
        References().new(Hive="HKEY_LOCAL_MACHINE", Key=key, Type="registry-key", **merge_key(key)),
        RegistryKey=f"HKEY_LOCAL_MACHINE\\{key}",
    )


def registry_value(scene: Scene, _event: int) -> Columns:
    """A value under the Run key."""
    refs, name = References(), f"Updater{scene.serial}"
    key = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"
    extra = refs.new(Name=name, Value=scene.file.name, ValueType="String", Type="registry-value")
    extra["Key"] = refs.new(Hive="HKEY_LOCAL_MACHINE", Key=key, Type="registry-key")
    extra["Host"] = _host(refs, scene)
    return entity(
        "RegistryValue",
        extra,
        RegistryKey=f"HKEY_LOCAL_MACHINE\\{key}",
        RegistryValueName=name,
        RegistryValueData=_path(scene.file),
    )
