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
from defender_assets.core.leads.entities.shapes import Reader, ShapeReader, Values

MOST_OF_ONE_FIELD = 100
"""URLs, message ids, attachments … of one field that become entities; of message ids, the smallest ones."""
_MOST_INSIDE = 300
_TEXTS_AT_ONCE = 20_000
"""Texts whose values are Python objects at the same time: bounds memory."""
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
    fqdn: str | None = None
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
_Reader = Callable[[Any], Any]


def _hashes(value: Any) -> dict[str, str] | None:
    """Return algorithm -> hash, both in lower case, of a list of hashes or of one hash; None without any."""
    listed = node_of(value)
    found = {}
    for entry in listed if isinstance(listed, list) else [listed]:
        if not isinstance(entry, dict):
            continue
        if "Algorithm" not in entry:
            entry = {name.capitalize(): text for name, text in entry.items()}  # noqa: PLW2901
        algorithm, digest = lower_of(entry.get("Algorithm")), lower_of(entry.get("Value"))
        if algorithm and digest:
            found[algorithm.replace("-", "")] = digest
    return found or None


_HASHES = {"hashes": "", "parent_hashes": "parent_"}
_READERS: Mapping[str, _Reader] = {
    "role": word_of, "account_role": word_of, "process_id": integer_of, "parent_process_id": integer_of,
    "size": integer_of, **dict.fromkeys(_HASHES, _hashes),
    **dict.fromkeys(
        ("entity_key", "machine_id", "network_message_id", "mail_direction", "session_id", "oauth_application_id",
         "sha1", "sha256", "md5", "prevalence", "owner_tenant"),
        lower_of,
    ),
}  # fmt: skip


class _Reading(NamedTuple):
    """How the values of a kind are read: those of one object together, and those that need several objects."""

    together: tuple[tuple[tuple[str, ...], tuple[tuple[str, _Reader, tuple[str, ...]], ...]], ...]
    """Path of the object, and field, reader, names within it."""
    apart: tuple[tuple[str, _Reader, tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]], ...]
    """Field, reader, and alternatives: how values are joined, and their paths."""


def _compiled(*texts: str) -> _Reading:
    """Return the reading of lines of `kinds.KINDS`."""
    together: dict[tuple[str, ...], list[tuple[str, _Reader, tuple[str, ...]]]] = {}
    apart = []
    for word in " ".join(texts).split():
        name, _, alternatives = word.partition("=")
        paths = []
        for alternative in alternatives.split("|"):
            joiner = next((mark for mark in "@\\+" if mark in alternative), "")
            parts = alternative.split(joiner) if joiner else [alternative]
            paths.append((joiner, tuple(() if part == "." else tuple(part.lower().split(".")) for part in parts)))
        reader = _READERS.get(name, text_of)
        owners = {path[:-1] for _, listed in paths for path in listed}
        if any(joiner or not listed[0] for joiner, listed in paths) or len(owners) > 1:
            apart.append((name, reader, tuple(paths)))
        else:
            together.setdefault(owners.pop(), []).append((name, reader, tuple(listed[0][-1] for _, listed in paths)))
    return _Reading(tuple((path, tuple(fields)) for path, fields in together.items()), tuple(apart))


_HOST = _compiled(kinds.HOST)
_ACCOUNT_WITHIN = _compiled(kinds.ACCOUNT_WITHIN)
_NO_ACCOUNTS = ("user", "mailbox", "mailboxconfiguration", "machine")
_BY_KIND = {name: _compiled(kinds.COMMON, text) for name, text in (kinds.KINDS | {"": kinds.ANY_NAME}).items()}
_HOST_PATHS: tuple[tuple[str, ...], ...] = (
    (), ("host",), ("imagefile", "host"), ("parentprocess", "host"), ("parentprocess", "imagefile", "host"),
)  # fmt: skip
_NOT_DETAILS = frozenset(
    {"$id", "$ref", "type", "role", "mergebykey", "mergebykeyhex", "isioc", "urn", "asset", "detectionstatus",
     "lastverdict", "suspicionlevel", "lastremediationstate"}
)  # fmt: skip


_READINGS = (*_BY_KIND.values(), _HOST, _ACCOUNT_WITHIN)
_WITHIN = {
    name
    for reading in _READINGS
    for path in (
        *(path for path, _ in reading.together),
        *(path[:-1] for _, _, alternatives in reading.apart for _, paths in alternatives for path in paths),
    )
    for name in path
}
_DECIDING = frozenset(
    {"type", "role", "hive", "key", "algorithm", *_WITHIN, *kinds.NESTED, *kinds.PLAIN_FIELDS}
)  # fmt: skip
"""Names in lower case whose values decide how an object is read. Those of all others are copied, or not read at all."""
_NUMBERS = frozenset({"processid", "sizeinbytes"})
"""Names whose texts are copied only if they are numbers."""
_LOCAL_PARTS = frozenset({"name"})
"""Names whose value is joined with another one by `@` unless it has an `@` itself."""


def with_fields(evidence: pl.DataFrame, where: pl.Expr | None = None) -> pl.DataFrame:
    """Return the evidence with a struct column `fields` (FIELDS); each distinct text of an EntityType is parsed once.

    With `where`, only the rows for which it holds are parsed; the others' `fields` is null.
    """
    key = ["_kind", "_text"]
    text, kind = pl.col("AdditionalFields"), pl.col("EntityType")
    wanted = pl.lit(value=True) if where is None else where
    evidence = evidence.with_columns(_text=pl.when(wanted).then(text), _kind=pl.when(wanted).then(kind))
    distinct = evidence.select(key).unique().filter(pl.any_horizontal(pl.col(key).is_not_null()))
    reader = shape_reader()
    parts = [_parsed(part, reader) for part in distinct.iter_slices(_TEXTS_AT_ONCE)]
    by_text = pl.concat(parts) if parts else _parsed(distinct, reader)
    return evidence.join(by_text, on=key, how="left", maintain_order="left", nulls_equal=True).drop(key)


def shape_reader(read: Reader | None = None) -> ShapeReader:
    """Return a reader of texts by their shapes; `read` reads the first ones of a shape, by default `read_entities`."""
    return ShapeReader(read or read_entities, _DECIDING, _NUMBERS, _LOCAL_PARTS)


def _parsed(texts: pl.DataFrame, reader: ShapeReader) -> pl.DataFrame:
    """Return EntityTypes and texts of AdditionalFields with `fields`."""
    outer: list[Values] = []
    inner: list[Values] = []
    owners: list[int] = []
    for owner, (entity_type, json_text) in enumerate(texts.iter_rows()):
        first, *rest = reader.entities(json_text or "", entity_type)
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
    return texts.with_columns(found)


def read_entities(text: str, entity_type: str | None = None) -> list[Values]:
    """Return the entity of a row, from EntityType and the text of AdditionalFields, and then those inside it.

    Each is field -> value, the fields being those of `Fields`; values that are absent are left out. No content raises
    an error. Those inside have their own roles; one without any value is left out.
    """
    root = node_of(text)
    if not isinstance(root, dict):
        return [_read({}, kind_of(entity_type), entity_type, _Objects())]
    objects = _Objects()
    top = objects.lowered(root)
    json_type = text_of(top.get("type"))
    kind = kind_of(entity_type, json_type)
    machines: list[Node] = []
    inside = _inside(top, kind, objects, machines)
    outer = _read(top, kind, entity_type if kind.is_specific else json_type or entity_type, objects)
    if "account" in top and kind.known not in _NO_ACCOUNTS:
        outer |= _values(top, _ACCOUNT_WITHIN, objects)
    if machines:
        outer |= _values(_host(top, machines, objects), _HOST, objects)
        for entity in inside:
            if entity["entity"] == "hostlogonsession" and not _ON_HOST & entity.keys():
                entity |= {name: outer[name] for name in _ON_HOST if name in outer}
    return [outer, *inside]


_HOST_NAMES = frozenset({"hostname", "netbiosname", "fqdn"})
_ON_HOST = frozenset({"machine_id", "host_name", "dns_domain"})


class _Objects:
    """The objects of one text with their names in lower case, each made once: references can form cycles."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Node]] = {}

    def lowered(self, value: Any) -> Node:
        """Return an object, also from JSON text, without nulls; {} for anything else."""
        if type(value) is not dict:
            value = node_of(value)
            if not isinstance(value, dict):
                return {}
        if (held := self._known.get(id(value))) is not None:
            return held[1]
        low = {name.lower(): child for name, child in value.items() if child is not None}
        self._known[id(value)] = (value, low)
        return low

    def at(self, node: Node, path: tuple[str, ...]) -> Node:
        """Return the object at a path below a lowered one."""
        for name in path:
            below = node.get(name)
            if below is None:
                return {}
            node = self.lowered(below)
        return node

    def value(self, node: Node, path: tuple[str, ...]) -> Any:
        """Return what is at a path below a lowered object; itself for the empty path."""
        return self.at(node, path[:-1]).get(path[-1]) if path else node


def _inside(top: Node, kind: Kind, objects: _Objects, machines: list[Node]) -> list[Values]:
    """Return the entities inside an entity, shallow ones first, each once, and collect the objects of machines."""
    found: list[Values] = []
    seen = {id(top)}
    level = [(top, kind)]
    while level and len(seen) < _MOST_NODES:
        below: list[tuple[Node, Kind]] = []
        for node, outer in level:
            if "machineid" in node or not _HOST_NAMES.isdisjoint(node):
                machines.append(node)
            for name, child in _below(node):
                if isinstance(child, dict):
                    low = objects.lowered(child)
                    if id(low) in seen:
                        continue
                    seen.add(id(low))
                    inner = kind_of(kinds.NESTED.get(name), text_of(low.get("type")))
                    below.append((low, inner))
                    entity = _own_entity(name, low, inner, outer, objects, at_top=node is top)
                else:
                    entity = _text_entity(name, child, outer)
                if entity:
                    found.append(entity | {"unlinked": True} if name in kinds.UNLINKED else entity)
        level = below
    return found[:_MOST_INSIDE]


def _below(node: Node) -> Iterator[tuple[str, Any]]:
    """Yield the objects in the fields of an object, and texts in the place of an object, with the fields' names."""
    for name, value in node.items():
        of = type(value)  # most values are texts and numbers, so those are passed over first
        if of is str:
            if name not in kinds.NESTED:
                continue
        elif (of is not dict and of is not list) or name in kinds.PLAIN_FIELDS:
            continue
        if of is dict:
            yield name, value
        else:
            for child in _children(name, value):
                yield name, child


def _children(name: str, value: Any) -> list[Any]:
    """Return the objects and texts of a field, at most MOST_OF_ONE_FIELD; lists in lists are flattened once."""
    if isinstance(value, str):
        parsed = node_of(value)
        if not isinstance(parsed, list):
            return [value if parsed is None else parsed]
        value = parsed
    if name == "networkmessageids":  # the same ones in all clusters that share messages
        value = sorted({text.lower(): text for entry in value if (text := text_of(entry))}.values(), key=str.lower)
    flat = (part for entry in value for part in (entry if isinstance(entry, list) else [entry]))
    parts = [part for part, _ in zip(flat, range(MOST_OF_ONE_FIELD), strict=False)]
    return [node if isinstance(part, str) and isinstance(node := node_of(part), dict) else part for part in parts]


def _own_entity(name: str, node: Node, kind: Kind, outer: Kind, objects: _Objects, *, at_top: bool) -> Values | None:
    """Return an object as an entity, None if it is none, or only a value of the outer one."""
    part = outer.known == "process" and name in kinds.PART_OF_PROCESS
    if not kind.name or kind.known == "machine" or part:
        return None
    if at_top and name == "account" and outer.known not in _NO_ACCOUNTS:
        return None
    entity = _read(node, kind, text_of(node.get("type")), objects)
    says = "name" in entity if kind.known is None else not _SILENT.issuperset(entity)
    return entity if says else None


def _text_entity(name: str, value: Any, outer: Kind) -> Values | None:
    """Return the entity that a plain text in the place of an object names; only in entities of known kinds."""
    kind = kinds.NESTED.get(name)
    field = kinds.NESTED_TEXT.get(kind or "")
    if kind is None or field is None or outer.known is None or name in kinds.NOT_AS_TEXT:
        return None
    read: _Reader = _READERS.get(field, text_of)
    text = read(value)
    return {"entity": kind, field: text} if text else None


def _read(node: Node, kind: Kind, written: str | None, objects: _Objects) -> Values:
    """Return the values of an entity; `written` is its type as a service wrote it."""
    found = _values(node, _BY_KIND[kind.known or ""], objects)
    found["entity"] = kind.name or None
    for hashes, prefix in _HASHES.items():
        if hashes in found:
            listed = found.pop(hashes)
            found |= {f"{prefix}{name}": digest for name, digest in listed.items() if f"{prefix}{name}" in _ENTITY}
    if kind.is_other and kind.name:
        name = found.get("name") or (_any_name(node) if kind.known is None else None)
        details = _details(node, name)
        if details or name or kind.known is None:
            found |= {"name": name, "other": (written or kind.name).strip(), "details": details}
    elif kind.resource_type and "cloud_name" in found:
        found.setdefault("cloud_type", kind.resource_type)
    return {name: value for name, value in found.items() if value is not None} if kind.is_other else found


_SILENT = frozenset(
    {"entity", "role", "role_number", "entity_key", "detection_status", "last_verdict", "suspicion_level",
     "remediation_state", "cloud_type"}
)  # fmt: skip
"""Fields that name no entity."""


def _values(node: Node, reading: _Reading, objects: _Objects) -> Values:
    found: Values = {}
    for path, fields in reading.together:
        part = objects.at(node, path) if path else node
        if not part:
            continue
        for field, read, names in fields:
            for name in names:
                value = part.get(name)
                if value is not None and (value := read(value)) is not None:
                    found[field] = value
                    break
    for field, read, alternatives in reading.apart:
        for joiner, paths in alternatives:
            if joiner:
                value = _joined(joiner, [text_of(objects.value(node, path)) for path in paths])
            else:
                value = read(objects.value(node, paths[0]))
            if value is not None:
                found[field] = value
                break
    return found


def _joined(joiner: str, texts: list[str | None]) -> str | None:
    filled = [text for text in texts if text]
    if joiner == "+":
        return "/".join(filled) or None
    if joiner == "@":
        return "@".join(filled) if len(filled) == len(texts) and "@" not in filled[0] else None
    # The key of the registry may already begin with its hive.
    last = texts[-1]
    return last if not last or last.upper().startswith("HK") else joiner.join(filled)


def _host(top: Node, machines: list[Node], objects: _Objects) -> Node:
    """Return the object with the MachineId: usual paths first, then the shallowest; else one with a name."""
    named: Node = {}
    for path in _HOST_PATHS:
        node = objects.at(top, path)
        if isinstance(node.get("machineid"), str):
            return node
        if not named and any(text_of(node.get(name)) for name in _HOST_NAMES):
            named = node
    return next((node for node in machines if isinstance(node.get("machineid"), str)), named)


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


def _frame(entities: list[Values]) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {}
    for index, entity in enumerate(entities):
        for name, value in entity.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * len(entities)
            column[index] = value
    absent = pl.Series([None], dtype=pl.Null)
    return pl.DataFrame(
        [
            pl.Series(name, columns[name], dtype=dtype)
            if name in columns
            else absent.new_from_index(0, len(entities)).cast(dtype).alias(name)
            for name, dtype in _ENTITY.items()
        ]
    )
