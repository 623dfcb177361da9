"""What an evidence row's AdditionalFields holds: the few facts that we use. How the text is spelt: `json_net`."""

from typing import Any, NamedTuple

import polars as pl

from defender_assets.core.entities.json_net import integer_of, lower_of, node_of, object_of, text_of, walk, word_of

_MOST_URLS = 100


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
    root = node_of(text)
    if not isinstance(root, dict):
        return _NOTHING
    kind = lower_of(root.get("Type"))
    image = object_of(root.get("ImageFile")) or root
    parent = object_of(root.get("ParentProcess"))
    account = root if kind in {"account", "mailbox"} or "AadUserId" in root else object_of(root.get("Account"))
    host = _host(root) if "MachineId" in text or "HostName" in text else {}
    hashes = _hashes(image)
    return Fields(
        kind=kind,
        role=word_of(root.get("Role")),
        entity_key=lower_of(root.get("MergeByKeyHex")),
        machine_id=lower_of(host.get("MachineId")),
        host_name=text_of(host.get("HostName")) or text_of(host.get("NetBiosName")),
        os_family=text_of(host.get("OSFamily")),
        detection_status=text_of(root.get("DetectionStatus")),
        last_verdict=text_of(root.get("LastVerdict")),
        suspicion_level=text_of(root.get("SuspicionLevel")),
        remediation_state=text_of(root.get("LastRemediationState")),
        file_name=text_of(image.get("Name")) if kind in {"file", "process"} else None,
        folder=text_of(image.get("Directory")),
        sha1=hashes.get("sha1"),
        sha256=hashes.get("sha256"),
        md5=hashes.get("md5"),
        process_id=integer_of(root.get("ProcessId")),
        created=text_of(root.get("CreationTimeUtc")),
        parent_file_name=text_of(object_of(parent.get("ImageFile")).get("Name")),
        parent_command_line=text_of(parent.get("CommandLine")),
        account_name=text_of(account.get("Name")),
        account_domain=text_of(account.get("NTDomain")),
        account_sid=text_of(account.get("Sid")),
        account_object_id=text_of(account.get("AadUserId")) or text_of(account.get("AadId")),
        account_upn=_upn(account),
        address=text_of(root.get("Address")),
        country=text_of(object_of(root.get("Location")).get("CountryCode")),
        url=text_of(root.get("Url")),
        urls=_urls(root.get("Urls")),
        network_message_id=lower_of(root.get("NetworkMessageId")),
        subject=text_of(root.get("Subject")),
        sender_address=text_of(root.get("SenderIP")),
        sender=text_of(root.get("Sender")) or text_of(root.get("P2Sender")) or text_of(root.get("P1Sender")),
        recipient=text_of(root.get("Recipient")),
        mail_direction=lower_of(root.get("AntispamDirection")),
        mailbox_address=text_of(root.get("MailboxPrimaryAddress")),
        display_name=text_of(root.get("DisplayName")),
        session_id=lower_of(root.get("SessionId")) or lower_of(root.get("RequestId")),
        session_started=text_of(root.get("StartTimeUtc")),
        user_agent=text_of(root.get("UserAgent")),
        application=text_of(root.get("AppName")) or (text_of(root.get("Name")) if "AppId" in root else None),
        application_id=text_of(root.get("AppId")),
        oauth_application_id=lower_of(root.get("OAuthAppId")),
        resource_id=text_of(root.get("ResourceId")),
    )


def _host(root: dict[str, Any]) -> dict[str, Any]:
    """Return the object that carries the MachineId; the likely places first, then the shallowest."""
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


def _hashes(file: dict[str, Any]) -> dict[str, str]:
    """Return the lower-case hashes of a file by the lower-case name of their algorithm."""
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


def _upn(account: dict[str, Any]) -> str | None:
    name, suffix = text_of(account.get("Name")), text_of(account.get("UPNSuffix"))
    composed = f"{name}@{suffix}" if name and suffix and "@" not in name else None
    return text_of(account.get("UserPrincipalName")) or text_of(account.get("Upn")) or composed
