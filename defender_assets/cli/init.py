"""`defender-assets init`: asks where the export and the lake are, and writes `.env`.

A secret is typed without echo or piped in. It is never an argument and never printed.
"""

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from itertools import count
from pathlib import Path

import click

from defender_assets.cli.errors import CliError
from defender_assets.cli.options import DAY
from defender_assets.cli.output import say
from defender_assets.core.errors import SettingsError, contains_secret, quoted, redact
from defender_assets.core.text import escape_control_chars

WAYS = {
    "connection-string": "a connection string with a SAS or an account key, as the Azure portal shows it",
    "entra": "Entra ID: managed identity, workload identity or the Azure CLI's login",
    "directory": "a directory that holds the containers as folders",
}
LAKE_QUESTION = (
    "Where the tables go (a path, az://CONTAINER/PATH or abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH)"
)
# answers of somebody who takes the question for one of yes or no
_NO_PLACE = frozenset({"", "y", "yes", "n", "no", "ok", "true", "false", "none", "default", "-"})
_QUOTED = str.maketrans({"\\": "\\\\", "'": "\\'"})


@click.command()
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

    # A library that the settings import restarts a read that Ctrl-C interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    target = Path(".env")
    if target.exists() and not force:
        raise CliError(f"{target.resolve()} exists: edit it, or use --force to replace it and keep the old one")
    old = _old_values(target)
    asked = (*settings.EXPORT_CHOICES, settings.LAKE_URI, settings.START_DATE)
    # an empty value stays: it unsets the environment's
    kept = {name: value for name, value in old.items() if name not in asked}
    # of the kept settings, only this one depends on the answers
    answers = Answers({name: kept[name] for name in (settings.LAKE_CONNECTION_STRING,) if name in kept}, old)
    way = way or _chosen(old)
    if way == "connection-string":
        answers.take_secret()
    elif way == "entra":
        answers.take(settings.ACCOUNT_URL, account_url, "URL of the account's blob service")
    else:
        answers.take(settings.EXPORT_DIR, export_dir, "Directory")
    answers.take(settings.LAKE_URI, lake_uri, LAKE_QUESTION, settings.DEFAULT_LAKE)
    first = None if start_date is None else start_date.isoformat()
    answers.take(settings.START_DATE, first, "First day wanted", settings.DEFAULT_START.isoformat())
    # afterwards the default lake is the user's own
    demo = old_demo(Path.cwd())
    moved = _write(target, {**answers.values, **kept})
    # on Windows the permissions of the directory apply
    private = ", readable by you alone" if os.name == "posix" else ""
    replaced = f" The old file is {moved}. Settings kept from it: {', '.join(kept) or 'none'}." if moved else ""
    if demo:
        say(demo)
    say(f"{target.resolve()} is written{private}.{replaced} Next: defender-assets check, then defender-assets ui")


class Answers:
    """The settings that are asked for, each validated with those before it; nothing is written."""

    def __init__(self, lake_key: Mapping[str, str], old: Mapping[str, str]) -> None:
        self.values: dict[str, str] = {}
        self._lake_key = lake_key
        self._old = old

    def take(self, name: str, given: str | None, question: str, default: str | None = None) -> None:
        """Take the option's value, or ask until the answer is a valid one; the old value is the default.

        Raises:
            SettingsError: when the option's value is not valid.
        """
        if given is not None:
            self.values[name] = self._valid(name, given)
            return
        old = self._old.get(name)
        if old and self._is_valid(name, old) and not contains_secret(old):
            default = old
        self.values[name] = click.prompt(question, default=default, value_proc=lambda text: self._answer(name, text))

    def take_secret(self) -> None:
        """Take the connection string that is piped in or typed without echo; an empty answer keeps an old one.

        Raises:
            SettingsError: when the text that is piped in is not valid.
        """
        from defender_assets.settings import CONNECTION_STRING as NAME

        if not sys.stdin.isatty():
            text = sys.stdin.readline().strip()
            if not text:
                raise CliError("no connection string was piped in: expected it on the first line of standard input")
            self.values[NAME] = self._valid(NAME, text)
            return
        old = self._old.get(NAME)
        default = old if old and self._is_valid(NAME, old) else None
        self.values[NAME] = click.prompt(
            f"Connection string (not shown{'; Enter keeps the old one' if default else ''})",
            hide_input=True,
            default=default,
            show_default=False,
            value_proc=lambda text: self._answer(NAME, text),
        )

    def _answer(self, name: str, text: str) -> str:
        try:
            return self._valid(name, text)
        except SettingsError as error:
            # click shows it and asks again
            raise click.UsageError(escape_control_chars(redact(str(error), self._secret(name, text)))) from None

    @staticmethod
    def _secret(name: str, text: str) -> tuple[str, ...]:
        from defender_assets.settings import SECRETS

        return (text,) if name in SECRETS else ()

    def _is_valid(self, name: str, text: str) -> bool:
        try:
            self._valid(name, text)
        except SettingsError:
            return False
        return True

    def _valid(self, name: str, text: str) -> str:
        from defender_assets import settings

        text = text.strip()
        if name in {settings.LAKE_URI, settings.EXPORT_DIR}:
            _check_place(name, text)
        # no file of this name exists, so that only these values count
        values = {**self.values, name: text}
        found = settings.load_settings(
            {**values, **(self._lake_key if settings.LAKE_URI in values else {})}, Path("/nonexistent")
        )
        if name == settings.LAKE_URI and found.lake_account is None and settings.EXPORT_DIR in self.values:
            export, lake = (Path(self.values[settings.EXPORT_DIR]).resolve(), Path(text).expanduser().resolve())
            if lake == export or export in lake.parents:
                raise SettingsError(f"{name} is in the export's directory, which is only read: name another directory")
        return text


def _check_place(name: str, text: str) -> None:
    """Raise if a text is an answer to another question, or a file."""
    if text.lower() in _NO_PLACE or text.isdigit():
        raise SettingsError(f"{name} is {quoted(text)}: expected a place, such as .defender/lake")
    with suppress(OSError, RuntimeError):
        path = Path(text).expanduser()
        if file := next((each for each in (path, *path.parents) if each.is_file()), None):
            raise SettingsError(f"{name}: {quoted(str(file))} is a file: expected a directory")


def _chosen(old: Mapping[str, str]) -> str:
    from defender_assets import settings

    say("How is the export reached?")
    for number, description in enumerate(WAYS.values(), 1):
        say(f"  {number}  {description}")
    # the choices are in the order of the ways
    default = next((str(number) for number, name in enumerate(settings.EXPORT_CHOICES, 1) if old.get(name)), "1")
    return str(click.prompt("Number", default=default, value_proc=_way_of))


def _way_of(answer: str) -> str:
    ways = {str(number): way for number, way in enumerate(WAYS, 1)}
    if answer.strip() not in ways:
        # the answer is not repeated: a secret that is pasted or piped too early arrives here
        raise click.UsageError("answer 1, 2 or 3; to pipe in a connection string, use --export connection-string")
    return ways[answer.strip()]


def _old_values(target: Path) -> dict[str, str]:
    """Return the values of an existing file; none if it cannot be read."""
    if not target.is_file():
        return {}
    try:
        from dotenv import dotenv_values

        current = dotenv_values(target, encoding="utf-8-sig", interpolate=False)
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: value for name, value in current.items() if value is not None}


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
