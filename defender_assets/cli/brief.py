"""`defender-assets brief`: write a day's brief as an HTML page."""

from datetime import date
from pathlib import Path

import click

from defender_assets.cli.lake_reader import LakeReader
from defender_assets.cli.options import day_option, out_option
from defender_assets.cli.output import open_output, say
from defender_assets.core.errors import LakeError


@click.command(short_help="Write a day's brief: one HTML page.")
@day_option("The brief of this day of arrival. Default: the newest one.")
@out_option
def brief(*, day: date | None, out: Path | None) -> None:
    """Write a day's brief as one HTML page: leads in numbers, stories, the leads to look at first, and why.

    The page is self-contained: it loads no other file and runs no script. Text that attackers wrote is escaped.
    """
    from defender_assets.outputs.queries import views

    reader = LakeReader.from_settings()
    found = views.collected(reader.lake, views.briefs(reader.lake, day=day).head(1))
    if found.is_empty():
        of_day = f"for {day} " if day else ""
        raise LakeError(
            f"there is no brief {of_day}in {reader.lake.describe()}: run the day in Dagster (`make ui`, or `make demo` "
            "with a simulated tenant)"
        )
    ((brief_day, html),) = found.select("export_date", "html").rows()
    with open_output(out) as file:
        file.write(html)
    if out:
        say(f"The brief of {brief_day}, {len(html.encode()):,} bytes: {out}")
