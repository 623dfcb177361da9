"""Reading JSON text as Json.NET writes it: references (`"$id":"3"` … `{"$ref":"3"}`) and JSON text inside JSON text.

Attackers influence the content, so no text raises an error: what cannot be read is None (source facts, section 4).
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from defender_assets.core.json_text import read_json

_MOST_NODES = 20_000
_LARGEST_INTEGER = 2**63


def _decoded(text: str) -> Any:
    """Return the JSON value of a text with its references resolved, or None."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        # The standard library accepts what msgspec refuses, such as a lone surrogate in a file name.
        try:
            value = read_json(text)
        except ValueError:
            return None
    return _linked(value) if '"$ref"' in text else value


def _linked(root: Any) -> Any:
    """Replace each reference by its object, in place; a text inside a text is a document of its own."""
    targets: dict[str, Any] = {}
    references: list[tuple[Any, Any, str]] = []
    for node in walk(root):
        if isinstance(node, dict) and "$id" in node:
            targets[str(node["$id"])] = node
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(child, dict) and "$ref" in child:
                references.append((node, key, str(child["$ref"])))
    for node, key, target in references:
        node[key] = targets.get(target)
    return root


def walk(root: Any) -> Iterator[Any]:
    """Yield the objects and arrays of a value, shallow ones first, each once: references can form cycles."""
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


def node_of(value: Any) -> Any:
    """Return an object or array, also from JSON text or JSON text in JSON text; else None."""
    if value is None or isinstance(value, dict | list):
        return value
    for _ in range(3):
        if not isinstance(value, str) or not value.lstrip().startswith(("{", "[", '"')):
            break
        value = _decoded(value)
    return value if isinstance(value, dict | list) else None


def text_of(value: Any) -> str | None:
    """Return a scalar as trimmed text, None if empty; a lone surrogate, which Polars cannot store, as `?`."""
    # fast paths: most values are plain text, and most fields of most rows are absent
    if type(value) is str and value.isascii():
        return value.strip() or None
    if value is None or isinstance(value, (dict, list)):
        return None
    text = value if isinstance(value, str) else str(value)
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.strip() or None


def word_of(value: Any) -> str | None:
    """Return text unless it is a number: services write roles as words or as indexes of an internal list."""
    text = text_of(value)
    return None if text is None or text.lstrip("-").isdigit() else text


def lower_of(value: Any) -> str | None:
    """Return a scalar as text in lower case."""
    text = text_of(value)
    return text.lower() if text else None


def integer_of(value: Any) -> int | None:
    """Return an integer, also from text; None if it does not fit into 64 bits."""
    try:
        number = int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < _LARGEST_INTEGER else None
