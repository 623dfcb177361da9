"""One row of a table laid out for people, whatever its columns are: new ones appear by themselves.

Every block ends with one empty line, so that a heading is told from what stands above it.
Which row it is, and what goes with it, is the commands' business.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from defender_assets.cli.output import Cells, cell_text, console, table
from defender_assets.core.text import escape_control_chars

Row = Mapping[str, Any]

_SPELT = {"ip": "IP", "url": "URL", "urls": "URLs", "os": "OS", "upn": "UPN", "sid": "SID", "aad": "AAD"}
"""Words of column names that people write another way."""


def show_row(row: Row, first: Iterable[str] = (), leave_out: Collection[str] = ()) -> None:
    """Print what a row says: the columns of `first`, then the others; nulls and [] are left out.

    Of both, plain values come first, then a list for each column of structs.
    """
    for names in ([*first], [name for name in row if name not in {*first, *leave_out}]):
        said = {name: row[name] for name in names if not _empty(row[name])}
        show_facts({name: value for name, value in said.items() if not _structs(value)})
        console().print()
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
    drawn = table(structs, cells, _capitalized(title))
    if Measurement.get(out, out.options.update(max_width=10_000), drawn).maximum <= out.width:
        out.print(drawn)
        return
    show_heading(title)
    for struct in structs:
        show_facts({f"  {_words(name)}": struct[name] for name in names if not _empty(struct[name])})
        out.print()


def show_heading(title: str) -> None:
    """Print the heading of what follows."""
    from rich.text import Text

    console().print(Text(escape_control_chars(_capitalized(title)), style="italic"))


def show_lines(lines: Iterable[str]) -> None:
    """Print lines as they are, but for what a terminal would act on; only the terminal breaks them."""
    from rich.text import Text

    for line in lines:
        console().print(Text(escape_control_chars(line)), soft_wrap=True)


def _field(name: str) -> Any:
    return lambda struct: _said(struct[name])


def _said(value: object) -> str:
    if isinstance(value, datetime):
        # to the second: a list of rows shows minutes
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return cell_text(value)


def _structs(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _empty(value: object) -> bool:
    return value is None or value == []


def _words(name: str) -> str:
    return " ".join(_SPELT.get(word, word) for word in name.split("_"))


def _capitalized(title: str) -> str:
    return title[:1].upper() + title[1:]
