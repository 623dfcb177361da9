"""`defender-assets triage ID…`: say what is known of leads."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from defender_assets.cli.errors import CliError
from defender_assets.cli.lake_reader import announced_settings
from defender_assets.cli.leads import title
from defender_assets.cli.options import output_format
from defender_assets.cli.output import TABLE_ROWS, Cells, cell_text, console, say, table, write_json
from defender_assets.cli.statements_file import read_requests
from defender_assets.core.enums import STATES, VERDICTS
from defender_assets.core.text import pluralize

if TYPE_CHECKING:
    from defender_assets.settings import Settings

CELLS: Cells = {
    "state": lambda row: row["state"],
    "verdict": lambda row: row["verdict"],
    "assignee": lambda row: row["assignee"],
    "comment": lambda row: row["comment"],
    "title": title,
    "id": lambda row: row["lead_id"][:8],
}


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--state", type=click.Choice(STATES), help="The state from now on. closed needs a verdict.")
@click.option("--verdict", type=click.Choice(VERDICTS), help="What it was, with --state closed.")
@click.option("--assign", "assignee", metavar="WHO", help='Who works on it from now on; "" for nobody.')
@click.option("--comment", metavar="TEXT", help="A comment, kept with the statement.")
@click.option("--author", metavar="WHO", help="Who says so. Default: DEFENDER_AUTHOR, else the user of this machine.")
@click.option(
    "--from",
    "source",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Statements from a CSV or JSON file with id, state, verdict, assignee, comment; - is standard input. The "
    "options apply where a row has no value.",
)
@output_format(("table", "json"))
def triage(
    *,
    ids: tuple[str, ...],
    source: Path | None,
    author: str | None,
    output_format: str,
    **said: str | None,
) -> None:
    """Say what is known of leads. All statements of a command are made at once, or none.

    ID is the beginning of a lead's id as `leads` shows it, Microsoft's complete AlertId, or the beginning of a story's
    id for all leads that the story has now. What is not said of a lead stays as it is. `lead ID` shows all statements.
    """
    from defender_assets.outputs.triage import Request, state_all

    requests = [Request(each, **said) for each in ids]
    if source is not None:
        requests += read_requests(source, said)
    if not requests:
        raise CliError("no lead is named: give an ID, as `defender-assets leads` shows it, or --from FILE")
    settings = announced_settings()
    stated = state_all(settings.lake(), requests, author=author or author_of(settings))
    if output_format == "json":
        write_json(stated.iter_rows(named=True))
        return
    console().print(table(stated.head(TABLE_ROWS).iter_rows(named=True), CELLS))
    (first, *_) = stated.iter_rows(named=True)
    say(f"{pluralize(stated.height, 'statement')} by {cell_text(first['author'])}, number {first['sequence']}.")


def author_of(settings: "Settings") -> str:
    """Return who makes a statement: DEFENDER_AUTHOR, else the user of the operating system.

    Raises:
        CliError: when neither is known, as in a container without a user.
    """
    if settings.author:
        return settings.author
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise CliError("this machine's user has no name: set DEFENDER_AUTHOR, or give --author") from None
