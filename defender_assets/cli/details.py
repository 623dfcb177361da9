"""Layout of one row for people, whatever its columns are. Each block ends with an empty line."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from defender_assets.cli.output import Cells, cell_text, console, say, table

Row = Mapping[str, Any]

_ACRONYMS = {"ip": "IP", "url": "URL", "urls": "URLs", "os": "OS", "upn": "UPN", "sid": "SID", "aad": "AAD"}


def show_row(row: Row, first: Iterable[str] = (), leave_out: Collection[str] = ()) -> None:
    """Print the columns of `first`, then the others, without nulls and empty lists.

    In both groups a table for each list of structs follows the other values.
    """
    for names in ([*first], [name for name in row if name not in {*first, *leave_out}]):
        values = {name: row[name] for name in names if not _is_empty(row[name])}
        show_facts({name: value for name, value in values.items() if not _is_struct_list(value)})
        console().print()
        for name, value in values.items():
            if _is_struct_list(value):
                show_structs(label(name), value)


def show_facts(facts: Mapping[str, object]) -> None:
    """Print names, in words, and values in two columns."""
    show_pairs({label(name): value for name, value in facts.items()})


def show_pairs(pairs: Mapping[str, object]) -> None:
    """Print names as they are, and values, in two columns."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs.items():
        grid.add_row(Text(cell_text(name), style="dim"), Text(cell(value)))
    console().print(grid)


def show_structs(title: str, structs: Sequence[Row]) -> None:
    """Print structs as a table of the fields that have values, or one below the other if the terminal is too narrow."""
    from rich.measure import Measurement

    if not structs:
        return
    names = [name for name in structs[0] if any(not _is_empty(struct[name]) for struct in structs)]
    out = console()
    cells: Cells = {label(name): _field(name) for name in names}
    heading = title[:1].upper() + title[1:]
    grid = table(structs, cells, heading, fit=False)
    if Measurement.get(out, out.options.update(max_width=10_000), grid).maximum <= out.width:
        out.print(grid)
        return
    say(heading, "italic")
    for struct in structs:
        show_facts({f"  {label(name)}": struct[name] for name in names if not _is_empty(struct[name])})
        out.print()


def show_versions(versions: Sequence[Row], columns: Sequence[str]) -> None:
    """Print these columns of a row's versions, if it has several."""
    if len(versions) > 1:
        show_structs("versions", [{name: version[name] for name in columns} for version in versions])


def _field(name: str) -> Any:
    return lambda struct: cell(struct[name])


def cell(value: object) -> str:
    """Return a value as text on one line, a time with its seconds."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return cell_text(value)


def _is_struct_list(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _is_empty(value: object) -> bool:
    return value is None or value == []


def label(name: str) -> str:
    """Return a column's name in words."""
    return " ".join(_ACRONYMS.get(word, word) for word in name.split("_"))
