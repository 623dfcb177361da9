"""`defender-assets sql`: a SELECT on views of the lake, in DuckDB without any access to files and the network."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from defender_assets.cli.details import show_pairs
from defender_assets.cli.errors import NOTHING_FOUND, CliError
from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.options import DAY, limit_option, output_format
from defender_assets.cli.output import TABLE_ROWS, console, fitting_table, say, write_csv, write_json
from defender_assets.core.errors import redact
from defender_assets.core.text import escape_control_chars

if TYPE_CHECKING:
    import duckdb
    import polars as pl

    from defender_assets.core.lake.lake import Lake

# Of a lake nothing else can be reached: the views are in memory before the statement runs.
_CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
_LISTING = re.compile(r"\s*SHOW\b", re.IGNORECASE)
_AT_THE_STATEMENT = re.compile(r"\s*LINE \d+:")


@click.command()
@click.argument("statement", metavar="STATEMENT")
@click.option("--from", "first", type=DAY, metavar="YYYY-MM-DD", help="Only rows that arrived on this day or later.")
@limit_option
@output_format()
def sql(*, statement: str, first: date | None, limit: int | None, output_format: str) -> None:
    """Run one SELECT of DuckDB's SQL on views of the lake; `-` reads it from standard input.

    The views are every table except raw, and `leads` and `stories` (their current state, leads with priority and
    story), `queue` (the current order) and `alert_evidence` (each record once). `SHOW TABLES` lists them, `DESCRIBE
    leads` the columns. The variable `since` is 7 days ago: `alert_time > getvariable('since')`.

    What the statement names is read into memory; --from limits it. The statement reaches nothing else: no file, no
    network, no extension. Times are in UTC.
    """
    import duckdb

    reader = LakeReader.from_settings()
    text = sys.stdin.read() if statement == "-" else statement
    with duckdb.connect(":memory:", config=_CLOSED) as connection:
        try:
            _require_select(connection, text)
            _prepare(connection, reader.lake, text, first)
            connection.execute(text)
            names = _distinct([str(column[0]) for column in connection.description or ()])
            shown = limit or TABLE_ROWS
            rows = connection.fetchmany(shown + 1) if output_format == "table" else connection.fetchall()
        except duckdb.Error as error:
            raise CliError(_one_line(str(error))) from None
    if output_format == "json":
        write_json(dict(zip(names, row, strict=True)) for row in rows[:limit])
    elif output_format == "csv":
        write_csv(names, rows[:limit])
    elif not rows:
        say("The statement returns no row.")
        raise click.exceptions.Exit(NOTHING_FOUND)
    else:
        _show(names, rows[:shown])
        if len(rows) > shown:
            say(f"The first {shown:,} rows: --limit N shows more, --format json or csv all.")


def _show(names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, or each row as names and values if the terminal is too narrow for its columns."""
    cells = {name: _value_at(number) for number, name in enumerate(names)}
    if shown := fitting_table(rows, cells):
        console().print(shown)
        return
    for row in rows:
        show_pairs(dict(zip(names, row, strict=True)))
        console().print()


def views_of(lake: "Lake", first: date | None = None) -> Mapping[str, Callable[[], "pl.LazyFrame"]]:
    """Return the views by name, each with a function that returns its rows that arrived on `first` or later."""
    import polars as pl

    from defender_assets.catalog import RAW, SPECS
    from defender_assets.core.lake.table_spec import BUILT_VERSION
    from defender_assets.core.schemas import ALERT_EVIDENCE
    from defender_assets.core.tables.deduplication import distinct_records
    from defender_assets.outputs.queries import views

    def read(name: str) -> "pl.LazyFrame":
        return lake.read(name).drop(BUILT_VERSION.name, strict=False)

    found: dict[str, Callable[[], pl.LazyFrame]] = {
        "leads": lambda: views.current_leads(lake),
        "stories": lambda: views.current_stories(lake),
        "queue": lambda: views.current_queue(lake),
        "alert_evidence": lambda: distinct_records(read(ALERT_EVIDENCE.name)),
    }
    raw = {spec.name for spec in RAW}
    found |= {name: partial(read, name) for name in SPECS if name not in raw}

    def since(rows: Callable[[], "pl.LazyFrame"]) -> Callable[[], "pl.LazyFrame"]:
        def recent() -> "pl.LazyFrame":
            frame = rows()
            dated = first is not None and "export_date" in frame.collect_schema()
            return frame.filter(pl.col("export_date") >= first) if dated else frame

        return recent

    return {name: since(rows) for name, rows in found.items()}


def _require_select(connection: "duckdb.DuckDBPyConnection", text: str) -> None:
    import duckdb

    kinds = [statement.type for statement in connection.extract_statements(text)]
    if kinds != [duckdb.StatementType.SELECT]:
        what = "several statements" if len(kinds) > 1 else "no statement" if not kinds else "no SELECT"
        raise CliError(f"that is {what}: expected one SELECT, such as 'FROM leads SELECT title, priority'")


def _prepare(connection: "duckdb.DuckDBPyConnection", lake: "Lake", text: str, first: date | None) -> None:
    """Put the views that the text names into the connection, and lock its configuration."""
    from arro3.core import Table

    from defender_assets.outputs.queries.views import collected

    for name, rows in views_of(lake, first).items():
        if re.search(rf"\b{name}\b", text, re.IGNORECASE):
            connection.register(name, Table.from_arrow(collected(lake, rows())))
        elif _LISTING.match(text):
            connection.register(name, Table.from_arrow(collected(lake, rows().head(0))))
    connection.execute(
        "SET TimeZone = 'UTC'; SET VARIABLE since = now() - INTERVAL 7 DAY; SET lock_configuration = true"
    )


def _distinct(names: list[str]) -> list[str]:
    """Return the names of the columns, each once.

    >>> _distinct(["a", "a", "b"])
    ['a', 'a_1', 'b']
    """
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        distinct.append(f"{name}_{seen[name]}" if seen[name] else name)
    return distinct


def _value_at(number: int) -> Callable[[Any], object]:
    return lambda row: row[number]


def _one_line(text: str) -> str:
    """Return an error of DuckDB as one line, without the statement that it repeats."""
    message = _AT_THE_STATEMENT.split(text)[0]
    advice = "; `SHOW TABLES` lists the views" if "does not exist" in message else ""
    return escape_control_chars(redact(message)) + advice
