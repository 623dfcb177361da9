"""What an evidence row's AdditionalFields holds: JSON text in, the few facts that we use out. No frames' logic here.

The text is Json.NET's: references inside one row (`"$id":"3"` … `{"$ref":"3"}`), and JSON text inside JSON text (source
facts, section 4). It is written by services from what attackers do, so nothing in it may stop a day: what cannot be
read is null.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import polars as pl

_MOST_NODES = 20_000
_MOST_URLS = 100
_LARGEST_INTEGER = 2**63


class Fields(NamedTuple):
    """The facts that are taken from one AdditionalFields; None where there is none."""

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
"""The struct that `with_fields` adds: the columns of `Fields`."""

_NOTHING = Fields()
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
        pl.Series(field.name, [fields[place] for fields in parsed], dtype=field.dtype)
        for place, field in enumerate(FIELDS.fields)
    ]
    known = pl.DataFrame([texts, pl.DataFrame(columns).to_struct("fields")])
    return evidence.with_columns(read).join(known, on="_text", how="left", maintain_order="left").drop("_text")


def read_fields(text: str) -> Fields:
    """Return what one AdditionalFields text tells; never raises for what the text holds."""
    root = _node(text)
    if not isinstance(root, dict):
        return _NOTHING
    kind = _lower(root.get("Type"))
    image = _dict(root.get("ImageFile")) or root
    parent = _dict(root.get("ParentProcess"))
    account = root if kind in {"account", "mailbox"} or "AadUserId" in root else _dict(root.get("Account"))
    host = _host(root) if "MachineId" in text or "HostName" in text else {}
    hashes = _hashes(image)
    return Fields(
        kind=kind,
        role=_word(root.get("Role")),
        entity_key=_lower(root.get("MergeByKeyHex")),
        machine_id=_lower(host.get("MachineId")),
        host_name=_text(host.get("HostName")) or _text(host.get("NetBiosName")),
        os_family=_text(host.get("OSFamily")),
        detection_status=_text(root.get("DetectionStatus")),
        last_verdict=_text(root.get("LastVerdict")),
        suspicion_level=_text(root.get("SuspicionLevel")),
        remediation_state=_text(root.get("LastRemediationState")),
        file_name=_text(image.get("Name")) if kind in {"file", "process"} else None,
        folder=_text(image.get("Directory")),
        sha1=hashes.get("sha1"),
        sha256=hashes.get("sha256"),
        md5=hashes.get("md5"),
        process_id=_integer(root.get("ProcessId")),
        created=_text(root.get("CreationTimeUtc")),
        parent_file_name=_text(_dict(parent.get("ImageFile")).get("Name")),
        parent_command_line=_text(parent.get("CommandLine")),
        account_name=_text(account.get("Name")),
        account_domain=_text(account.get("NTDomain")),
        account_sid=_text(account.get("Sid")),
        account_object_id=_text(account.get("AadUserId")) or _text(account.get("AadId")),
        account_upn=_upn(account),
        address=_text(root.get("Address")),
        country=_text(_dict(root.get("Location")).get("CountryCode")),
        url=_text(root.get("Url")),
        urls=_urls(root.get("Urls")),
        network_message_id=_lower(root.get("NetworkMessageId")),
        subject=_text(root.get("Subject")),
        sender_address=_text(root.get("SenderIP")),
        sender=_text(root.get("Sender")) or _text(root.get("P2Sender")) or _text(root.get("P1Sender")),
        recipient=_text(root.get("Recipient")),
        mail_direction=_lower(root.get("AntispamDirection")),
        mailbox_address=_text(root.get("MailboxPrimaryAddress")),
        display_name=_text(root.get("DisplayName")),
        session_id=_lower(root.get("SessionId")) or _lower(root.get("RequestId")),
        session_started=_text(root.get("StartTimeUtc")),
        user_agent=_text(root.get("UserAgent")),
        application=_text(root.get("AppName")) or (_text(root.get("Name")) if "AppId" in root else None),
        application_id=_text(root.get("AppId")),
        oauth_application_id=_lower(root.get("OAuthAppId")),
        resource_id=_text(root.get("ResourceId")),
    )


def _decoded(text: str) -> Any:
    """Return the JSON value of a text with its references resolved, or None."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        # The standard library reads what msgspec refuses, such as a lone surrogate in a file name.
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return None
    return _linked(value) if '"$ref"' in text else value


def _linked(root: Any) -> Any:
    """Put the object in the place of each reference to it; a text inside a text is a document of its own."""
    targets = {str(node["$id"]): node for node in _walk(root) if isinstance(node, dict) and "$id" in node}
    for node in list(_walk(root)):
        places = node.items() if isinstance(node, dict) else enumerate(node)
        for place, child in list(places):
            if isinstance(child, dict) and "$ref" in child:
                node[place] = targets.get(str(child["$ref"]))
    return root


def _walk(root: Any) -> Iterator[Any]:
    """Yield the objects and arrays of a value, shallow ones first; references make circles, so each one once."""
    level: list[Any] = [root]
    seen = set[int]()
    while level and len(seen) < _MOST_NODES:
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict | list) and id(node) not in seen:
                seen.add(id(node))
                yield node
                below.extend(node.values() if isinstance(node, dict) else node)
        level = below


def _node(value: Any) -> Any:
    """Return an object or array as it is, or the one that a text spells (or a text in a text); else None."""
    for _ in range(3):
        if not isinstance(value, str) or not value.lstrip().startswith(("{", "[", '"')):
            break
        value = _decoded(value)
    return value if isinstance(value, dict | list) else None


def _dict(value: Any) -> dict[str, Any]:
    node = _node(value)
    return node if isinstance(node, dict) else {}


def _host(root: dict[str, Any]) -> dict[str, Any]:
    """Return the object that carries the MachineId; the likely places first, then the shallowest."""
    candidates = [root]
    for path in _HOST_PATHS:
        node = root
        for name in path:
            node = _dict(node.get(name))
        candidates.append(node)
    for node in candidates:
        if isinstance(node.get("MachineId"), str):
            return node
    for node in _walk(root):
        if isinstance(node, dict) and isinstance(node.get("MachineId"), str):
            return node
    return next((node for node in candidates if _text(node.get("HostName"))), {})


def _hashes(file: dict[str, Any]) -> dict[str, str]:
    """Return the lower-case hashes of a file by the lower-case name of their algorithm."""
    listed = _node(file.get("FileHashes"))
    pairs = [
        (_lower(entry.get("Algorithm")), _lower(entry.get("Value")))
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
    ]
    return {algorithm: value for algorithm, value in pairs if algorithm and value}


def _urls(value: Any) -> list[str] | None:
    listed = _node(value)
    if not isinstance(listed, list):
        return None
    texts = [_text(entry.get("Url") if isinstance(entry, dict) else entry) for entry in listed[:_MOST_URLS]]
    return [text for text in texts if text] or None


def _text(value: Any) -> str | None:
    """Return a scalar as text, trimmed, None when empty; a lone surrogate, which no frame can hold, as `?`."""
    if isinstance(value, dict | list) or value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.strip() or None


def _upn(account: dict[str, Any]) -> str | None:
    name, suffix = _text(account.get("Name")), _text(account.get("UPNSuffix"))
    composed = f"{name}@{suffix}" if name and suffix and "@" not in name else None
    return _text(account.get("UserPrincipalName")) or _text(account.get("Upn")) or composed


def _word(value: Any) -> str | None:
    """Return text that is not merely a number: services write roles as words and as positions of a list of theirs."""
    text = _text(value)
    return None if text is None or text.lstrip("-").isdigit() else text


def _lower(value: Any) -> str | None:
    text = _text(value)
    return text.lower() if text else None


def _integer(value: Any) -> int | None:
    try:
        number = int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < _LARGEST_INTEGER else None
