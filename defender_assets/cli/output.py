"""Rows as JSON and CSV for machines and as tables for people, on standard output; what goes to a file that is named.

Which rows and which columns is the commands' business; how hostile text is tamed: `core.hostile`, `hostile`.
"""

import base64
import csv
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from defender_assets.cli.csv_safety import spreadsheet_cell
from defender_assets.core.text import escape_control_chars

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console
    from rich.table import Table

FORMATS = ("table", "json", "csv")
# where no terminal tells its width: a pipe, a file, CI
WIDTH_OF_A_PIPE = 160
SHORT_CELL = 16

Cells = Mapping[str, Callable[[Any], object]]
"""Heading of a table's column -> what a row shows there."""


def console(*, stderr: bool = False) -> "Console":
    """Return where people read: standard output or standard error, wide where no terminal limits it."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(file=stream, width=WIDTH_OF_A_PIPE if piped else None, highlight=False, markup=False, emoji=False)


def say(text: str, style: str = "", *, stderr: bool = False) -> None:
    """Print prose: control characters visible, lines broken by the terminal and nobody else."""
    from rich.text import Text

    lines = "\n".join(escape_control_chars(line) for line in text.split("\n"))
    console(stderr=stderr).print(Text(lines, style=style), soft_wrap=True)


def opened(out: Path | None) -> AbstractContextManager[IO[str]]:
    """Open what is written to: the file that was named, or standard output."""
    return click.open_file(str(out or "-"), "w", encoding="utf-8", lazy=False)


def plain(value: object) -> Any:
    """Return a cell's value as JSON takes it: instants as ISO 8601 in UTC, days as ISO 8601, bytes in base64."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def as_json(value: object) -> str:
    """Return JSON in ASCII: whatever the text holds, nothing of it can act on a terminal."""
    # DEL is the one control that JSON leaves as it is
    return json.dumps(plain(value), ensure_ascii=True).replace("\x7f", "\\u007f")


def write_json(rows: "pl.DataFrame") -> None:
    """Print the rows as one JSON array, one row a line."""
    before = "[\n"
    for row in rows.iter_rows(named=True):
        click.echo(f"{before}{as_json(row)}", nl=False)
        before = ",\n"
    click.echo("\n]" if rows.height else "[]")


def write_csv(rows: "pl.DataFrame") -> None:
    """Print the rows as CSV with a heading; lists and structs are JSON text, text is safe for spreadsheets."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(rows.columns)
    for row in rows.iter_rows():
        writer.writerow([_csv_cell(value) for value in row])


def write_table(rows: "pl.DataFrame", cells: Cells, title: str) -> None:
    """Print the rows as a table: a column for each of the cells."""
    console().print(table(rows.iter_rows(named=True), cells, title))


def table(rows: Any, cells: Cells, title: str | None = None) -> "Table":
    """Return rows as a rich table. Every cell is plain text: no markup, no control characters."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        title=None if title is None else Text(title),
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    lines = [[cell_text(show(row)) for show in cells.values()] for row in rows]
    short = [all(len(line[number]) <= SHORT_CELL for line in lines) for number in range(len(cells))]
    for number, heading in enumerate(cells):
        # a narrow terminal wraps titles and names, not times and scores; where all is short, not what a row is called
        shown.add_column(Text(heading), overflow="fold", no_wrap=short[number] and (number == 0 or not all(short)))
    for line in lines:
        shown.add_row(*map(Text, line))
    return shown


def fitting(cells: Cells, from_width: Mapping[str, int]) -> Cells:
    """Return the columns for which people's terminal is wide enough; one that is not named always is."""
    width = console().width
    return {heading: show for heading, show in cells.items() if width >= from_width.get(heading, 0)}


def cell_text(value: object) -> str:
    """Return a value as a person reads it, on one line; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return ", ".join(cell_text(item) for item in value)
    return escape_control_chars(str(value))


def hour_of(path: str) -> str:
    """Return the day and hour that a blob's path names.

    >>> hour_of("tenantId=t/y=2026/m=01/d=31/h=08/m=00/PT1H.json")
    '2026-01-31 08:00'
    """
    year, month, day, hour = (part.partition("=")[2] for part in path.split("/")[1:5])
    return f"{year}-{month}-{day} {hour}:00"


def _csv_cell(value: object) -> object:
    if isinstance(value, str):
        return spreadsheet_cell(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return spreadsheet_cell(as_json(value))
    return plain(value)
