"""`defender-assets brief`: a day's brief as an HTML page, in a file or on standard output."""

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from defender_assets.cli.errors import NothingFoundError
from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.options import day_option, out_option
from defender_assets.cli.output import names_file, open_output, say


@click.command()
@day_option("The brief of this day of arrival. Default: the newest one.")
@out_option
@click.option("--open", "show", is_flag=True, help="Show the page in the browser.")
def brief(*, day: date | None, out: Path | None, show: bool) -> None:
    """Write a day's brief as one HTML page: leads in numbers, stories, the leads to look at first, and why.

    On a terminal, and with --open, the page is written to brief-DAY.html in the working directory. In a pipe it is
    printed. The page is self-contained: it loads no other file and runs no script. Text that attackers wrote is
    escaped.

    It is rendered now: closed leads and stories are left out. The table daily_briefs keeps what was built.
    """
    from defender_assets.outputs.queries import views
    from defender_assets.outputs.queries.shown_brief import shown_brief

    reader = LakeReader.from_settings()
    briefs = views.briefs(reader.lake, day=day).select("export_date", "html")
    found = views.collected(reader.lake, briefs.head(1))
    if found.is_empty():
        of_day = f"for {day} " if day else ""
        raise NothingFoundError(
            f"there is no brief {of_day}in {reader.lake.describe()}: run the day in Dagster (`defender-assets ui`, "
            "or `defender-assets demo` with a simulated tenant)"
        )
    ((brief_day, stored),) = found.rows()
    if day is None and brief_day >= datetime.now(UTC).date():
        say(
            f"{brief_day} has not ended (UTC): the brief has what has arrived until now. The last whole day: "
            f"--day {brief_day - timedelta(days=1)}",
            stderr=True,
        )
    if out is None and (show or sys.stdout.isatty()):
        out = Path(f"brief-{brief_day}.html")
    with views.reading(reader.lake):
        html = shown_brief(reader.lake, brief_day) or stored
    with open_output(out) as file:
        file.write(html)
    if names_file(out):
        more = "" if show else "; --open shows it in the browser"
        say(f"The brief of {brief_day}, {len(html.encode()):,} bytes: {out.resolve()}{more}")
    if out and show and click.launch(str(out.resolve())):
        say(f"No browser was found: open {out.resolve()} yourself", stderr=True)
