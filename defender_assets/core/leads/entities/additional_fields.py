"""The entities in an evidence row's AdditionalFields: the row's own and those inside it. JSON is read by `json_net`."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import polars as pl

from defender_assets.core.leads.entities import kinds
from defender_assets.core.leads.entities.json_net import (
    integer_of,
    lower_of,
    node_of,
    text_of,
    word_of,
)
from defender_assets.core.leads.entities.kinds import Kind, kind_of

MOST_OF_ONE_FIELD = 100
"""URLs, message ids, attachments … of one field that become entities; of message ids, the smallest ones."""
_MOST_INSIDE = 300
_MOST_NODES = 20_000
_MOST_DETAILS = 24
_LONGEST_DETAIL = 200


class Fields(NamedTuple):
    """The values of one entity; None if absent. `entity` is its kind, `other` its type if it has no list of its own."""

    entity: str | None = None
    other: str | None = None
    role: str | None = None
    role_number: str | None = None
    entity_key: str | None = None
    machine_id: str | None = None
    host_name: str | None = None
    dns_domain: str | None = None
    os_family: str | None = None
    detection_status: str | None = None
    last_verdict: str | None = None
    suspicion_level: str | None = None
    remediation_state: str | None = None
    name: str | None = None
    details: str | None = None
    file_name: str | None = None
    folder: str | None = None
    size: int | None = None
    sha1: str | None = None
    sha256: str | None = None
    md5: str | None = None
    prevalence: str | None = None
    threat_family: str | None = None
    process_id: int | None = None
    created: str | None = None
    command_line: str | None = None
    parent_file_name: str | None = None
    parent_command_line: str | None = None
    parent_folder: str | None = None
    parent_process_id: int | None = None
    parent_sha1: str | None = None
    parent_sha256: str | None = None
    account_name: str | None = None
    account_domain: str | None = None
    account_sid: str | None = None
    account_object_id: str | None = None
    account_upn: str | None = None
    account_display_name: str | None = None
    account_role: str | None = None
    account_role_number: str | None = None
    address: str | None = None
    country: str | None = None
    url: str | None = None
    domain: str | None = None
    network_message_id: str | None = None
    subject: str | None = None
    sender: str | None = None
    recipient: str | None = None
    mail_direction: str | None = None
    mailbox_address: str | None = None
    display_name: str | None = None
    configuration: str | None = None
    session_id: str | None = None
    session_started: str | None = None
    user_agent: str | None = None
    application: str | None = None
    application_id: str | None = None
    oauth_application_id: str | None = None
    object_id: str | None = None
    instance: str | None = None
    publisher: str | None = None
    owner_tenant: str | None = None
    cloud_name: str | None = None
    cloud_type: str | None = None
    cloud_platform: str | None = None
    resource_id: str | None = None
    subscription_id: str | None = None
    parent: str | None = None
    image: str | None = None
    registry_key: str | None = None
    value_name: str | None = None
    value_data: str | None = None
    unlinked: bool | None = None


_TYPES: Mapping[str, pl.DataType] = {
    "process_id": pl.Int64(), "parent_process_id": pl.Int64(), "size": pl.Int64(), "unlinked": pl.Boolean(),
}  # fmt: skip
_ENTITY = {name: _TYPES.get(name, pl.String()) for name in Fields._fields}

FIELDS = pl.Struct(_ENTITY | {"inside": pl.List(pl.Struct(_ENTITY))})
"""`Fields` as a struct type, with those of the entities inside it."""

Node = dict[str, Any]
Lowered = Callable[[Any], Node]
_Reader = Callable[[Any], Any]
_HASHES = {"hashes": "", "parent_hashes": "parent_"}
_READERS: Mapping[str, _Reader] = {
    "role": word_of, "account_role": word_of, "process_id": integer_of, "parent_process_id": integer_of,
    "size": integer_of,
    **dict.fromkeys(
        ("entity_key", "machine_id", "network_message_id", "mail_direction", "session_id", "oauth_application_id",
         "sha1", "sha256", "md5", "prevalence", "owner_tenant"),
        lower_of,
    ),
}  # fmt: skip


class _Field(NamedTuple):
    name: str
    read: _Reader
    alternatives: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]
    """How values are joined, and their paths."""


def _compiled(text: str) -> tuple[_Field, ...]:
    """Return the fields of a line of `kinds.KINDS`."""
    fields = []
    for word in text.split():
        name, _, alternatives = word.partition("=")
        paths = []
        for alternative in alternatives.split("|"):
            joiner = next((mark for mark in "@\\+" if mark in alternative), "")
            parts = alternative.split(joiner) if joiner else [alternative]
            paths.append((joiner, tuple(() if part == "." else tuple(part.lower().split(".")) for part in parts)))
        fields.append(_Field(name, _READERS.get(name, text_of), tuple(paths)))
    return tuple(fields)


_COMMON = _compiled(kinds.COMMON)
_ACCOUNT_WITHIN = _compiled(kinds.ACCOUNT_WITHIN)
_HOST = _compiled(kinds.HOST)
_ANY_NAME = _compiled(kinds.ANY_NAME)
_BY_KIND = {name: _compiled(text) for name, text in kinds.KINDS.items()}
_HOST_PATHS = (
    ("host",), ("imagefile", "host"), ("parentprocess", "host"), ("parentprocess", "imagefile", "host"),
)  # fmt: skip
_NOT_DETAILS = frozenset(
    {"$id", "$ref", "type", "role", "mergebykey", "mergebykeyhex", "isioc", "urn", "asset", "detectionstatus",
     "lastverdict", "suspicionlevel", "lastremediationstate"}
)  # fmt: skip


def with_fields(evidence: pl.DataFrame, where: pl.Expr | None = None) -> pl.DataFrame:
    """Return the evidence with a struct column `fields` (FIELDS); each distinct text of an EntityType is parsed once.

    With `where`, only the rows for which it holds are parsed; the others' `fields` is null.
    """
    key = ["_kind", "_text"]
    text, kind = pl.col("AdditionalFields"), pl.col("EntityType")
    wanted = pl.lit(value=True) if where is None else where
    evidence = evidence.with_columns(_text=pl.when(wanted).then(text), _kind=pl.when(wanted).then(kind))
    distinct = evidence.select(key).unique().filter(pl.any_horizontal(pl.col(key).is_not_null()))
    outer: list[Fields] = []
    inner: list[Fields] = []
    owners: list[int] = []
    for owner, (entity_type, json_text) in enumerate(distinct.iter_rows()):
        first, *rest = read_entities(json_text or "", entity_type)
        outer.append(first)
        inner += rest
        owners += [owner] * len(rest)
    inside = (
        _frame(inner)
        .select(inside=pl.struct(pl.all()), _owner=pl.Series(owners, dtype=pl.UInt32))
        .group_by("_owner", maintain_order=True)
        .agg("inside")
    )
    found = (
        _frame(outer)
        .with_row_index("_owner")
        .join(inside, on="_owner", how="left", maintain_order="left")
        .drop("_owner")
        .to_struct("fields")
    )
    by_text = distinct.with_columns(found)
    return evidence.join(by_text, on=key, how="left", maintain_order="left", nulls_equal=True).drop(key)


def read_fields(text: str, entity_type: str | None = None) -> Fields:
    """Return the values of the entity itself; no content raises an error."""
    return read_entities(text, entity_type)[0]


def read_entities(text: str, entity_type: str | None = None) -> list[Fields]:
    """Return the entity of a row, from EntityType and the text of AdditionalFields, and then those inside it.

    No content raises an error. Those inside have their own roles; one without any value is left out.
    """
    root = node_of(text)
    if not isinstance(root, dict):
        return [_read({}, kind_of(entity_type), entity_type, _lowered_once())]
    lowered = _lowered_once()
    top = lowered(root)
    json_type = text_of(top.get("type"))
    kind = kind_of(entity_type, json_type)
    machines: list[Node] = []
    inside = list(_inside(top, kind, lowered, machines))
    host = _host(top, machines, lowered)
    outer = _read(top, kind, entity_type if kind.known is None and entity_type else json_type, lowered, within=True)
    outer = outer._replace(**{name: value for name, value in _values(host, _HOST, lowered).items() if value})
    return [outer, *(_on_host(entity, outer) for entity in inside)]


def _on_host(entity: Fields, outer: Fields) -> Fields:
    """Return a host's logon session with the host of the outer entity, if it names none."""
    if entity.entity != "hostlogonsession" or entity.machine_id or entity.host_name:
        return entity
    return entity._replace(machine_id=outer.machine_id, host_name=outer.host_name, dns_domain=outer.dns_domain)


def _inside(top: Node, kind: Kind, lowered: Lowered, machines: list[Node]) -> Iterator[Fields]:
    """Yield the entities inside an entity, shallow ones first, each once: references can form cycles."""
    level: list[tuple[Node, Kind]] = [(top, kind)]
    seen, count = {id(top)}, 0
    while level and len(seen) < _MOST_NODES:
        below: list[tuple[Node, Kind]] = []
        for node, outer in level:
            if "machineid" in node or "hostname" in node:
                machines.append(node)
            for name, value in node.items():
                if not value or name in kinds.PLAIN_FIELDS:
                    continue
                nested = kinds.NESTED.get(name)
                if isinstance(value, str):
                    if nested is None:
                        continue
                    parsed = node_of(value)
                    value = value if parsed is None else parsed  # noqa: PLW2901
                elif not isinstance(value, dict | list):
                    continue
                for child in _children(name, value):
                    if isinstance(child, dict):
                        low = lowered(child)
                        if id(low) in seen:
                            continue
                        seen.add(id(low))
                        inner = kind_of(nested, text_of(low.get("type")))
                        if nested is None and not inner.name:
                            inner = Kind("", "")  # a bag of values, not an entity
                        below.append((low, inner))
                        if count < _MOST_INSIDE and _is_own(name, inner, outer, node is top):
                            entity = _read(low, inner, text_of(low.get("type")), lowered)
                            if _says_something(entity) and (inner.known or entity.name):
                                count += 1
                                yield entity._replace(unlinked=True) if name in kinds.UNLINKED else entity
                    elif nested and outer.known and count < _MOST_INSIDE and name not in kinds.NOT_AS_TEXT:
                        field = kinds.NESTED_TEXT.get(nested)
                        if field and (text := text_of(child)):
                            count += 1
                            values: dict[str, Any] = {field: _READERS.get(field, text_of)(text)}
                            yield Fields(entity=nested, unlinked=name in kinds.UNLINKED or None, **values)
        level = below


def _children(name: str, value: Any) -> list[Any]:
    """Return the objects and texts of a field, at most MOST_OF_ONE_FIELD; lists in lists are flattened once."""
    if not isinstance(value, list):
        return [value]
    if name == "networkmessageids":  # the same ones in all clusters that share messages
        value = sorted({text.lower(): text for entry in value if (text := text_of(entry))}.values())
    elif name == "urls":
        value = [_url(entry) for entry in value[:MOST_OF_ONE_FIELD]]
    flat = (part for entry in value for part in (entry if isinstance(entry, list) else [entry]))
    return [part for part, _ in zip(flat, range(MOST_OF_ONE_FIELD), strict=False)]


def _url(entry: Any) -> Any:
    parsed = node_of(entry)
    return entry if parsed is None else parsed


def _is_own(name: str, inner: Kind, outer: Kind, at_top: bool) -> bool:
    """Return whether an object is an entity of its own and not a value of the outer one."""
    if inner.known in {"", "machine"} or (outer.known == "process" and name in kinds.PART_OF_PROCESS):
        return False
    return not (at_top and name == "account" and outer.known != "user")


def _read(node: Node, kind: Kind, written: str | None, lowered: Lowered, *, within: bool = False) -> Fields:
    """Return the values of an entity; `written` is its type as a service wrote it."""
    found = _values(node, _COMMON, lowered)
    found |= _values(node, _BY_KIND.get(kind.known or "", _ANY_NAME), lowered)
    if within and kind.known != "user" and "account" in node:
        found |= _values(node, _ACCOUNT_WITHIN, lowered)
    for hashes, prefix in _HASHES.items():
        if hashes in found:
            listed = found.pop(hashes)
            found |= {f"{prefix}{name}": digest for name, digest in listed.items() if f"{prefix}{name}" in _ENTITY}
    if kind.is_other and kind.name:
        if kind.known is None and not found.get("name"):
            found["name"] = _any_name(node)
        details = _details(node, found.get("name"))
        if details or found.get("name") or kind.known is None:
            found |= {"other": (written or kind.name).strip(), "details": details}
    if kind.resource_type and not found.get("cloud_type") and found.get("cloud_name"):
        found["cloud_type"] = kind.resource_type
    return Fields(entity=kind.name or None, **found)


def _says_something(entity: Fields) -> bool:
    return any(getattr(entity, name) is not None for name in _SAYING)


_SAYING = tuple(
    name for name in Fields._fields
    if name not in {"entity", "other", "role", "role_number", "entity_key", "detection_status", "last_verdict",
                    "suspicion_level", "remediation_state", "unlinked", "os_family", "cloud_type"}
)  # fmt: skip


def _values(node: Node, fields: tuple[_Field, ...], lowered: Lowered) -> dict[str, Any]:
    """Return field -> value of those that have one."""
    found: dict[str, Any] = {}
    for name, read, alternatives in fields:
        for joiner, paths in alternatives:
            if not joiner:
                value = _at(node, paths[0], lowered)
                value = _hashes(value, lowered) if name in _HASHES else None if value is None else read(value)
            else:
                value = _joined(joiner, [text_of(_at(node, path, lowered)) for path in paths])
            if value is not None and value != {}:
                found[name] = value
                break
    return found


def _joined(joiner: str, texts: list[str | None]) -> str | None:
    filled = [text for text in texts if text]
    if joiner == "+":
        return "/".join(filled) or None
    if joiner == "@":
        return "@".join(filled) if len(filled) == len(texts) and "@" not in filled[0] else None
    # The key of the registry may already begin with its hive.
    last = filled[-1] if filled and texts[-1] else None
    return last if last is None or last.upper().startswith("HK") else joiner.join(filled)


def _at(node: Node, path: tuple[str, ...], lowered: Lowered) -> Any:
    value: Any = node
    for name in path:
        value = (value if value is node else lowered(value)).get(name)
        if value is None:
            return None
    return value


def _lowered_once() -> Lowered:
    """Return a function that gives an object with its names in lower case, once per object; {} for anything else."""
    known: dict[int, tuple[Any, Node]] = {}

    def lowered(value: Any) -> Node:
        if isinstance(value, str):
            value = node_of(value)
        if not isinstance(value, dict):
            return {}
        if (held := known.get(id(value))) is not None:
            return held[1]
        low = {name.lower(): child for name, child in value.items() if child is not None}
        known[id(value)] = known[id(low)] = (value, low)
        return low

    return lowered


def _host(top: Node, machines: list[Node], lowered: Lowered) -> Node:
    """Return the object with the MachineId: usual paths first, then the shallowest; else one with a HostName."""
    if not machines:
        return {}
    candidates = [top, *(lowered(_at(top, path, lowered)) for path in _HOST_PATHS)]
    for nodes in (candidates, machines):
        for node in nodes:
            if isinstance(node.get("machineid"), str):
                return node
    return next((node for node in candidates if text_of(node.get("hostname"))), {})


def _hashes(value: Any, lowered: Lowered) -> dict[str, str]:
    """Return algorithm -> hash, both in lower case, of a list of hashes or of one hash."""
    listed = node_of(value)
    found = {}
    for entry in listed if isinstance(listed, list) else [listed]:
        node = lowered(entry)
        algorithm, digest = lower_of(node.get("algorithm")), lower_of(node.get("value"))
        if algorithm and digest:
            found[algorithm.replace("-", "")] = digest
    return found


def _any_name(node: Node) -> str | None:
    for ending in ("name", "id"):
        for name, value in node.items():
            if name.endswith(ending) and name not in _NOT_DETAILS and (text := text_of(value)):
                return text
    return None


def _details(node: Node, shown: str | None) -> str | None:
    """Return the plain values of an entity as JSON text, the lengths of its lists included."""
    found: dict[str, Any] = {}
    for name, value in node.items():
        if name in _NOT_DETAILS or len(found) >= _MOST_DETAILS:
            continue
        if isinstance(value, list):
            found[name] = len(value)
        elif (text := text_of(value)) and text != shown:
            found[name] = value if isinstance(value, bool | int) else text[:_LONGEST_DETAIL]
    return json.dumps(found, ensure_ascii=False, sort_keys=True) if found else None


def _frame(entities: list[Fields]) -> pl.DataFrame:
    columns = zip(*entities, strict=True) if entities else iter([()] * len(_ENTITY))
    return pl.DataFrame(
        [
            pl.Series(name, list(values), dtype=dtype)
            for (name, dtype), values in zip(_ENTITY.items(), columns, strict=True)
        ]
    )
