"""Options that several commands share."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from defender_assets.cli.output import FORMATS, TABLE_ROWS
from defender_assets.core.enums import LEVELS, OPEN, PRODUCTS, STATE_FILTERS

_DAYS_BACK = {"today": 0, "yesterday": 1}


class Day(click.ParamType[date]):
    """A day such as 2026-01-31, `today` or `yesterday` (UTC)."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        today = datetime.now(UTC).date()
        if value in _DAYS_BACK:
            return today - timedelta(days=_DAYS_BACK[value])
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"'{value}' is not a day: expected YYYY-MM-DD, such as 2026-01-31, today or yesterday", param, ctx
            )


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
        help="JSON has every column, times in UTC; CSV has lists as JSON text and is safe for spreadsheets."
        if "csv" in choices
        else "Output format.",
    )


def day_option(help_text: str) -> Decorator:
    """Return the option `--day`."""
    return click.option("--day", type=DAY, metavar="YYYY-MM-DD", help=help_text)


out_option: Decorator = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="A file instead of standard output."
)


def filter_options(what: str) -> Decorator:
    """Return the options that filter leads and stories: severity, product, device, user, tenant, assignee."""
    levels, products = (click.Choice(values, case_sensitive=False) for values in (LEVELS, PRODUCTS))
    names = ", ".join(PRODUCTS)
    options = (
        click.option("--severity", type=levels, help=f"Only {what} of this severity or a higher one."),
        click.option("--product", type=products, metavar="NAME", help=f"Only {what} of this product: {names}."),
        click.option("--device", metavar="TEXT", help=f"Only {what} with a device whose name contains this."),
        click.option("--user", metavar="TEXT", help=f"Only {what} with an account whose name contains this."),
        click.option("--tenant", metavar="ID", help=f"Only {what} of the tenant whose id begins with this."),
        click.option("--assignee", metavar="TEXT", help=f"Only {what} whose assignee's name contains this."),
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


state_option: Decorator = click.option(
    "--state",
    type=click.Choice(STATE_FILTERS),
    default=OPEN,
    show_default=True,
    help="Only this state of triage, as it is now. open: all but closed; a closed lead that changed is open again.",
)

limit_option: Decorator = click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Maximum number of rows. Default: {TABLE_ROWS} in a table, all in JSON and CSV.",
)
