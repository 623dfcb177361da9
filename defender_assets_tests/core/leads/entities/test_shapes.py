"""Texts of AdditionalFields that are read by their shape give what reading each of them gives."""

import json
import random
from typing import Any

import pytest

from defender_assets.core.leads.entities import kinds, shapes
from defender_assets.core.leads.entities.additional_fields import read_entities, shape_reader
from defender_assets.core.leads.entities.shapes import ShapeReader

TEXTS = 40
PATHS = " ".join([kinds.COMMON, kinds.HOST, kinds.ACCOUNT_WITHIN, kinds.ANY_NAME, *kinds.KINDS.values()])
NAMES = sorted(
    {name for word in PATHS.split() for name in word.partition("=")[2].replace("|", ".").replace("@", ".").split(".")}
    - {""}
)
NESTED = [*kinds.NESTED, "FileHashes", "Location", "Key", "Asset"]
TYPES = [*kinds.KINDS, "host", "account", "odd-type"]
PLAIN = ["jane", "Jane", "JANE DOE", "0x1f", "S-1-5", "x" * 300]
ODD = [
    "a@b.example", "@", " x", "x ", "\u00a0x", "", "0", "12", "-7", "null", "C:\\Temp", '"C:\\x y\\z.exe" /c "a"',
    "\\\\host\\d$", '{"MachineId":"m"}', "[1]", '"', "\\", "HKLM", "HKEY_USERS\\x", "line\nbreak", "tab\t", "\x85",
    "na\u00efve", "\u0130", "\u03a3\u03a3", "\u200b", "a\u200b", "MarkOf0.", "markof1.", "73100580000", "SHA256",
    "file", "https://x.example/?a=b/c", "\ud800", "\x00",
]  # fmt: skip
NUMBERS = [1, 12, 4096, 731005800000, 10**11]
ODD_NUMBERS = [0, 10**12, 2**63, -1, 1.5, True, None, "12"]


class Place:
    """A value of a shape, which differs from text to text."""

    def __init__(self, rng: random.Random) -> None:
        choices: list[tuple[list[Any], list[Any]]] = [(PLAIN, ODD)] * 3 + [(NUMBERS, ODD_NUMBERS)]
        self._plain, self._odd = rng.choice(choices)
        self.value: Any = rng.choice(self._plain)

    def draw(self, rng: random.Random) -> None:
        chance = rng.random()
        if chance < 0.3:
            self.value = rng.choice(self._plain if chance < 0.22 else self._odd)


def a_shape(rng: random.Random, places: list[Place], depth: int = 0) -> dict[str, Any]:
    """Return an object with values, and places for values, which are added to `places`."""

    def place() -> Place:
        places.append(Place(rng))
        return places[-1]

    found: dict[str, Any] = {"$id": str(rng.randint(1, 3))}
    if rng.random() < 0.8:
        found["Type"] = rng.choice([*TYPES, place()])
    for _ in range(rng.randint(1, 6)):
        name = rng.choice([*NAMES, "Number", "Unknown"])
        found[rng.choice([name, name.lower(), name.upper()])] = place()
    for _ in range(rng.randint(0, 2) if depth < 3 else 0):
        inner: Any = a_shape(rng, places, depth + 1)
        if rng.random() < 0.3:
            inner = [inner, place(), {"$ref": "1"}]
        found[rng.choice(NESTED)] = inner
    return found


DECIDED = [
    ("registrykey", ["Hive", "Key"]),
    ("registryvalue", ["Hive", "Key", "ValueName"]),
    ("account", ["Name", "UPNSuffix", "Role"]),
    ("process", ["Role", "ProcessId", "CommandLine"]),
    ("file", ["SizeInBytes", "FileHashes", "Type"]),
    ("filehash", ["Algorithm", "Value"]),
    ("url", ["Url", "Urls", "HostUrl"]),
    ("container", ["Image", "Host", "Name"]),
    ("machine", ["MachineId", "HostName"]),
]
"""Types, and names of which some decide what is read."""


def a_decided_shape(rng: random.Random, places: list[Place]) -> dict[str, Any]:
    kind, names = rng.choice(DECIDED)
    places += [Place(rng) for _ in names]
    return {"Type": kind, **dict(zip(names, places, strict=True))}


def filled(shape: Any) -> Any:
    """Return a shape with the values of its places."""
    if isinstance(shape, dict):
        return {name: filled(value) for name, value in shape.items()}
    if isinstance(shape, list):
        return [filled(value) for value in shape]
    return shape.value if isinstance(shape, Place) else shape


def counting_reader() -> tuple[ShapeReader, list[str]]:
    texts: list[str] = []

    def read(text: str, entity_type: str | None) -> list[dict[str, Any]]:
        texts.append(text)
        return read_entities(text, entity_type)

    return shape_reader(read), texts


def check(seed: int) -> float:
    """Compare the texts of one shape; return the share of those that were read by their shape."""
    rng = random.Random(seed)
    places: list[Place] = []
    shape = a_shape(rng, places) if seed % 3 else a_decided_shape(rng, places)
    entity_type = rng.choice([*TYPES, "Machine", "Process", "File", None, None, None])
    reader, read = counting_reader()
    for _ in range(TEXTS):
        text = json.dumps(filled(shape), ensure_ascii=seed % 2 == 0, separators=(",", ":"))
        text = text.encode("utf-8", "replace").decode()
        if rng.random() < 0.05:
            text = text[: rng.randint(0, len(text))]  # cut: no JSON
        expected = read_entities(text, entity_type)
        found = reader.entities(text, entity_type)
        assert found == expected, text
        assert [list(entity) for entity in found] == [list(entity) for entity in expected]
        for place in places:
            place.draw(rng)
    return 1 - len(read) / TEXTS


def test_texts_of_one_shape_are_read_as_each_of_them() -> None:
    by_shape = [check(seed) for seed in range(300)]
    assert sum(by_shape) > 30, "most of them were read one by one, so that little was compared"


def test_a_shape_is_read_once_for_all_its_texts() -> None:
    process = '{"$id":"1","CommandLine":"%s","ProcessId":%d,"ImageFile":{"Name":"%s"},"Type":"process","Role":0}'
    reader, texts = counting_reader()
    for number in range(2, 50):
        found = reader.entities(process % (f"Tool -{number}", number, f"T{number}.exe"), "Process")[0]
        assert (found["command_line"], found["process_id"]) == (f"Tool -{number}", number)
        assert found["file_name"] == f"T{number}.exe"
    assert len(texts) == 3


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shape takes one place, and each of its plans another one; long texts take none."""
    monkeypatch.setattr(shapes, "MOST_SHAPES", 3)
    monkeypatch.setattr(shapes, "LONGEST", 60)
    texts = {name: f'{{"Name":"%d.exe","{name}":"x","Type":"file"}}' for name in ("A", "B", "C" * 40)}
    reader, read = counting_reader()
    for number in range(9):
        for text in texts.values():
            assert reader.entities(text % number, None) == read_entities(text % number)
    times = {name: sum(f'"{name}"' in text for text in read) for name in texts}
    assert times == {"A": 3, "B": 9, "C" * 40: 9}


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        ('{"Name":"?","UPNSuffix":"c.example","Type":"account"}', "d@e.example"),
        ('{"FileHashes":[{"Algorithm":"?","Value":"AB"}],"Type":"file"}', "SHA256"),
        ('{"Name":"x","CommandLine":"y","Type":"?"}', "process"),
        ('{"Account":{"Role":"?","Name":"jane"},"Type":"process"}', "12"),
        ('{"ProcessId":"?","CommandLine":"x","Type":"process"}', "12"),
        ('{"Hive":"HKLM","Key":"?","Type":"registrykey"}', "HKLM\\\\x"),
        ('{"HostUrl":"?","Type":"process"}', '{\\"Url\\":\\"x\\"}'),
        ('{"ImageFile":"?","Type":"process"}', '{\\"Name\\":\\"x\\"}'),
        ('{"CommandLine":"c","Host":"?"}', '{\\"MachineId\\":\\"n\\"}'),
        ('{"Name":"?","CommandLine":"y","Type":"process"}', " x "),
        ('{"Name":"?","Type":"file"}', "a\\ud800"),
    ],
)
def test_a_value_that_is_read_otherwise_is_found(text: str, odd: str) -> None:
    reader, _ = counting_reader()
    for value in ("Ab", "Cd", "Ef", "Gh", odd, "Ij"):
        written = text.replace("?", value)
        assert reader.entities(written, None) == read_entities(written)
