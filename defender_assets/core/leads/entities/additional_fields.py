"""The values of an evidence row's AdditionalFields that leads use. Its JSON is read by `json_net`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import polars as pl

from defender_assets.core.leads.entities.json_net import (
    integer_of,
    lower_of,
    node_of,
    object_of,
    text_of,
    walk,
    word_of,
)

_MOST_URLS = 100


class Fields(NamedTuple):
    """The values of one AdditionalFields; None if absent."""

    kind: str | None = None
    role: str | None = None
    entity_key: str | None = None
    machine_id: str | None = None
    host_name: str | None = None
    os_family: str | None = None
    detection_status: str | None = None
    last_verdict: str | None = None
    suspicion_level: str | None = None
    remediation_state: str | None = None
    file_name: str | None = None
    folder: str | None = None
    sha1: str | None = None
    sha256: str | None = None
    md5: str | None = None
    process_id: int | None = None
    created: str | None = None
    parent_file_name: str | None = None
    parent_command_line: str | None = None
    account_name: str | None = None
    account_domain: str | None = None
    account_sid: str | None = None
    account_object_id: str | None = None
    account_upn: str | None = None
    address: str | None = None
    country: str | None = None
    url: str | None = None
    urls: list[str] | None = None
    network_message_id: str | None = None
    subject: str | None = None
    sender: str | None = None
    sender_address: str | None = None
    recipient: str | None = None
    mail_direction: str | None = None
    mailbox_address: str | None = None
    display_name: str | None = None
    session_id: str | None = None
    session_started: str | None = None
    user_agent: str | None = None
    application: str | None = None
    application_id: str | None = None
    oauth_application_id: str | None = None
    resource_id: str | None = None


FIELDS = pl.Struct(
    {name: pl.String() for name in Fields._fields} | {"process_id": pl.Int64(), "urls": pl.List(pl.String())}
)
"""`Fields` as a struct type."""

_HOST_PATHS = (("Host",), ("ImageFile", "Host"), ("ParentProcess", "Host"), ("ParentProcess", "ImageFile", "Host"))


def with_fields(evidence: pl.DataFrame, where: pl.Expr | None = None) -> pl.DataFrame:
    """Return the evidence with a struct column `fields` (FIELDS); each distinct text is parsed once.

    With `where`, only the rows for which it holds are parsed; the others' `fields` is null.
    """
    text = pl.col("AdditionalFields")
    read = evidence.select(text if where is None else pl.when(where).then(text)).to_series().alias("_text")
    texts = read.drop_nulls().unique()
    parsed = [read_fields(text) for text in texts]
    columns = [
        pl.Series(field.name, [fields[index] for fields in parsed], dtype=field.dtype)
        for index, field in enumerate(FIELDS.fields)
    ]
    by_text = pl.DataFrame([texts, pl.DataFrame(columns).to_struct("fields")])
    return evidence.with_columns(read).join(by_text, on="_text", how="left", maintain_order="left").drop("_text")


def read_fields(text: str) -> Fields:
    """Return the values of one AdditionalFields text; no content raises an error."""
    root = node_of(text)
    if not isinstance(root, dict):
        return Fields()
    kind = lower_of(root.get("Type"))
    found = {name: read(root[key]) for key, (name, read) in _TOP_LEVEL.items() if key in root}
    if "MachineId" in text or "HostName" in text:
        found |= _of_host(_host(root))
    if "ParentProcess" in root:
        found |= _of_parent(object_of(root["ParentProcess"]))
    if kind in {"account", "mailbox"} or "AadUserId" in root:
        found |= _of_account(root)
    elif "Account" in root:
        found |= _of_account(object_of(root["Account"]))
    return Fields(kind=kind, **found, **_of_file(object_of(root.get("ImageFile")) or root, kind), **_of_session(root))


def _of_host(host: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "machine_id": lower_of(host.get("MachineId")),
        "host_name": text_of(host.get("HostName")) or text_of(host.get("NetBiosName")),
        "os_family": text_of(host.get("OSFamily")),
    }


def _of_parent(parent: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "parent_file_name": text_of(object_of(parent.get("ImageFile")).get("Name")),
        "parent_command_line": text_of(parent.get("CommandLine")),
    }


def _of_account(account: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "account_name": text_of(account.get("Name")),
        "account_domain": text_of(account.get("NTDomain")),
        "account_sid": text_of(account.get("Sid")),
        "account_object_id": text_of(account.get("AadUserId")) or text_of(account.get("AadId")),
        "account_upn": _upn(account),
    }


def _of_file(file: Mapping[str, Any], kind: str | None) -> dict[str, Any]:
    hashes = _hashes(file)
    return {
        "file_name": text_of(file.get("Name")) if kind in {"file", "process"} else None,
        "folder": text_of(file.get("Directory")),
        "sha1": hashes.get("sha1"),
        "sha256": hashes.get("sha256"),
        "md5": hashes.get("md5"),
    }


def _of_session(root: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that services write under different names."""
    return {
        "sender": text_of(root.get("Sender")) or text_of(root.get("P2Sender")) or text_of(root.get("P1Sender")),
        "session_id": lower_of(root.get("SessionId")) or lower_of(root.get("RequestId")),
        "application": text_of(root.get("AppName")) or (text_of(root.get("Name")) if "AppId" in root else None),
    }


def _host(root: dict[str, Any]) -> dict[str, Any]:
    """Return the object with the MachineId: usual paths first, then the shallowest; else one with a HostName."""
    candidates = [root]
    for path in _HOST_PATHS:
        node = root
        for name in path:
            node = object_of(node.get(name))
        candidates.append(node)
    for node in candidates:
        if isinstance(node.get("MachineId"), str):
            return node
    for node in walk(root):
        if isinstance(node, dict) and isinstance(node.get("MachineId"), str):
            return node
    return next((node for node in candidates if text_of(node.get("HostName"))), {})


def _hashes(file: Mapping[str, Any]) -> dict[str, str]:
    """Return algorithm -> hash of a file, both in lower case."""
    listed = node_of(file.get("FileHashes"))
    pairs = [
        (lower_of(entry.get("Algorithm")), lower_of(entry.get("Value")))
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
    ]
    return {algorithm: value for algorithm, value in pairs if algorithm and value}


def _urls(value: Any) -> list[str] | None:
    listed = node_of(value)
    if not isinstance(listed, list):
        return None
    texts = [text_of(entry.get("Url") if isinstance(entry, dict) else entry) for entry in listed[:_MOST_URLS]]
    return [text for text in texts if text] or None


def _upn(account: Mapping[str, Any]) -> str | None:
    name, suffix = text_of(account.get("Name")), text_of(account.get("UPNSuffix"))
    composed = f"{name}@{suffix}" if name and suffix and "@" not in name else None
    return text_of(account.get("UserPrincipalName")) or text_of(account.get("Upn")) or composed


# Top-level name -> field and how its value is read; the other fields can be in several places.
_TOP_LEVEL: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "Role": ("role", word_of),
    "MergeByKeyHex": ("entity_key", lower_of),
    "DetectionStatus": ("detection_status", text_of),
    "LastVerdict": ("last_verdict", text_of),
    "SuspicionLevel": ("suspicion_level", text_of),
    "LastRemediationState": ("remediation_state", text_of),
    "ProcessId": ("process_id", integer_of),
    "CreationTimeUtc": ("created", text_of),
    "Address": ("address", text_of),
    "Location": ("country", lambda location: text_of(object_of(location).get("CountryCode"))),
    "Url": ("url", text_of),
    "Urls": ("urls", _urls),
    "NetworkMessageId": ("network_message_id", lower_of),
    "Subject": ("subject", text_of),
    "SenderIP": ("sender_address", text_of),
    "Recipient": ("recipient", text_of),
    "AntispamDirection": ("mail_direction", lower_of),
    "MailboxPrimaryAddress": ("mailbox_address", text_of),
    "DisplayName": ("display_name", text_of),
    "StartTimeUtc": ("session_started", text_of),
    "UserAgent": ("user_agent", text_of),
    "AppId": ("application_id", text_of),
    "OAuthAppId": ("oauth_application_id", lower_of),
    "ResourceId": ("resource_id", text_of),
}
