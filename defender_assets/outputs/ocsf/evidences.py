"""The entities of a lead as OCSF objects: evidences, resources, observables, the device.

OCSF requires more of some objects than Microsoft provides (a sender is an address, a file has a name). A value that an
object cannot take goes unchanged to the evidence's `data`.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from defender_assets.core.identifiers import stable_id
from defender_assets.outputs.ocsf import codes

Object = dict[str, Any]

# schema.ocsf.io, email_t
_ADDRESS = re.compile(r"[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+\Z")


_PARENT = (
    "parent_file_name", "parent_command_line", "parent_folder", "parent_process_id", "parent_sha1", "parent_sha256",
)  # fmt: skip


def filled(**fields: object) -> Object:
    """Return the fields without null, empty text, empty lists and empty objects."""
    return {name: value for name, value in fields.items() if value is not None and value not in ([], {}, "")}


def evidences(lead: Mapping[str, Any]) -> list[Object]:
    """Return one evidence per entity of the lead and per further device; of cloud resources, only the containers."""
    makers = {
        "accounts": _account,
        "files": _only_file,
        "processes": _process,
        "ip_addresses": _address,
        "urls": _url,
        "mails": _mail,
        "mailboxes": _mailbox,
        "registry": _registry,
        "applications": _application,
        "logon_sessions": _session,
        "other_entities": _other,
    }
    found = [make(entity) for name, make in makers.items() for entity in lead.get(name) or []]
    found += [
        _device(entity) for entity in (lead.get("devices") or [])[1:] if entity["device_id"] or entity["device_name"]
    ]
    return found + [_container(entity) for entity in lead["cloud_resources"] or [] if entity["type"] == "Container"]


def resources(lead: Mapping[str, Any]) -> list[Object]:
    """Return the cloud resources of the lead."""
    return [
        filled(
            name=entity["name"],
            uid=entity["resource_id"],
            type=entity["type"],
            data=filled(
                platform=entity["platform"],
                subscription_id=entity["subscription_id"],
                role=entity["role"],
                parent=entity.get("parent"),
                image=entity.get("image"),
            ),
        )
        for entity in lead["cloud_resources"] or []
        if entity["name"] or entity["resource_id"]
    ]


def device(lead: Mapping[str, Any]) -> Object | None:
    """Return the device as it was at the alert, None if no evidence names one."""
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
    """Return the values that searches look for: hosts, users, addresses, URLs, hashes; each once."""
    seen = dict.fromkeys(_observed(lead))
    return [{"name": name, "type_id": type_id, "value": value} for name, type_id, value in seen]


def milliseconds(instant: Any) -> int | None:
    """Return an instant as OCSF's timestamp_t: whole milliseconds since 1970, UTC."""
    return None if instant is None else int(instant.timestamp()) * 1000 + int(instant.microsecond) // 1000


def _observed(lead: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    fields = (
        ("device.hostname", codes.HOSTNAME, [lead["device_name"]]),
        (
            "evidences[].user.name",
            codes.USER_NAME,
            [entity["upn"] or entity["name"] for entity in lead["accounts"] or []],
        ),
        (
            "evidences[].dst_endpoint.ip",
            codes.ADDRESS,
            [entity["address"] for entity in lead["ip_addresses"] or [] if _is_address(entity["address"])],
        ),
        ("evidences[].url.url_string", codes.URL_STRING, [entity["url"] for entity in lead["urls"] or []]),
        ("evidences[].file.hashes[].value", codes.HASH, _hashes(lead["files"])),
        ("evidences[].process.file.hashes[].value", codes.HASH, _hashes(lead["processes"])),
    )
    for name, type_id, values in fields:
        yield from ((name, type_id, value) for value in values if value)


def _hashes(files: list[Mapping[str, Any]] | None) -> list[str | None]:
    return [entity[kind] for entity in files or [] for kind in ("sha256", "sha1")]


@lru_cache(maxsize=4096)
def _is_address(text: str | None) -> bool:
    try:
        ipaddress.ip_address(text or "")
    except ValueError:
        return False
    return "%" not in (text or "")


def _is_mail_address(text: str | None) -> bool:
    return text is not None and _ADDRESS.match(text) is not None


def _file(entity: Mapping[str, Any], name: str | None) -> Object | None:
    """Return OCSF's file, which must have a name: if it has none, its hash is the name."""
    hashes = [
        {"algorithm_id": number, "algorithm": algorithm, "value": entity[field]}
        for field, number, algorithm in (("sha256", codes.SHA256, "SHA-256"), ("sha1", codes.SHA1, "SHA-1"))
        if entity[field]
    ]
    shown = name or (hashes[0]["value"] if hashes else None)
    if shown is None:
        return None
    folder, size = entity["folder"], entity.get("size")
    return filled(name=shown, type_id=codes.UNKNOWN, parent_folder=folder, hashes=hashes, size=size)


def _evidence(entity: Mapping[str, Any], name: str, left: Mapping[str, Any], **objects: object) -> Object:
    """Return an evidence; `left` are the values without a field of their own, for its `data`."""
    data = filled(kind=name, role=entity.get("role"), verdict=entity.get("verdict"), **left)
    return {"name": name, **filled(**objects), "data": data}


def _account(entity: Mapping[str, Any]) -> Object:
    name = entity["upn"] or entity["name"]
    uid = entity["object_id"] or entity["sid"]
    user = filled(
        name=name,
        uid=uid,
        uid_alt=entity["sid"] if entity["sid"] != uid else None,
        domain=entity["domain"],
        email_addr=entity["upn"] if _is_mail_address(entity["upn"]) else None,
        display_name=entity.get("display_name"),
    )
    return _evidence(entity, "user", {} if name or uid else _without_name(entity), user=user if name or uid else None)


def _only_file(entity: Mapping[str, Any]) -> Object:
    return _evidence(entity, "file", {"threat_family": entity["threat_family"]}, file=_file(entity, entity["name"]))


def _process(entity: Mapping[str, Any]) -> Object:
    """Return a process; Microsoft often gives no process id, so it also gets a `uid` of ours, as OCSF allows."""
    identifying = ("file_name", "folder", "sha1", "sha256", "command_line", "process_id", "started")
    process = filled(
        pid=entity["process_id"],
        uid=stable_id("process", repr([entity[name] for name in identifying])),
        name=entity["file_name"],
        cmd_line=entity["command_line"],
        file=_file(entity, entity["file_name"]),
    )
    left = {name: entity.get(name) for name in ("started", *_PARENT)}
    return _evidence(entity, "process", left, process=process)


def _address(entity: Mapping[str, Any]) -> Object:
    if not _is_address(entity["address"]):
        return _evidence(entity, "address", {"address": entity["address"], "country": entity["country"]})
    return _evidence(entity, "address", {"country": entity["country"]}, dst_endpoint={"ip": entity["address"]})


def _url(entity: Mapping[str, Any]) -> Object:
    return _evidence(entity, "url", {}, url=filled(url_string=entity["url"], hostname=entity["host"]))


def _mail(entity: Mapping[str, Any]) -> Object:
    sender, recipient = entity["sender"], entity["recipient"]
    senders, recipients = _mail_addresses(sender), _mail_addresses(recipient)
    addresses = {
        "from": senders[0] if senders else None,
        "from_list": senders if len(senders) > 1 else [],
        "to": recipients,
    }
    left = {
        "sender": None if senders else sender,
        "sender_name": entity.get("sender_name"),
        "recipient": None if recipients else recipient,
    }
    mail = filled(**addresses)
    if not mail:
        return _evidence(entity, "mail", {**left, "subject": entity["subject"], "uid": entity["network_message_id"]})
    return _evidence(
        entity, "mail", left, email={**mail, **filled(subject=entity["subject"], uid=entity["network_message_id"])}
    )


def _mailbox(entity: Mapping[str, Any]) -> Object:
    name = entity["upn"] or entity["address"]
    user = filled(
        name=name,
        display_name=entity["display_name"],
        email_addr=entity["address"] if _is_mail_address(entity["address"]) else None,
    )
    if not name:
        return _evidence(entity, "mailbox", {"display_name": entity["display_name"]})
    return _evidence(entity, "mailbox", {"configuration": entity.get("configuration")}, user=user)


def _registry(entity: Mapping[str, Any]) -> Object:
    if entity["value_name"]:
        value = filled(path=entity["key"], name=entity["value_name"], data=entity["value_data"])
        return _evidence(entity, "registry", {}, reg_value=value)
    return _evidence(entity, "registry", {"value_data": entity["value_data"]}, reg_key={"path": entity["key"]})


def _without_name(account: Mapping[str, Any]) -> Object:
    return {"domain": account["domain"], "display_name": account.get("display_name")}


def _application(entity: Mapping[str, Any]) -> Object:
    """Return an application; OCSF has its name and id as those of an actor."""
    uid = entity["oauth_application_id"] or entity["application_id"]
    actor = filled(app_name=entity["name"], app_uid=uid)
    left = {name: entity.get(name) for name in ("object_id", "instance", "publisher")}
    if uid != entity["application_id"]:
        left["application_id"] = entity["application_id"]
    return _evidence(entity, "application", left, actor=actor)


def _session(entity: Mapping[str, Any]) -> Object:
    left = {name: entity[name] for name in ("account", "started", "user_agent")}
    session = filled(uid=entity["session_id"])
    return _evidence(entity, entity["kind"] or "session", left, actor=filled(session=session))


def _other(entity: Mapping[str, Any]) -> Object:
    return _evidence(entity, entity["kind"], {"entity_name": entity["name"], "details": entity["details"]})


def _container(entity: Mapping[str, Any]) -> Object:
    """Return a container; an image has to have an id."""
    image = filled(uid=entity.get("image"), name=entity.get("image"))
    container = filled(name=entity["name"], uid=entity["resource_id"], image=image)
    return _evidence(entity, "container", {"parent": entity.get("parent")}, container=container)


def _device(entity: Mapping[str, Any]) -> Object:
    """Return a further device of the alert; one that is known by name only has no id."""
    platform = entity["os_platform"]
    device = filled(
        uid=entity["device_id"],
        hostname=entity["device_name"],
        os=filled(name=platform, type_id=codes.system_id(platform)) if platform else None,
        groups=[{"name": entity["machine_group"]}] if entity["machine_group"] else [],
    )
    return _evidence(entity, "device", {}, device={**device, "type_id": codes.UNKNOWN})


def _mail_addresses(text: str | None) -> list[str]:
    return [address for address in (text or "").split(", ") if _is_mail_address(address)]
