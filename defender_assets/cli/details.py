"""One row of a table laid out for people, whatever its columns are: new ones appear by themselves.

Which row it is, and what goes with it, is the commands' business.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from defender_assets.cli.output import Cells, cell_text, console, table
from defender_assets.core.hostile import visible

Row = Mapping[str, Any]


def show_row(row: Row, leave_out: Collection[str] = ()) -> None:
    """Print what a row says: plain values first, then a list for each column of structs. Nulls and [] are left out."""
    said = {name: value for name, value in row.items() if name not in leave_out and not _empty(value)}
    show_facts({name: value for name, value in said.items() if not _structs(value)})
    for name, value in said.items():
        if _structs(value):
            show_structs(_words(name), value)


def show_facts(facts: Mapping[str, object]) -> None:
    """Print names with their values beside them."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(Text(_words(name), style="dim"), Text(_said(value)))
    console().print(grid)


def show_structs(title: str, structs: Sequence[Row]) -> None:
    """Print structs as a table of their filled fields, or one below the other where the terminal is too narrow."""
    from rich.measure import Measurement

    if not structs:
        return
    names = [name for name in structs[0] if any(not _empty(struct[name]) for struct in structs)]
    out = console()
    cells: Cells = {_words(name): _field(name) for name in names}
    drawn = table(structs, cells, f"\n{title.capitalize()}")
    if Measurement.get(out, out.options.update(max_width=10_000), drawn).maximum <= out.width:
        out.print(drawn)
        return
    show_heading(title)
    for struct in structs:
        show_facts({f"  {name}": struct[name] for name in names if not _empty(struct[name])})
        out.print()


def show_heading(title: str) -> None:
    """Print the heading of what follows."""
    from rich.text import Text

    console().print("", Text(visible(title.capitalize()), style="italic"))


def show_lines(lines: Iterable[str]) -> None:
    """Print lines as they are, but for what a terminal would act on; only the terminal breaks them."""
    from rich.text import Text

    for line in lines:
        console().print(Text(visible(line)), soft_wrap=True)


def _field(name: str) -> Any:
    return lambda struct: _said(struct[name])


def _said(value: object) -> str:
    # to the second: a list of rows shows minutes
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else cell_text(value)


def _structs(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _empty(value: object) -> bool:
    return value is None or value == []


def _words(name: str) -> str:
    return name.replace("_", " ")
