"""`defender-assets init`: asks where the export and the lake are, and writes `.env`. What it means: `settings`.

A secret is typed unseen or piped in, never an argument, and never shown again.
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

    A connection string is typed unseen, or piped into the command; it is never shown. Settings of a replaced .env that
    are not asked for stay.
    """
    from defender_assets import settings

    target = Path(".env")
    if target.exists() and not force:
        raise CliError(
            f"{target.resolve()} is there already: change it by hand, or --force replaces it and keeps the old one"
        )
    kept = _others(target, (*settings.EXPORT_CHOICES, settings.LAKE_URI, settings.START_DATE))
    way = way or _chosen()
    values = {
        "connection-string": lambda: {settings.CONNECTION_STRING: _secret()},
        "entra": lambda: {settings.ACCOUNT_URL: account_url or click.prompt("URL of the account's blob service")},
        "directory": lambda: {settings.EXPORT_DIR: export_dir or click.prompt("Directory")},
    }[way]()
    leaving = _demo_to_remove() if lake_uri is None else None
    values[settings.LAKE_URI] = lake_uri or click.prompt(
        "Where the tables go (a path, az://CONTAINER/PATH or abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH)",
        default=settings.DEFAULT_LAKE,
    )
    if leaving is None:
        _keep_apart_from_the_demo(values[settings.LAKE_URI])
    first = start_date or click.prompt("First day wanted", type=DAY, default=settings.DEFAULT_START.isoformat())
    values[settings.START_DATE] = first.isoformat()
    # a wrong value is told before anything is written; of what is taken over, this one depends on what was asked for
    lake_key = {name: kept[name] for name in (settings.LAKE_CONNECTION_STRING,) if name in kept}
    settings.load_settings({**values, **lake_key}, Path("/nonexistent"))
    if leaving is not None:
        _remove(leaving)
    old = _write(target, {**values, **kept})
    # elsewhere the folder says who may read
    alone = ", readable by you alone" if os.name == "posix" else ""
    was = (
        f" The old one is {old}; what was not asked for was taken over: {', '.join(kept) or 'nothing'}." if old else ""
    )
    say(f"{target.resolve()} is written{alone}.{was} Next: defender-assets check")


def _chosen() -> str:
    say("How is the export reached?")
    for number, told in enumerate(WAYS.values(), 1):
        say(f"  {number}  {told}")
    return str(click.prompt("Number", default="1", value_proc=_way_of))


def _way_of(answer: str) -> str:
    ways = {str(number): way for number, way in enumerate(WAYS, 1)}
    if answer.strip() not in ways:
        # the answer is not repeated: whoever pastes or pipes too early gives the secret here
        raise click.UsageError(
            "answer 1, 2 or 3; a connection string that is piped in wants --export connection-string before it"
        )
    return ways[answer.strip()]


def _secret() -> str:
    from defender_assets.core.azure.account import from_connection_string
    from defender_assets.settings import CONNECTION_STRING

    if not sys.stdin.isatty():
        text = sys.stdin.readline().strip()
        if not text:
            raise CliError("no connection string was piped in: it is expected on the first line of standard input")
        return text
    while True:
        text = str(click.prompt("Connection string (not shown)", hide_input=True)).strip()
        try:
            from_connection_string(CONNECTION_STRING, text)
        except SettingsError as error:
            # said at once, not after the other questions
            print_error(str(error), (text,))
        else:
            return text


def _demo_to_remove() -> Path | None:
    """Return the demo's directory if the demo is there and the user wants it removed."""
    from defender_assets.cli.demo.place import left_in

    demo = left_in(Path.cwd())
    if demo is None:
        return None
    say(f"{demo} holds the demo: made-up alerts, and what Dagster remembers of their runs.")
    return demo if click.confirm("Remove them (end `make ui` before)?", default=True) else None


def _remove(demo: Path) -> None:
    from defender_assets.cli.demo.place import remove

    try:
        remove(demo)
    except OSError as error:
        raise CliError(f"{error.filename} cannot be removed ({error.strerror}): remove {demo} by hand") from None


def _keep_apart_from_the_demo(lake_uri: str) -> None:
    """Raise a complaint when real alerts would come among made-up ones."""
    from defender_assets.cli.demo.place import LAKE, left_in

    demo = left_in(Path.cwd())
    if demo is not None and Path(lake_uri).expanduser().resolve() == (demo / LAKE).resolve():
        raise CliError(
            f"{demo / LAKE} holds the demo's made-up alerts: remove {demo}, or name another place for the tables"
        )


def _others(target: Path, asked: Collection[str]) -> dict[str, str]:
    """Return what the file that is there sets besides what is asked for."""
    if not target.is_file():
        return {}
    try:
        held = dotenv_values(target, encoding="utf-8-sig", interpolate=False)
    except (OSError, UnicodeDecodeError):
        return {}
    # an empty one unsets what the environment says
    return {name: value for name, value in held.items() if value is not None and name not in asked}


def _write(target: Path, values: Mapping[str, str]) -> Path | None:
    """Write the file so that nobody else can read it at any moment; return where the old one is."""
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
