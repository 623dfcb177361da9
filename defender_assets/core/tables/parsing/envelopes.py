"""Opens the envelope of a line and finds the bytes of `properties`.

Three shapes are accepted (source facts, section 2): one record, `{"records": […]}` of Event Hub, and the same wrapped
as `{"body": {"records": […]}}`.
"""

import re
from dataclasses import dataclass, replace

import msgspec
from msgspec import Raw

from defender_assets.core.schemas import Table


class UnreadableLineError(Exception):
    """The line is not a record. `reason` is one of `QUARANTINE_REASONS`, `detail` is one short line."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """The envelope of a record, as Microsoft documents it."""

    category: str
    tenant_id: str = msgspec.field(name="tenantId")
    properties: Raw
    time: str | None = None
    operation: str | None = msgspec.field(name="operationName", default=None)
    received: str | None = msgspec.field(name="_TimeReceivedBySvc", default=None)
    Tenant: str | None = None


@dataclass(frozen=True)
class OpenedRecord:
    """One record of a line. `extra` are the fields of the envelope beyond the documented keys and types.

    `written` are the bytes of `properties` in the blob. They differ only if a string contains half of a surrogate
    pair, which is replaced by U+FFFD in `properties`.
    """

    exported: str | None
    received: str | None
    properties: bytes
    written: bytes
    extra: dict[str, Raw] | None = None


REPLACEMENT = rb"\ufffd"
# an escape: a whole surrogate pair, half of one (six bytes, as long as its replacement), or any other
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL
)
TOO_DEEP = "nested deeper than the parser's limit"
_envelope = msgspec.json.Decoder(Envelope)
_fields = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_text = msgspec.json.Decoder(str)
_KEYS = frozenset(field.encode_name for field in msgspec.structs.fields(Envelope))


def open_line(table: Table, tenant_id: str, line: bytes) -> list[OpenedRecord]:
    """Return the records of a line from the folder of `tenant_id`.

    Raises:
        UnreadableLineError: one of them is not a record of this table and tenant.
    """
    try:
        envelope = _envelope.decode(line)
    except RecursionError:
        raise UnreadableLineError("too_deep", TOO_DEEP) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _open_slowly(table, tenant_id, line)
    _check_origin(table, tenant_id, envelope.category, envelope.tenant_id)
    properties = bytes(envelope.properties)
    return [OpenedRecord(envelope.time, envelope.received, properties, properties)]


def _open_slowly(table: Table, tenant_id: str, line: bytes) -> list[OpenedRecord]:
    # half a surrogate pair is legal JSON (RFC 8259, section 8.2), and Windows file names can hold one
    repaired = _ESCAPE.sub(lambda escape: REPLACEMENT if len(escape[0]) == len(REPLACEMENT) else escape[0], line)
    records = [_open(table, tenant_id, fields) for fields in _unwrap(repaired)]
    if repaired == line:
        return records
    at = 0
    for number, record in enumerate(records):
        at = repaired.index(record.properties, at)
        records[number] = replace(record, written=line[at : at + len(record.properties)])
        at += len(record.properties)
    return records


def read_object(text: bytes) -> dict[str, Raw]:
    """Return the fields of a JSON object in UTF-8, each as it was written.

    Raises:
        UnreadableLineError: the text is not a JSON object.
    """
    try:
        text.decode()
        return _fields.decode(text)
    except RecursionError:
        raise UnreadableLineError("too_deep", TOO_DEEP) from None
    except msgspec.ValidationError:
        raise UnreadableLineError("no_envelope", "not a JSON object") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableLineError("not_json", f"{type(error).__name__}: {error}"[:200]) from None


def _unwrap(line: bytes) -> list[dict[str, Raw]]:
    fields = read_object(line)
    around: dict[str, Raw] = {}
    while "properties" not in fields and ("body" in fields or "records" in fields):
        if "records" in fields:
            try:
                items = _items.decode(fields.pop("records"))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise UnreadableLineError("no_envelope", "`records` is not an array") from None
            return [{**around, **fields, **read_object(bytes(item))} for item in items]
        inner = read_object(bytes(fields.pop("body")))
        around |= fields
        fields = inner
    return [{**around, **fields}]


def _open(table: Table, tenant_id: str, fields: dict[str, Raw]) -> OpenedRecord:
    category, tenant = _text_of(fields.get("category")), _text_of(fields.get("tenantId"))
    properties = fields.get("properties")
    if category is None or tenant is None or properties is None:
        raise UnreadableLineError("no_envelope", "category, tenantId or properties is missing")
    _check_origin(table, tenant_id, category, tenant)
    exported, received = _text_of(fields.get("time")), _text_of(fields.get("_TimeReceivedBySvc"))
    extra = {name: raw for name, raw in fields.items() if name not in _KEYS}
    for name, text in (("time", exported), ("_TimeReceivedBySvc", received)):
        if text is None and name in fields and bytes(fields[name]) != b"null":
            extra[name] = fields[name]
    written = bytes(properties)
    return OpenedRecord(exported, received, written, written, extra or None)


def _text_of(raw: Raw | None) -> str | None:
    try:
        return None if raw is None else _text.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _check_origin(table: Table, tenant_id: str, category: str, tenant: str) -> None:
    if category.lower() != table.category.lower():
        raise UnreadableLineError("foreign_table", f"category {category[:80]!r} instead of {table.category!r}")
    if tenant.lower() != tenant_id:
        raise UnreadableLineError("foreign_tenant", f"tenantId {tenant[:80]!r} in the folder of {tenant_id!r}")
