"""The entities in an evidence row's AdditionalFields: the row's own and those inside it. JSON is read by `json_net`."""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from defender_assets.core.leads.entities import kinds
from defender_assets.core.leads.entities.fields import ENTITY, entity_frame
from defender_assets.core.leads.entities.json_net import node_of, text_of
from defender_assets.core.leads.entities.kinds import Kind, kind_of
from defender_assets.core.leads.entities.readings import (
    HASHES,
    READERS,
    Node,
    Objects,
    ValueReader,
    compiled,
    values_of,
)
from defender_assets.core.leads.entities.shapes import Reader, ShapeReader, Values

MOST_OF_ONE_FIELD = 100
"""URLs, message ids, attachments … of one field that become entities; of message ids, the smallest ones."""
_MOST_INSIDE = 300
_TEXTS_AT_ONCE = 20_000
"""Texts whose values are Python objects at the same time: bounds memory."""
_MOST_NODES = 20_000
_MOST_DETAILS = 24
_LONGEST_DETAIL = 200

_HOST = compiled(kinds.HOST)
_ACCOUNT_WITHIN = compiled(kinds.ACCOUNT_WITHIN)
_NO_ACCOUNTS = ("user", "mailbox", "mailboxconfiguration", "machine")
_BY_KIND = {name: compiled(kinds.COMMON, text) for name, text in (kinds.KINDS | {"": kinds.ANY_NAME}).items()}
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
    """Return the evidence with a struct column `fields` (`fields.FIELDS`).

    Each distinct text of an EntityType is parsed once. With `where`, only the rows for which it holds are parsed; the
    others' `fields` is null.
    """
    text, kind = pl.col("AdditionalFields"), pl.col("EntityType")
    wanted = pl.lit(value=True) if where is None else where
    distinct = (
        evidence.select(_kind=pl.when(wanted).then(kind), _text=pl.when(wanted).then(text))
        .with_row_index("_row")
        .filter(pl.any_horizontal(pl.col("_kind", "_text").is_not_null()))
        .group_by("_kind", "_text", maintain_order=True)
        .agg("_row")
    )
    reader = shape_reader()
    parts = [_parsed(part.select("_kind", "_text"), reader) for part in distinct.iter_slices(_TEXTS_AT_ONCE)]
    parsed = pl.concat(parts) if parts else _parsed(distinct.select("_kind", "_text"), reader)
    places = distinct.select("_row").with_row_index("_place").explode("_row")
    rows = pl.DataFrame({"_row": pl.int_range(evidence.height, dtype=pl.UInt32, eager=True)})
    places = rows.join(places, on="_row", how="left", maintain_order="left")
    return evidence.with_columns(parsed.gather(places.get_column("_place")))


def shape_reader(read: Reader | None = None) -> ShapeReader:
    """Return a reader of texts by their shapes; `read` reads the first ones of a shape, by default `read_entities`."""
    return ShapeReader(read or read_entities, _DECIDING, _NUMBERS, _LOCAL_PARTS)


def _parsed(texts: pl.DataFrame, reader: ShapeReader) -> pl.Series:
    """Return `fields` of EntityTypes and texts of AdditionalFields."""
    outer: list[Values] = []
    inner: list[Values] = []
    owners: list[int] = []
    for owner, (entity_type, json_text) in enumerate(texts.iter_rows()):
        first, *rest = reader.entities(json_text or "", entity_type)
        outer.append(first)
        inner += rest
        owners += [owner] * len(rest)
    inside = (
        entity_frame(inner)
        .select(inside=pl.struct(pl.all()), _owner=pl.Series(owners, dtype=pl.UInt32))
        .group_by("_owner", maintain_order=True)
        .agg("inside")
    )
    return (
        entity_frame(outer)
        .with_row_index("_owner")
        .join(inside, on="_owner", how="left", maintain_order="left")
        .drop("_owner")
        .to_struct("fields")
    )


def read_entities(text: str, entity_type: str | None = None) -> list[Values]:
    """Return the entity of a row, from EntityType and the text of AdditionalFields, and then those inside it.

    Each is field -> value, the fields being those of ENTITY; values that are absent are left out. No content raises
    an error. Those inside have their own roles; one without any value is left out.
    """
    root = node_of(text)
    if not isinstance(root, dict):
        return [_read({}, kind_of(entity_type), entity_type, Objects())]
    objects = Objects()
    top = objects.lowered(root)
    json_type = text_of(top.get("type"))
    kind = kind_of(entity_type, json_type)
    machines: list[Node] = []
    inside = _inside(top, kind, objects, machines)
    outer = _read(top, kind, entity_type if kind.is_specific else json_type or entity_type, objects)
    if "account" in top and kind.known not in _NO_ACCOUNTS:
        outer |= values_of(top, _ACCOUNT_WITHIN, objects)
    if machines:
        outer |= values_of(_host(top, machines, objects), _HOST, objects)
        for entity in inside:
            if entity["entity"] == "hostlogonsession" and not _ON_HOST & entity.keys():
                entity |= {name: outer[name] for name in _ON_HOST if name in outer}
    return [outer, *inside]


_HOST_NAMES = frozenset({"hostname", "netbiosname", "fqdn"})
_ON_HOST = frozenset({"machine_id", "host_name", "dns_domain"})


def _inside(top: Node, kind: Kind, objects: Objects, machines: list[Node]) -> list[Values]:
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


def _own_entity(name: str, node: Node, kind: Kind, outer: Kind, objects: Objects, *, at_top: bool) -> Values | None:
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
    read: ValueReader = READERS.get(field, text_of)
    text = read(value)
    return {"entity": kind, field: text} if text else None


def _read(node: Node, kind: Kind, written: str | None, objects: Objects) -> Values:
    """Return the values of an entity; `written` is its type as a service wrote it."""
    found = values_of(node, _BY_KIND[kind.known or ""], objects)
    found["entity"] = kind.name or None
    for hashes, prefix in HASHES.items():
        if hashes in found:
            listed = found.pop(hashes)
            found |= {f"{prefix}{name}": digest for name, digest in listed.items() if f"{prefix}{name}" in ENTITY}
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


def _host(top: Node, machines: list[Node], objects: Objects) -> Node:
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
