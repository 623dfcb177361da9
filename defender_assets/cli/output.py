"""Output of rows: JSON and CSV for programs, tables for people. Hostile text is escaped in each."""

import base64
import codecs
import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from textwrap import TextWrapper
from typing import IO, TYPE_CHECKING, Any, TypeGuard

import click

from defender_assets.cli.csv_safety import spreadsheet_cell, without_formulas
from defender_assets.core.text import escape_control_chars
from defender_assets.core.whole_files import open_whole

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FORMATS = ("table", "json", "csv")
TABLE_ROWS = 25
# when there is no terminal: a pipe, a file, CI
DEFAULT_WIDTH = 160
SHORT_CELL = 16
LONGEST_WORD = 30
SENTENCE_WORDS, SENTENCE_WIDTH = 5, 16
NARROW = 120
STATE = "state"
"""The column of the state in triage. It is left out of a table in which no row has one."""

Cells = Mapping[str, Callable[[Any], object]]
"""Heading of a column -> the value of a row."""


# one character each, so that tables keep their widths
_IN_ASCII = str.maketrans("✓✗·–—…→×’─•", "+x---.>x'-*")
ASCII_MARKS = "defender_assets.ascii_marks"


def _encode_in_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode marks of ours as ASCII ones, and every other character as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_IN_ASCII)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(ASCII_MARKS, _encode_in_ascii)


def prepare_streams() -> None:
    """Let standard output and standard error show every text; a terminal of the locale C gets ASCII only.

    Streams that the caller has closed become empty ones, so that no file of the lake gets their numbers.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (to the end of the process)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Python takes the locale C for UTF-8, which is right for files and pipes
            plain = stream.isatty() and _is_c_locale()
            stream.reconfigure(encoding="ascii" if plain else None, errors=ASCII_MARKS)


def _is_c_locale() -> bool:
    """Return whether the locale is C. Python sets LC_CTYPE to C.UTF-8 where LANG is C (PEP 538)."""
    everything, characters, language = (os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    plain = {"C", "POSIX"}
    return everything in plain or (not everything and language in plain and characters in {"", *plain, "C.UTF-8"})


def ascii_only() -> bool:
    """Return whether standard output shows ASCII only."""
    return not (sys.stdout.encoding or "ascii").lower().startswith("utf")


def console(*, stderr: bool = False) -> "Console":
    """Return a console on standard output or standard error, DEFAULT_WIDTH wide without a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(file=stream, width=DEFAULT_WIDTH if piped else None, highlight=False, markup=False, emoji=False)


def say(text: str, style: str = "", *, stderr: bool = False, verbatim: bool = False) -> None:
    """Print text with control characters escaped. On a terminal lines break between words, unless it is `verbatim`."""
    from rich.text import Text

    out = console(stderr=stderr)
    lines = [escape_control_chars(line) for line in text.split("\n")]
    if out.is_terminal and not verbatim:
        # a path or an address that is longer than a line stays whole, to be copied
        fit = TextWrapper(out.width, break_long_words=False, break_on_hyphens=False)
        lines = [part for line in lines for part in fit.wrap(line) or [""]]
    out.print(Text("\n".join(lines), style=style), soft_wrap=True)


def progress(text: str) -> AbstractContextManager[object]:
    """Show that a step goes on: a line that moves on a terminal, otherwise one line."""
    out = console()
    if out.is_terminal:
        return out.status(escape_control_chars(text), spinner="line")
    say(text)
    return nullcontext()


def open_output(out: Path | None) -> AbstractContextManager[IO[str]]:
    """Open the file, which is replaced as a whole, or standard output for None."""
    return open_whole(out) if names_file(out) else click.open_file("-", "w", encoding="utf-8")


def names_file(out: Path | None) -> TypeGuard[Path]:
    """Return whether `--out` names a file: None and `-` are standard output."""
    return out is not None and str(out) != "-"


def to_json_value(value: object) -> Any:
    """Return a value that JSON can hold: instants as ISO 8601 in UTC, days as ISO 8601, bytes in base64.

    Infinity and NaN, which JSON lacks, are null. Values of any other type, such as lengths of time, are text.
    """
    if isinstance(value, date):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(name): to_json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_value(item) for item in value]
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


def as_json(value: object) -> str:
    """Return JSON in ASCII, so that no text in it can act on a terminal."""
    # DEL is the only control character that JSON does not escape
    return json.dumps(to_json_value(value), ensure_ascii=True).replace("\x7f", "\\u007f")


def write_json(rows: Iterable[Mapping[str, object]]) -> None:
    """Print the rows as a JSON array, one row per line."""
    before = "[\n"
    for row in rows:
        click.echo(f"{before}{as_json(row)}", nl=False)
        before = ",\n"
    click.echo("\n]" if before == ",\n" else "[]")


def write_csv(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print the rows as CSV with a header; lists and structs are JSON text, and text is safe for spreadsheets.

    Every cell is quoted, so that a spreadsheet with another separator splits no text.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow([spreadsheet_cell(name) for name in names])
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])


def table(rows: Any, cells: Cells, title: str | None = None, *, fit: bool = True) -> "Table":
    """Return rows as a rich table without markup and control characters; `fit` makes it as wide as the console."""
    columns = [column for column in _columns(rows, cells) if column[0] != STATE or any(column[1:])]
    widths = (_widths(columns) if fit else None) or [None] * len(columns)
    return _rich_table(columns, widths, title)


def fitting_table(rows: Any, cells: Cells) -> "Table | None":
    """Return rows as such a table, or None if the console is too narrow for one in which no name is broken."""
    columns = _columns(rows, cells)
    widths = _widths(columns)
    return None if widths is None else _rich_table(columns, widths)


def _rich_table(columns: Sequence[Sequence[str]], widths: Sequence[int | None], title: str | None = None) -> "Table":
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
    for (heading, *_), width in zip(columns, widths, strict=True):
        shown.add_column(Text(heading), overflow="fold", width=width)
    for line in zip(*(texts for _, *texts in columns), strict=True):
        shown.add_row(*map(Text, line))
    return shown


# the edges of a table, and what is between two of its columns
_FRAME, _GAP = 2, 2


def _columns(rows: Any, cells: Cells) -> list[list[str]]:
    """Return the texts of each column, its heading first."""
    lines = [[cell_text(show(row)) for show in cells.values()] for row in rows]
    return [[cell_text(heading), *(line[number] for line in lines)] for number, heading in enumerate(cells)]


def _widths(columns: Sequence[Sequence[str]]) -> list[int | None] | None:
    """Return the widths of a table's columns, None for each if they all fit, and None if the terminal is too narrow.

    A column is at least as wide as its longest word, so that no name is broken in its middle, and a column of times or
    numbers as its longest cell. Columns of texts share what remains.
    """
    from rich.cells import cell_len

    available = console().width - _FRAME - _GAP * (len(columns) - 1)
    full = [max(map(cell_len, texts)) for texts in columns]
    # a longer word is no name, and broken anyway
    words = [
        max((size for text in texts for size in map(cell_len, text.split()) if size <= LONGEST_WORD), default=1)
        for texts in columns
    ]
    short = [
        width if all(cell_len(text) <= SHORT_CELL for text in texts[1:]) else word
        for texts, width, word in zip(columns, full, words, strict=True)
    ]
    if sum(full) <= available:
        return [None] * len(columns)
    # the first column names the row
    words[0] = short[0]
    # of sentences, long words are broken before any name is
    names = [
        min(word, SENTENCE_WIDTH) if any(len(text.split()) >= SENTENCE_WORDS for text in texts) else word
        for texts, word in zip(columns, words, strict=True)
    ]
    widths = next((least for least in (short, words, names) if sum(least) <= available), None)
    if widths is None:
        return None
    widths = list(widths)
    for _ in range(available - sum(widths)):
        # a column more for the text that takes most rows
        widest = max(range(len(widths)), key=lambda number: full[number] / max(1, widths[number]))
        if full[widest] <= widths[widest]:
            break
        widths[widest] += 1
    return [*widths]


def fitting(cells: Cells, from_width: Mapping[str, int], narrow: Cells | None = None) -> Cells:
    """Return the columns for which the terminal is wide enough; those without a width always show.

    Below NARROW columns of width, `narrow` replaces cells by shorter ones.
    """
    width = console().width
    shown = {**cells, **{name: show for name, show in (narrow or {}).items() if name in cells and width < NARROW}}
    return {heading: show for heading, show in shown.items() if width >= from_width.get(heading, 0)}


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
    return value if isinstance(value, float) else to_json_value(value)
