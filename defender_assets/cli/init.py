"""`defender-assets init`: asks where the export and the lake are, and writes `.env`.

A secret is typed without echo or piped in. It is never an argument and never printed.
"""

import os
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import date
from itertools import count
from pathlib import Path

import click
from dotenv import dotenv_values

from defender_assets.cli.errors import CliError, print_error
from defender_assets.cli.options import DAY
from defender_assets.cli.output import say
from defender_assets.core.errors import SettingsError

WAYS = {
    "connection-string": "a connection string with a SAS or an account key, as the Azure portal shows it",
    "entra": "Entra ID: managed identity, workload identity or the Azure CLI's login",
    "directory": "a directory that holds the containers as folders",
}
_QUOTED = str.maketrans({"\\": "\\\\", "'": "\\'"})


@click.command(short_help="Write .env: where the export and the lake are.")
@click.option("--export", "way", type=click.Choice(list(WAYS)), help="How to reach the export. Asked for if not given.")
@click.option("--account-url", metavar="URL", help="With entra: https://ACCOUNT.blob.core.windows.net")
@click.option("--export-dir", metavar="DIR", help="With directory: the directory.")
@click.option(
    "--lake-uri", metavar="URI", help="Where the tables go: a path, az://… or abfss://… Asked for if not given."
)
@click.option("--start-date", type=DAY, metavar="YYYY-MM-DD", help="The first day to read. Asked for if not given.")
@click.option("--force", is_flag=True, help="Replace an existing .env; the old one is kept as .env.old.")
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

    A connection string is typed without echo, or piped into the command. It is never shown. A replaced .env keeps the
    settings that are not asked for.
    """
    from defender_assets import settings
    from defender_assets.cli.demo.scenario import old_demo

    target = Path(".env")
    if target.exists() and not force:
        raise CliError(f"{target.resolve()} exists: edit it, or use --force to replace it and keep the old one")
    kept = _others(target, (*settings.EXPORT_CHOICES, settings.LAKE_URI, settings.START_DATE))
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
    # A wrong value is an error before anything is written. Of the kept settings, only this one depends on the answers.
    lake_key = {name: kept[name] for name in (settings.LAKE_CONNECTION_STRING,) if name in kept}
    settings.load_settings({**values, **lake_key}, Path("/nonexistent"))
    # afterwards the default lake is the user's own
    demo = old_demo(Path.cwd())
    old = _write(target, {**values, **kept})
    # on Windows the permissions of the directory apply
    private = ", readable by you alone" if os.name == "posix" else ""
    replaced = f" The old file is {old}. Settings kept from it: {', '.join(kept) or 'none'}." if old else ""
    if demo:
        say(demo)
    say(f"{target.resolve()} is written{private}.{replaced} Next: defender-assets check")


def _chosen() -> str:
    say("How is the export reached?")
    for number, description in enumerate(WAYS.values(), 1):
        say(f"  {number}  {description}")
    return str(click.prompt("Number", default="1", value_proc=_way_of))


def _way_of(answer: str) -> str:
    ways = {str(number): way for number, way in enumerate(WAYS, 1)}
    if answer.strip() not in ways:
        # the answer is not repeated: a secret that is pasted or piped too early arrives here
        raise click.UsageError("answer 1, 2 or 3; to pipe in a connection string, use --export connection-string")
    return ways[answer.strip()]


def _secret() -> str:
    from defender_assets.core.azure.account import from_connection_string
    from defender_assets.settings import CONNECTION_STRING

    if not sys.stdin.isatty():
        text = sys.stdin.readline().strip()
        if not text:
            raise CliError("no connection string was piped in: expected it on the first line of standard input")
        return text
    while True:
        text = str(click.prompt("Connection string (not shown)", hide_input=True)).strip()
        try:
            from_connection_string(CONNECTION_STRING, text)
        except SettingsError as error:
            # reported now, not after the other questions
            print_error(str(error), (text,))
        else:
            return text


def _others(target: Path, asked: Collection[str]) -> dict[str, str]:
    """Return the settings of an existing file that are not asked for."""
    if not target.is_file():
        return {}
    try:
        current = dotenv_values(target, encoding="utf-8-sig", interpolate=False)
    except (OSError, UnicodeDecodeError):
        return {}
    # an empty value stays: it unsets the environment's
    return {name: value for name, value in current.items() if value is not None and name not in asked}


def _write(target: Path, values: Mapping[str, str]) -> Path | None:
    """Write the file, never readable by others, and return the path of the old one."""
    content = "".join(f"{name}='{value.translate(_QUOTED)}'\n" for name, value in values.items())
    fresh, old = target.with_name(f"{target.name}.new"), None
    with suppress(FileNotFoundError):
        fresh.unlink()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    if target.exists():
        names = (target.with_name(f"{target.name}.old{number or ''}") for number in count())
        old = target.replace(next(name for name in names if not name.exists()))
        old.chmod(0o600)
    fresh.replace(target)
    return old
