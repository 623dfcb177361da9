"""Statements about leads from a CSV or JSON file, or from standard input."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.errors import CliError
from defender_assets.core.errors import TriageError
from defender_assets.core.json_text import read_json

if TYPE_CHECKING:
    from defender_assets.outputs.triage import Request

_NAMES = {"lead_id": "id", "assign": "assignee"}
"""Other names of fields, as the options and `leads` have them."""


def read_requests(path: Path, defaults: Mapping[str, str | None]) -> "list[Request]":
    """Return the statements of a file; `-` is standard input. What a row leaves out is taken from `defaults`.

    Raises:
        CliError: one line that names the file, the row and what is right.
    """
    from defender_assets.outputs.triage import REQUEST_FIELDS, Request

    name = "standard input" if str(path) == "-" else str(path)
    try:
        with click.open_file(str(path), encoding="utf-8-sig") as file:
            text = file.read()
    except UnicodeDecodeError:
        raise CliError(f"{name} is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise CliError(f"{name} cannot be read ({error.strerror}): name a CSV or JSON file") from None
    requests = []
    for number, row in enumerate(_rows(name, text), 1):
        where = f"{name}, row {number}"
        said = {_NAMES.get(key, key): value for key, value in row.items()}
        if unknown := sorted({*map(str, said)} - {*REQUEST_FIELDS}):
            raise CliError(f"{where} has '{unknown[0][:40]}': expected {', '.join(REQUEST_FIELDS)}")
        if not all(value is None or isinstance(value, str) for value in said.values()):
            raise CliError(f"{where} has a value that is no text: expected {', '.join(REQUEST_FIELDS)} as text")
        given = {key: value for key, value in said.items() if value}
        try:
            requests.append(Request(**{"id": "", **defaults, **given}))
        except TriageError as error:
            raise CliError(f"{where}: {error}") from None
    if not requests:
        raise CliError(f"{name} has no statement: expected {', '.join(REQUEST_FIELDS)}, and a row for each lead")
    return requests


def _csv_rows(name: str, text: str) -> Iterator[Mapping[Any, Any]]:
    """Yield the rows of CSV as a spreadsheet of any language writes it: with commas, semicolons or tabs."""
    header = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    # strict: otherwise a quote that is never closed takes all further rows into its cell
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    names: list[str] | None = None
    try:
        for row in filter(None, rows):
            if names is None:
                names = [cell.strip().lower() for cell in row]
                continue
            more = {"more cells than headings": row[len(names) :]} if len(row) > len(names) else {}
            yield {**dict(zip(names, row, strict=False)), **more}
    except csv.Error as error:
        raise CliError(f"{name}, line {rows.line_num} is no CSV ({error}): are its quotes closed?") from None


def _rows(name: str, text: str) -> Iterator[Mapping[Any, Any]]:
    if not text.lstrip().startswith(("[", "{")):
        yield from _csv_rows(name, text)
        return
    try:
        found = read_json(text)
    except ValueError as error:
        raise CliError(f"{name} is neither CSV nor JSON ({error}): expected a header, or a list of objects") from None
    rows = found if isinstance(found, list) else [found]
    if not all(isinstance(row, dict) for row in rows):
        raise CliError(f"{name} has a row that is no object: expected a list of objects with an id each")
    yield from rows
