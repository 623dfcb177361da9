"""Tables in the documents that are generated from code: columns from table specs, checks from definitions.

They are in the sections `Columns of NAME`, `Checks` and `The folders`. A test compares the documents with the code.
`python -m defender_assets_tests.support.doc_tables` updates the tables.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import dagster as dg

from defender_assets.catalog import SPECS
from defender_assets.core.schemas import ALERT_EVIDENCE, ALERT_INFO, DEVICE_INFO, Column, Origin
from defender_assets.definitions import build_defs
from defender_assets.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SHOWN_ORIGINS = 6

# Microsoft's names, which are shorter and known to readers
_SHORT = {table.name: table.hunting_name for table in (ALERT_INFO, ALERT_EVIDENCE, DEVICE_INFO)}
_SECTION = re.compile(r"^## (?:Columns of `(\w+)`|Checks|(The folders))\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def column_table(name: str) -> str:
    """The Markdown table of a table's columns: name, type, what it says, where it comes from."""
    rows = [
        f"| `{column.name}` | {column.type_name} | {_text(column)} | {_origins(column.origins)} |"
        for column in SPECS[name].columns
    ]
    return "\n".join(["| column | type | what it says | from |", "|---|---|---|---|", *rows]) + "\n"


def check_table() -> str:
    """The Markdown table of the checks: their assets, whether they block the run, and their descriptions in the UI."""
    definitions = build_defs(Settings(lake_uri="/lake"))
    graph = definitions.resolve_asset_graph()
    found: dict[str, list[dg.AssetCheckSpec]] = {}
    for key in sorted(graph.asset_check_keys, key=lambda key: (key.name, key.asset_key.to_user_string())):
        found.setdefault(key.name, []).append(graph.get_check_spec(key))
    rows = [
        f"| `{name}` | {', '.join(f'`{spec.asset_key.to_user_string()}`' for spec in specs)} | "
        f"{'yes' if specs[0].blocking else 'no'} | {specs[0].description} |"
        for name, specs in found.items()
    ]
    return "\n".join(["| check | of | blocks | what it says, and what to do |", "|---|---|---|---|", *rows]) + "\n"


def folder_table() -> str:
    """The Markdown table of the package's folders and top-level modules: from the upper layers to the lower ones."""
    rows = [f"| `{path}` | {_first_paragraph(file)} |" for path, file in _layers("defender_assets")]
    table = "\n".join(["| folder or module | what belongs in it |", "|---|---|", *rows])
    # a search for "export" should find the page on the export, not the folder
    return f"<div data-search-exclude markdown>\n\n{table}\n\n</div>\n"


def _layers(container: str) -> list[tuple[str, Path]]:
    """Each module or folder of a layered package in the order of its layers, followed by the folders in it."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (contract for contract in contracts if contract.get("containers") == [container])
    names = [name.strip() for layer in contract["layers"] for name in layer.split("|")]
    names += contract.get("exhaustive_ignores", [])
    rows: list[tuple[str, Path]] = []
    for name in names:
        path = ROOT / container.replace(".", "/") / name
        if not path.is_dir():
            rows.append((f"{path.relative_to(ROOT / 'defender_assets')}.py", path.with_suffix(".py")))
            continue
        rows.append((f"{path.relative_to(ROOT / 'defender_assets')}/", path / "__init__.py"))
        if name in {"core", "outputs"}:
            rows += _layers(f"{container}.{name}")
    return rows


def _first_paragraph(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    return text.partition("\n\n")[0].replace("\n", " ")


def rewritten(text: str) -> str:
    """A document with updated tables; the prose of a section comes before its table."""
    return _SECTION.sub(_section, text).rstrip("\n") + "\n"


def _section(found: re.Match[str]) -> str:
    heading, *lines = found[0].split("\n")
    table = column_table(found[1]) if found[1] else folder_table() if found[2] else check_table()
    prose = "\n".join(line for line in lines if not line.startswith(("|", "<div", "</div"))).strip("\n")
    return "\n\n".join(part for part in (heading, prose, table) if part) + "\n"


def _origins(origins: Iterable[Origin]) -> str:
    names = [f"{_SHORT.get(origin.table, origin.table)}.{origin.column}" for origin in origins]
    more = [f"{len(names) - SHOWN_ORIGINS} more"] if len(names) > SHOWN_ORIGINS else []
    return ", ".join([*names[:SHOWN_ORIGINS], *more]) or "–"


def _text(column: Column) -> str:
    words = f" Words so far: {', '.join(column.known_words)}." if column.known_words else ""
    fields = f" Fields: {', '.join(f'`{name}`' for name in column.fields)}." if column.fields else ""
    return f"{column.meaning.removesuffix('.')}.{words}{fields}".replace("|", "\\|")


if __name__ == "__main__":
    for document in sorted(DOCS.glob("*.md")):
        before = document.read_text()
        if (after := rewritten(before)) != before:
            document.write_text(after)
            sys.stdout.write(f"{document.name}\n")
