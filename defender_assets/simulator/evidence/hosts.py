"""Evidence on a machine: the machine itself, its processes, files and registry.

Accounts, addresses and cloud resources do not belong here.
"""

from typing import Any

from defender_assets.simulator.clock import MINUTE, stamp
from defender_assets.simulator.evidence.references import VERDICT, Columns, References, merge_key
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


def machine(scene: Scene, event: int) -> Columns:
    """The device, in the one kind of row that fills DeviceId and DeviceName."""
    # JSON text inside JSON text.
    metadata = json_text({"seen": stamp(event, 0), "cell": "eu-1"})
    return {
        "EntityType": "Machine",
        "EvidenceRole": "Impacted",
        "DeviceId": scene.device_id,
        "DeviceName": scene.device.name,
        "AdditionalFields": _host(References(), scene) | {"Role": 0, "MetadataJson": metadata},
    }


def process(scene: Scene, event: int) -> Columns:
    """The process with its image, parent and host, each written once and then referred to."""
    refs, program = References(), scene.program
    started, parent_started = stamp(event - MINUTE), stamp(event - 9 * MINUTE)
    extra = refs.new(ProcessId=hex(scene.serial), CommandLine=_command_line(scene), CreationTimeUtc=started)
    image = extra["ImageFile"] = _image(refs, program)
    written = image["Host"] = _host(refs, scene)
    parent = extra["ParentProcess"] = refs.new(ProcessId=hex(scene.serial // 2), CreationTimeUtc=parent_started)
    parent["ImageFile"] = refs.new(Directory=program.folder, Name="shell.exe", Host=refs.again(written), Type="file")
    parent |= {"Host": refs.again(written), "Type": "process"}
    extra |= VERDICT
    extra |= {"Host": refs.again(written), "LastRemediationState": "Active", "Type": "process", "Role": 1}
    return {
        "EntityType": "Process",
        "EvidenceRole": "Related",
        "FileName": program.name,
        "FolderPath": program.folder,
        "SHA1": program.sha1,
        "SHA256": program.sha256,
        "FileSize": program.size,
        "ProcessCommandLine": _command_line(scene),
        "AdditionalFields": extra | merge_key(program.sha256, str(scene.serial)),
    }


def _command_line(scene: Scene) -> str:
    return f'"{scene.program.name}" "{_path(scene.file)}" --id {scene.serial} > out.txt & echo \'done\''


def _path(found: Artifact) -> str:
    return f"{found.folder}{'/' if found.folder.startswith('/') else chr(92)}{found.name}"


def file(scene: Scene, _event: int) -> Columns:
    """The file, with its host in every other row and its hash in capitals in some."""
    refs, found = References(), scene.file
    image = _image(refs, found)
    if scene.serial % 2:
        image["Host"] = _host(refs, scene)
    state = "Prevented" if scene.serial % 3 == 0 else "Active"
    return {
        "EntityType": "File",
        "EvidenceRole": "Related",
        "FileName": found.name,
        "FolderPath": found.folder,
        "SHA1": found.sha1,
        "SHA256": found.sha256.upper() if scene.serial % 7 == 0 else found.sha256,
        "FileSize": found.size,
        "AdditionalFields": image | VERDICT | {"LastRemediationState": state, "Role": 1} | merge_key(found.sha256),
    }


def malware(scene: Scene, _event: int) -> Columns:
    """The family that an antivirus names."""
    family = f"Pretender.{scene.serial % 90}"
    name = f"Trojan:Win32/{family}"
    extra = References().new(Name=name, Category="Trojan", ThreatFamilyName=family, Type="malware")
    return {"EntityType": "Malware", "EvidenceRole": "Related", "ThreatFamily": family, "AdditionalFields": extra}


def registry_key(scene: Scene, _event: int) -> Columns:
    """A service's key."""
    key = f"SYSTEM\\CurrentControlSet\\Services\\svc{scene.serial}"
    return {
        "EntityType": "RegistryKey",
        "EvidenceRole": "Related",
        "RegistryKey": f"HKEY_LOCAL_MACHINE\\{key}",
        "AdditionalFields": References().new(Hive="HKEY_LOCAL_MACHINE", Key=key, Type="registry-key", **merge_key(key)),
    }


def registry_value(scene: Scene, _event: int) -> Columns:
    """A value under the Run key."""
    refs, name = References(), f"Updater{scene.serial}"
    key = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"
    extra = refs.new(Name=name, Value=scene.file.name, ValueType="String", Type="registry-value")
    extra["Key"] = refs.new(Hive="HKEY_LOCAL_MACHINE", Key=key, Type="registry-key")
    extra["Host"] = _host(refs, scene)
    return {
        "EntityType": "RegistryValue",
        "EvidenceRole": "Related",
        "RegistryKey": f"HKEY_LOCAL_MACHINE\\{key}",
        "RegistryValueName": name,
        "RegistryValueData": _path(scene.file),
        "AdditionalFields": extra,
    }
