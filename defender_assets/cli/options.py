"""Options that several commands share."""

from collections.abc import Callable
from datetime import date
from typing import Any

import click

from defender_assets.cli.output import FORMATS
from defender_assets.core.enums import LEVELS, PRODUCTS


class Day(click.ParamType[date]):
    """A day such as 2026-01-31."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"'{value}' is no day: expected YYYY-MM-DD, such as 2026-01-31", param, ctx)


DAY = Day()

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def output_format(choices: tuple[str, ...] = FORMATS) -> Decorator:
    """Return the option `--format`."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="JSON holds every column, times in UTC; CSV holds lists as JSON text and is safe for spreadsheets."
        if "csv" in choices
        else "How the answer is written.",
    )


def of_day(help_text: str) -> Decorator:
    """Return the option `--day`."""
    return click.option("--day", type=DAY, metavar="YYYY-MM-DD", help=help_text)


def picks(what: str) -> Decorator:
    """Return the options by which leads and stories are picked: severity, product, device, user."""
    options = (
        click.option(
            "--severity",
            type=click.Choice(LEVELS, case_sensitive=False),
            help=f"Only {what} of this severity or a higher one.",
        ),
        click.option(
            "--product",
            type=click.Choice(PRODUCTS, case_sensitive=False),
            metavar="NAME",
            help=f"Only {what} of this product: {', '.join(PRODUCTS)}.",
        ),
        click.option("--device", metavar="TEXT", help=f"Only {what} with a device whose name contains this."),
        click.option("--user", metavar="TEXT", help=f"Only {what} with an account whose name contains this."),
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def limit(default: int) -> Decorator:
    """Return the option `--limit`: it bounds the table that people read, and JSON or CSV only when it is given."""
    return click.option(
        "--limit",
        type=click.IntRange(min=1),
        metavar="N",
        help=f"At most so many rows. Default: {default} in a table, all in JSON and CSV.",
    )
