"""`defender-assets init`: asks where the export and the lake are, and writes `.env`. What it means: `settings`.

A secret is typed unseen or piped in, never an argument, and never shown again.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path

import click

from defender_assets.cli.options import DAY
from defender_assets.cli.output import say

WAYS = {
    "connection-string": "a connection string with a SAS or an account key, as the Azure portal shows it",
    "entra": "Entra ID: managed identity, workload identity or the Azure CLI's login",
    "directory": "a directory that holds the containers as folders",
}
_QUOTED = str.maketrans({"\\": "\\\\", "'": "\\'"})


@click.command(short_help="Write .env: where the export and the lake are.")
@click.option("--export", "way", type=click.Choice(list(WAYS)), help="How the export is reached. Else asked for.")
@click.option("--account-url", metavar="URL", help="With entra: https://ACCOUNT.blob.core.windows.net")
@click.option("--export-dir", metavar="DIR", help="With directory: the directory.")
@click.option("--lake-uri", metavar="URI", help="Where the tables go: a path, az://… or abfss://… Else asked for.")
@click.option("--start-date", type=DAY, metavar="YYYY-MM-DD", help="The first day wanted. Else asked for.")
@click.option("--force", is_flag=True, help="Replace a .env that is there; the old one is kept as .env.old.")
def init(
    *,
    way: str | None,
    account_url: str | None,
    export_dir: str | None,
    lake_uri: str | None,
    start_date: date | None,
    force: bool,
) -> None:
    """Ask where the export and the lake are, and write .env into the working directory, readable by you alone.

    A connection string is typed unseen, or piped into the command; it is never shown.
    """
    from defender_assets import settings

    target = Path(".env")
    if target.exists() and not force:
        raise click.ClickException(
            f"{target.resolve()} is there already: change it by hand, or --force replaces it and keeps the old one"
        )
    way = way or _chosen()
    values = {
        "connection-string": lambda: {settings.CONNECTION_STRING: _secret()},
        "entra": lambda: {settings.ACCOUNT_URL: account_url or click.prompt("URL of the account's blob service")},
        "directory": lambda: {settings.EXPORT_DIR: export_dir or click.prompt("Directory")},
    }[way]()
    values[settings.LAKE_URI] = lake_uri or click.prompt(
        "Where the tables go (a path, az://CONTAINER/PATH or abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH)",
        default=settings.DEFAULT_LAKE,
    )
    first = start_date or click.prompt("First day wanted", type=DAY, default=settings.DEFAULT_START.isoformat())
    values[settings.START_DATE] = first.isoformat()
    settings.load_settings(values, Path("/nonexistent"))  # a wrong value is told before anything is written
    _write(target, values)
    say(f"{target.resolve()} is written, readable by you alone. Next: defender-assets check")


def _chosen() -> str:
    say("How is the export reached?")
    for number, told in enumerate(WAYS.values(), 1):
        say(f"  {number}  {told}")
    number = click.prompt("Number", type=click.IntRange(1, len(WAYS)), default=1)
    return list(WAYS)[number - 1]


def _secret() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Connection string (not shown)", hide_input=True)).strip()
    return sys.stdin.readline().strip()


def _write(target: Path, values: Mapping[str, str]) -> None:
    """Write the file so that nobody else can read it at any moment."""
    content = "".join(f"{name}='{value.translate(_QUOTED)}'\n" for name, value in values.items())
    fresh = target.with_name(f"{target.name}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    if target.exists():
        target.replace(target.with_name(f"{target.name}.old"))
    fresh.replace(target)
