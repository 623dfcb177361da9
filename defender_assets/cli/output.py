"""Output of rows: JSON and CSV for programs, tables for people. Hostile text is escaped in each."""

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

from defender_assets.cli.csv_safety import spreadsheet_cell, without_formulas
from defender_assets.core.text import escape_control_chars

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console
    from rich.table import Table

FORMATS = ("table", "json", "csv")
TABLE_ROWS = 25
# when there is no terminal: a pipe, a file, CI
DEFAULT_WIDTH = 160
SHORT_CELL = 16

Cells = Mapping[str, Callable[[Any], object]]
"""Heading of a column -> the value of a row."""


def console(*, stderr: bool = False) -> "Console":
    """Return a console on standard output or standard error, DEFAULT_WIDTH wide without a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(file=stream, width=DEFAULT_WIDTH if piped else None, highlight=False, markup=False, emoji=False)


def say(text: str, style: str = "", *, stderr: bool = False) -> None:
    """Print text with control characters escaped; only the terminal wraps its lines."""
    from rich.text import Text

    lines = "\n".join(escape_control_chars(line) for line in text.split("\n"))
    console(stderr=stderr).print(Text(lines, style=style), soft_wrap=True)


def open_output(out: Path | None) -> AbstractContextManager[IO[str]]:
    """Open the file, or standard output for None."""
    return click.open_file(str(out or "-"), "w", encoding="utf-8", lazy=False)


def to_json_value(value: object) -> Any:
    """Return a value that JSON can hold: instants as ISO 8601 in UTC, days as ISO 8601, bytes in base64."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: to_json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    return value


def as_json(value: object) -> str:
    """Return JSON in ASCII, so that no text in it can act on a terminal."""
    # DEL is the only control character that JSON does not escape
    return json.dumps(to_json_value(value), ensure_ascii=True).replace("\x7f", "\\u007f")


def write_json(rows: "pl.DataFrame") -> None:
    """Print the rows as a JSON array, one row per line."""
    before = "[\n"
    for row in rows.iter_rows(named=True):
        click.echo(f"{before}{as_json(row)}", nl=False)
        before = ",\n"
    click.echo("\n]" if rows.height else "[]")


def write_csv(rows: "pl.DataFrame") -> None:
    """Print the rows as CSV with a header; lists and structs are JSON text, and text is safe for spreadsheets.

    Every cell is quoted, so that a spreadsheet with another separator splits no text.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(rows.columns)
    for row in rows.iter_rows():
        writer.writerow([_csv_cell(value) for value in row])


def table(rows: Any, cells: Cells, title: str | None = None) -> "Table":
    """Return rows as a rich table; cells have no markup and no control characters."""
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
        # a narrow terminal wraps titles and names, not times and scores; if all are short, not the first column either
        shown.add_column(Text(heading), overflow="fold", no_wrap=short[number] and (number == 0 or not all(short)))
    for line in lines:
        shown.add_row(*map(Text, line))
    return shown


def fitting(cells: Cells, from_width: Mapping[str, int]) -> Cells:
    """Return the columns for which the terminal is wide enough; those without a width always show."""
    width = console().width
    return {heading: show for heading, show in cells.items() if width >= from_width.get(heading, 0)}


def cell_text(value: object) -> str:
    """Return a value as text on one line; empty for null."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return ", ".join(cell_text(item) for item in value)
    return escape_control_chars(str(value))


def hour_of(path: str) -> str:
    """Return the day and hour in a blob's path.

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
        return escape_control_chars(as_json(without_formulas(value)))
    return to_json_value(value)
