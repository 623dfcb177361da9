"""Failures of the commands: one line on standard error for what a user can fix, a redacted traceback for bugs.

Exit codes: 0 success, 1 something needs attention or a bug, 2 a wrong setting, argument or account, 3 nothing found.
"""

import functools
import logging
import os
import traceback
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

import click

from defender_assets.cli.output import prepare_streams, say
from defender_assets.core.errors import DefenderAssetsError, is_panic, redact
from defender_assets.core.text import escape_control_chars

NOTHING_FOUND = 3
"""Exit code: what was asked for does not exist. In JSON and CSV an empty list is an answer, with exit code 0."""


class CliError(click.ClickException):
    """One line that says what is wrong and how to fix it."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        line = f"error: {self.format_message()}"
        if file is None:
            say(line, stderr=True)
        else:
            click.echo(line, file=file)


class NothingFoundError(CliError):
    """One line that says what does not exist."""

    exit_code = NOTHING_FOUND


class Commands(click.Group):
    """A group of commands that name unknown variables and fail with one line, and whose tracebacks have no secret."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command that first names the `DEFENDER_…` variables that are no settings."""
        if callback := cmd.callback:

            @functools.wraps(callback)
            def told(*arguments: Any, **options: Any) -> Any:
                _warn_of_unknown_variables()
                return callback(*arguments, **options)

            cmd.callback = told
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the module describes how it fails."""
        prepare_streams()
        # the SDK logs every attempt with pages of advice; the one line below says what matters
        logging.getLogger("azure").addHandler(logging.NullHandler())
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except BaseException as error:
            if not (isinstance(error, Exception) or is_panic(error)):
                raise
            # shown as a traceback, but without secrets
            _fail(error)


def print_error(text: str, secrets: tuple[str, ...]) -> None:
    """Print one line on standard error without secrets and control characters."""
    say(f"error: {_one_line(text, secrets)}", stderr=True)


def _warn_of_unknown_variables() -> None:
    from defender_assets.settings import unknown_variables

    # the command reports a file that cannot be read
    with suppress(DefenderAssetsError):
        for line in unknown_variables(os.environ, Path.cwd()):
            say(f"warning: {line}", stderr=True)


def _fail(error: BaseException) -> NoReturn:
    from defender_assets.core.azure.errors import describe_error, is_azure_error
    from defender_assets.settings import load_settings

    settings = None
    # settings that cannot be read are the error that is shown
    with suppress(DefenderAssetsError):
        settings = load_settings()
    secrets = settings.secrets if settings else ()
    if isinstance(error, DefenderAssetsError):
        raise CliError(_one_line(str(error), secrets)) from None
    account = (settings.lake_account or settings.export_account) if settings else None
    if is_azure_error(error) and account:
        raise CliError(_one_line(describe_error(account, "reach the account", error), secrets)) from None
    if isinstance(error, OSError) and error.strerror:
        path = error.filename or "standard output"
        line = f"{path} cannot be written ({error.strerror}): name another place, or free space there"
        raise CliError(_one_line(line, secrets)) from None
    for line in traceback.format_exception(error):
        for text in line.splitlines():
            indent = text[: len(text) - len(text.lstrip())]
            click.echo(indent + _one_line(text, secrets), err=True)
    click.echo("error: this is a bug of defender-assets; the lines above say where", err=True)
    raise click.exceptions.Exit(1) from None


def _one_line(text: str, secrets: tuple[str, ...]) -> str:
    return escape_control_chars(redact(text, secrets))
