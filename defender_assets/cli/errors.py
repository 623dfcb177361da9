"""Failures of the commands: one line on standard error for what a user can fix, a redacted traceback for bugs.

Exit codes: 0 success, 1 something needs attention or a bug, 2 a wrong setting, argument or account, 3 nothing found.
"""

import logging
import os
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
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
    """A group of commands that name unknown variables and fail with one line, and whose tracebacks have no secret.

    The list of commands shows `commands`. `modules` names the module of each that is imported when it is used.
    """

    def __init__(self, *arguments: Any, modules: Mapping[str, str] | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._modules = dict(modules or {})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command. One from a module first names the `DEFENDER_…` variables that are no settings."""
        if cmd_name in self._modules:
            module = import_module(self._modules[cmd_name])
            command: click.Command = getattr(module, cmd_name.replace("-", "_"))
            command.short_help = self.commands[cmd_name].short_help
            command.callback = _naming_unknown_variables(command.callback)
            self.commands[cmd_name] = command
            # only now: a command whose module cannot be imported would otherwise do nothing the next time
            del self._modules[cmd_name]
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands as click does, without importing their modules."""
        width = formatter.width - 6 - max(map(len, self.commands))
        rows = [(name, self.commands[name].get_short_help_str(width)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

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


def _naming_unknown_variables(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    def warned(*arguments: Any, **options: Any) -> Any:
        _warn_of_unknown_variables()
        return callback(*arguments, **options) if callback else None

    return warned


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
        path = error.filename or "the output"
        done, remedy = "written", "free space there"
        if isinstance(error, PermissionError):
            done, remedy = "used", "give this user permission there"
        line = f"{path} cannot be {done} ({error.strerror}): name another place, or {remedy}"
        raise CliError(_one_line(line, secrets)) from None
    for line in traceback.format_exception(error):
        for text in line.splitlines():
            indent = text[: len(text) - len(text.lstrip())]
            click.echo(indent + _one_line(text, secrets), err=True)
    click.echo("error: this is a bug of defender-assets; the lines above say where", err=True)
    raise click.exceptions.Exit(1) from None


def _one_line(text: str, secrets: tuple[str, ...]) -> str:
    return escape_control_chars(redact(text, secrets))
