"""The entities of a lead as OCSF objects: evidences, resources, observables, the device. The event is put together in
`event`.

OCSF asks more of some objects than Microsoft fills (a sender is an address, a file has a name). What an object
cannot take goes to the evidence's `data`, as it was.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from defender_assets.core.identifiers import stable_id
from defender_assets.outputs.ocsf import codes

Object = dict[str, Any]

# schema.ocsf.io, email_t
_ADDRESS = re.compile(r"[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+\Z")


def filled(**fields: object) -> Object:
    """Return the fields that hold something: null, empty lists and empty objects are left out."""
    return {name: value for name, value in fields.items() if value is not None and value not in ([], {}, "")}


def evidences(lead: Mapping[str, Any]) -> list[Object]:
    """Return one evidence for each entity of the lead that is not a cloud resource."""
    makers = {
        "accounts": _account,
        "files": _only_file,
        "processes": _process,
        "ip_addresses": _address,
        "urls": _url,
        "mails": _mail,
        "mailboxes": _mailbox,
        "registry": _registry,
    }
    return [make(entity) for name, make in makers.items() for entity in lead[name] or []]


def resources(lead: Mapping[str, Any]) -> list[Object]:
    """Return the cloud resources of the lead."""
    return [
        filled(
            name=of["name"],
            uid=of["resource_id"],
            type=of["type"],
            data=filled(platform=of["platform"], subscription_id=of["subscription_id"], role=of["role"]),
        )
        for of in lead["cloud_resources"] or []
    ]


def device(lead: Mapping[str, Any]) -> Object | None:
    """Return the device as it was at the alert, or none where no evidence names one."""
    if lead["device_id"] is None and lead["device_name"] is None:
        return None
    platform = lead["os_platform"]
    return filled(
        uid=lead["device_id"],
        uid_alt=lead["original_device_id"] if lead["original_device_id"] != lead["device_id"] else None,
        hostname=lead["device_name"],
        type=lead["device_type"],
        type_id=codes.device_type_id(lead["device_type"]),
        os=filled(
            name=platform,
            type_id=codes.system_id(platform),
            version=lead["os_version"],
            build=None if lead["os_build"] is None else str(lead["os_build"]),
        )
        if platform
        else None,
        groups=[{"name": lead["machine_group"]}] if lead["machine_group"] else [],
        last_seen_time=milliseconds(lead["device_seen_at"]),
    )


def observables(lead: Mapping[str, Any]) -> list[Object]:
    """Return what a search over many events looks for: hosts, users, addresses, URLs, hashes; each once."""
    seen = dict.fromkeys(_observed(lead))
    return [{"name": name, "type_id": type_id, "value": value} for name, type_id, value in seen]


def milliseconds(instant: Any) -> int | None:
    """Return an instant as OCSF's timestamp_t: whole milliseconds since 1970, UTC."""
    if instant is None:
        return None
    return int(instant.timestamp()) * 1000 + int(instant.microsecond) // 1000


def _observed(lead: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    fields = (
        ("device.hostname", codes.HOSTNAME, [lead["device_name"]]),
        ("evidences[].user.name", codes.USER_NAME, [of["upn"] or of["name"] for of in lead["accounts"] or []]),
        (
            "evidences[].dst_endpoint.ip",
            codes.ADDRESS,
            [of["address"] for of in lead["ip_addresses"] or [] if _is_address(of["address"])],
        ),
        ("evidences[].url.url_string", codes.URL_STRING, [of["url"] for of in lead["urls"] or []]),
        ("evidences[].file.hashes[].value", codes.HASH, _hashes(lead["files"])),
        ("evidences[].process.file.hashes[].value", codes.HASH, _hashes(lead["processes"])),
    )
    for name, type_id, values in fields:
        yield from ((name, type_id, value) for value in values if value)


def _hashes(files: list[Mapping[str, Any]] | None) -> list[str | None]:
    return [of[kind] for of in files or [] for kind in ("sha256", "sha1")]


def _is_address(text: str | None) -> bool:
    try:
        ipaddress.ip_address(text or "")
    except ValueError:
        return False
    return "%" not in (text or "")


def _is_mail_address(text: str | None) -> bool:
    return text is not None and _ADDRESS.match(text) is not None


def _file(of: Mapping[str, Any], name: str | None) -> Object | None:
    """Return OCSF's file, which has a name: failing one, its hash names it."""
    hashes = [
        {"algorithm_id": number, "algorithm": algorithm, "value": of[field]}
        for field, number, algorithm in (("sha256", codes.SHA256, "SHA-256"), ("sha1", codes.SHA1, "SHA-1"))
        if of[field]
    ]
    shown = name or (hashes[0]["value"] if hashes else None)
    if shown is None:
        return None
    size = of.get("size")
    folder = of["folder"]
    return filled(name=shown, type_id=codes.UNKNOWN, parent_folder=folder, hashes=hashes, size=size)


def _evidence(of: Mapping[str, Any], name: str, left: Mapping[str, Any], **objects: object) -> Object:
    """Return an evidence; whatever has no field of its own is its `data`."""
    known = filled(**objects)
    data = filled(kind=name, role=of.get("role"), verdict=of.get("verdict"), **left)
    return {"name": name, **known, "data": data}


def _account(of: Mapping[str, Any]) -> Object:
    name = of["upn"] or of["name"]
    uid = of["object_id"] or of["sid"]
    user = filled(
        name=name,
        uid=uid,
        uid_alt=of["sid"] if of["sid"] != uid else None,
        domain=of["domain"],
        email_addr=of["upn"] if _is_mail_address(of["upn"]) else None,
    )
    return _evidence(of, "user", {} if name or uid else {"domain": of["domain"]}, user=user if name or uid else None)


def _only_file(of: Mapping[str, Any]) -> Object:
    return _evidence(of, "file", {"threat_family": of["threat_family"]}, file=_file(of, of["name"]))


def _process(of: Mapping[str, Any]) -> Object:
    """Return a process; Microsoft often names none by number, so one has an id of ours as well, which OCSF allows."""
    told = ("file_name", "folder", "sha1", "sha256", "command_line", "process_id", "started")
    process = filled(
        pid=of["process_id"],
        uid=stable_id("process", repr([of[name] for name in told])),
        name=of["file_name"],
        cmd_line=of["command_line"],
        file=_file(of, of["file_name"]),
    )
    left = {name: of[name] for name in ("started", "parent_file_name", "parent_command_line")}
    return _evidence(of, "process", left, process=process)


def _address(of: Mapping[str, Any]) -> Object:
    if not _is_address(of["address"]):
        return _evidence(of, "address", {"address": of["address"], "country": of["country"]})
    return _evidence(of, "address", {"country": of["country"]}, dst_endpoint={"ip": of["address"]})


def _url(of: Mapping[str, Any]) -> Object:
    return _evidence(of, "url", {}, url=filled(url_string=of["url"], hostname=of["host"]))


def _mail(of: Mapping[str, Any]) -> Object:
    sender, recipient = of["sender"], of["recipient"]
    fitting = {
        "from": sender if _is_mail_address(sender) else None,
        "to": [recipient] if _is_mail_address(recipient) else [],
    }
    left = {
        "sender": sender if fitting["from"] is None else None,
        "recipient": recipient if not fitting["to"] else None,
    }
    mail = filled(**fitting)
    if not mail:
        return _evidence(of, "mail", {**left, "subject": of["subject"], "uid": of["network_message_id"]})
    return _evidence(of, "mail", left, email={**mail, **filled(subject=of["subject"], uid=of["network_message_id"])})


def _mailbox(of: Mapping[str, Any]) -> Object:
    name = of["upn"] or of["address"]
    user = filled(
        name=name,
        display_name=of["display_name"],
        email_addr=of["address"] if _is_mail_address(of["address"]) else None,
    )
    if not name:
        return _evidence(of, "mailbox", {"display_name": of["display_name"]})
    return _evidence(of, "mailbox", {}, user=user)


def _registry(of: Mapping[str, Any]) -> Object:
    if of["value_name"]:
        value = filled(path=of["key"], name=of["value_name"], data=of["value_data"])
        return _evidence(of, "registry", {}, reg_value=value)
    return _evidence(of, "registry", {"value_data": of["value_data"]}, reg_key={"path": of["key"]})
