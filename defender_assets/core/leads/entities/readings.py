"""How the values of an entity are read from its JSON object: the lines of `kinds.KINDS`, compiled."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from defender_assets.core.leads.entities.json_net import integer_of, lower_of, node_of, text_of, word_of
from defender_assets.core.leads.entities.shapes import Values

Node = dict[str, Any]
ValueReader = Callable[[Any], Any]


def _hashes(value: Any) -> dict[str, str] | None:
    """Return algorithm -> hash, both in lower case, of a list of hashes or of one hash; None without any."""
    listed = node_of(value)
    found = {}
    for entry in listed if isinstance(listed, list) else [listed]:
        if not isinstance(entry, dict):
            continue
        named = entry if "Algorithm" in entry else {name.capitalize(): text for name, text in entry.items()}
        algorithm, digest = lower_of(named.get("Algorithm")), lower_of(named.get("Value"))
        if algorithm and digest:
            found[algorithm.replace("-", "")] = digest
    return found or None


HASHES = {"hashes": "", "parent_hashes": "parent_"}
"""Field with the hashes of a file -> prefix of the fields that they go to."""
READERS: Mapping[str, ValueReader] = {
    "role": word_of, "account_role": word_of, "process_id": integer_of, "parent_process_id": integer_of,
    "size": integer_of, **dict.fromkeys(HASHES, _hashes),
    **dict.fromkeys(
        ("entity_key", "machine_id", "network_message_id", "mail_direction", "session_id", "oauth_application_id",
         "sha1", "sha256", "md5", "prevalence", "owner_tenant"),
        lower_of,
    ),
}  # fmt: skip
"""Field -> how its value is read, by default with `text_of`."""


class Reading(NamedTuple):
    """How the values of a kind are read: those of one object together, and those that need several objects."""

    together: tuple[tuple[tuple[str, ...], tuple[tuple[str, ValueReader, tuple[str, ...]], ...]], ...]
    """Path of the object, and field, reader, names within it."""
    apart: tuple[tuple[str, ValueReader, tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]], ...]
    """Field, reader, and alternatives: how values are joined, and their paths."""


def compiled(*texts: str) -> Reading:
    """Return the reading of lines of `kinds.KINDS`."""
    together: dict[tuple[str, ...], list[tuple[str, ValueReader, tuple[str, ...]]]] = {}
    apart = []
    for word in " ".join(texts).split():
        name, _, alternatives = word.partition("=")
        paths = []
        for alternative in alternatives.split("|"):
            joiner = next((mark for mark in "@\\+" if mark in alternative), "")
            parts = alternative.split(joiner) if joiner else [alternative]
            paths.append((joiner, tuple(() if part == "." else tuple(part.lower().split(".")) for part in parts)))
        reader = READERS.get(name, text_of)
        owners = {path[:-1] for _, listed in paths for path in listed}
        if any(joiner or not listed[0] for joiner, listed in paths) or len(owners) > 1:
            apart.append((name, reader, tuple(paths)))
        else:
            together.setdefault(owners.pop(), []).append((name, reader, tuple(listed[0][-1] for _, listed in paths)))
    return Reading(tuple((path, tuple(fields)) for path, fields in together.items()), tuple(apart))


class Objects:
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


def values_of(node: Node, reading: Reading, objects: Objects) -> Values:
    """Return field -> value of what a reading finds in a lowered object; values that are absent are left out."""
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
